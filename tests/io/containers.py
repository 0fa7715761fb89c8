"""Files of cameras and phones, built byte by byte: HEIC boxes, Ultra HDR and MPO, raw photos."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image


ROOT = Path(__file__).parents[2]
GAIN_MAP_XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description xmp:Rating=\"5\" "
    b'hdrgm:Version="1.0"><Container:Directory><rdf:Seq><rdf:li><Container:Item '
    b'Item:Semantic="GainMap" Item:Length="500"/></rdf:li></rdf:Seq></Container:Directory>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def encoded_jpeg(pixels, **options):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def ultra_hdr(path, pixels, *, iso=False, **options):
    """Write a JPEG file with a gain map behind it, as XMP says, or a segment of ISO 21496-1."""
    more = {} if iso else {"xmp": GAIN_MAP_XMP}
    main, gain = encoded_jpeg(pixels, **more, **options), encoded_jpeg(pixels[::4, ::4, 0])
    if iso:
        named = segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))
        main = main[:2] + named + main[2:]
    path.write_bytes(main + gain)


def mpo(path, *pictures, **options):
    first, *others = map(Image.fromarray, pictures)
    first.save(path, "MPO", save_all=True, append_images=others, quality=95, **options)


def damaged(whole, count):
    """Yield files that are cut short, and files with a few other bytes, so many of each."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield whole[: rng.integers(len(whole))]
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 5):
            broken[place] = rng.integers(256)
        yield bytes(broken)


def box(name, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name, *parts, version=0, flags=0):
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def item(number, kind, *, hidden=False):
    return full(b"infe", struct.pack(">HH4s", number, 0, kind), b"\0", version=2, flags=hidden)


def refer(name, source, *targets):
    return box(name, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


def boxes(items, references=(), properties=(), owned=(), *, brand=b"heic", behind=b""):
    """Return a file of these boxes and no pixels; item 1 is the main picture."""
    links = struct.pack(f">IHB{len(owned)}B", 1, 1, len(owned), *owned)
    meta = full(
        b"meta",
        full(b"pitm", struct.pack(">H", 1)),
        full(b"iinf", struct.pack(">H", len(items)), *items),
        full(b"iref", *references),
        box(b"iprp", box(b"ipco", *properties), full(b"ipma", links)),
    )
    return box(b"ftyp", brand, bytes(4), b"mif1", brand) + meta + behind


def light_of(pixels):
    """Return the light, in [0, 1], of sRGB pixels of 8 bits."""
    display = pixels.astype(np.float64) / 255
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)


def dng(path, light, *, turn=1, linear=False, balance=(0.5, 1.0, 0.5), details=()):
    """Write a DNG file of a camera with sRGB's primaries.

    Args:
        light: `[h, w, 3]` in [0, 1].
        turn: the orientation.
        linear: whether all three colours of a pixel are stored; else one of a Bayer pattern.
        balance: the camera's values of white.
        details: other entries, (tag, type, count, value).
    """
    values = np.rint(light * balance * 65535).astype(np.uint16)
    stored = values
    if not linear:
        stored = values[..., 1].copy()
        stored[::2, ::2], stored[1::2, 1::2] = values[::2, ::2, 0], values[1::2, 1::2, 2]
    matrix = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
    entries = [
        (0xC612, 1, 4, (1, 4, 0, 0)),
        (0xC613, 1, 4, (1, 1, 0, 0)),
        (0x010F, 2, 0, "a maker"),
        (0x0110, 2, 0, "a camera"),
        (0x0112, 3, 1, turn),
        (0xC614, 2, 0, "a maker's camera"),
        (0xC621, 10, 9, _fractions(matrix)),
        (0xC628, 5, 3, _fractions(balance)),
        (0xC65A, 3, 1, 21),
        (0xC61D, 3, 1, 65535),
        *details,
    ]
    if not linear:
        entries += [(0x828D, 3, 2, (2, 2)), (0x828E, 1, 4, (0, 1, 1, 2))]
    tifffile.imwrite(
        path, stored, photometric=34892 if linear else 32803, software=False, metadata=None,
        planarconfig="contig" if linear else None,
        extratags=[(*entry, True) for entry in entries],
    )  # fmt: skip


def _fractions(values):
    return [number for value in values for number in (round(value * 10000), 10000)]
