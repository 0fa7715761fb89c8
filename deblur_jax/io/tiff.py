"""TIFF files: which page is the photo, its pixels of 16 bits, and writing, by tifffile."""

import logging
import mmap
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from deblur_jax.io.directories import (
    LONG,
    ORIENTATION,
    RATIONAL,
    RESOLUTIONS,
    SHORT,
    Entry,
    read_directory,
    read_starts,
    tag_name,
    whole_numbers,
    write_block,
    write_directory,
)
from deblur_jax.io.exif import read_turn
from deblur_jax.io.native import native_complaints


for name in ("tifffile", "PIL"):  # else they write to the terminal
    logging.getLogger(name).addHandler(logging.NullHandler())

SUFFIXES = (".tif", ".tiff")
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2  # photometric interpretations
EXTRA_SAMPLES = 0x0152
PREMULTIPLIED, STRAIGHT, COREL = 1, 2, 999  # extra samples that are alpha
NONE, LZW, ZIP, ZSTD = 1, 5, 8, 50000  # compressions
PLAIN = (NONE, ZIP, 32773, 32946, 34925)  # those that tifffile undoes by itself
WIDTH, HEIGHT, BITS, PHOTOMETRIC, SUB_PAGES = 0x0100, 0x0101, 0x0102, 0x0106, 0x014A
COMPRESSION, SAMPLES, PLANES = 0x0103, 0x0115, 0x011C
PURPOSES = (0x00FE, 0x00FF)  # entries that say what a page is for, new and old
SMALLER, MASK = 1, 4  # bits of the new one

# How a TIFF file lays out its pixels: true of that file alone.
LAYOUT = {
    0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x0107, 0x0108, 0x0109, 0x010A, 0x0111,
    0x0112, 0x0115, 0x0116, 0x0117, 0x0118, 0x0119, 0x011C, 0x0120, 0x0121, 0x0122, 0x0123, 0x0124,
    0x0125, 0x012D, 0x013D, 0x0140, 0x0141, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x014C, 0x014D,
    0x014E, 0x0150, 0x0151, 0x0152, 0x0153, 0x0154, 0x0155, 0x0156, 0x015B, 0x0200, 0x0201, 0x0202,
    0x0203, 0x0205, 0x0206, 0x0207, 0x0208, 0x0209, 0x0211, 0x0212, 0x0213, 0x0214, 0x80E5, 0x80E6,
}  # fmt: skip
DESCRIPTION = 0x010E
SHAPE = b'{"shape"'  # how the description begins that tifffile writes: of the layout, too
RESOLUTION_UNIT = 0x0128
KINDS = {0x011A: RATIONAL, 0x011B: RATIONAL, RESOLUTION_UNIT: SHORT}  # that readers insist on
INCHES_BY_UNIT = {2: 1.0, 3: 2.54}


class UnfitError(Exception):
    """The file is intact, but of a kind that is not supported."""


@dataclass(frozen=True)
class Page:
    """The page of a TIFF file that is the photo.

    Attributes:
        file: a TIFF file of this page with only the entries that are needed to decode it: Pillow
            applies the orientation, and decoders refuse whole files for entries of other kinds.
        order: of the file's bytes, "<" or ">".
        entries: all entries but those of the layout of the pixels.
        size: width and height.
        turn: the orientation, 1 to 8; None if it is not stated.
        deep: whether it holds 16 bits a channel.
        strange: whether its 8 bits a channel are in a layout that Pillow does not read.
        lost: names of the parts of the file that a copy leaves out.
    """

    file: bytes
    order: str
    entries: tuple[Entry, ...]
    size: tuple[int, int]
    turn: int | None
    deep: bool
    strange: bool
    lost: tuple[str, ...]


def is_tiff(path: Path) -> bool:
    """Returns whether a file begins as TIFF and BigTIFF files do."""
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def photo_page(path: Path) -> Page:
    """Returns the one page of a TIFF file that is neither a smaller copy of another nor a mask.

    Raises:
        UnfitError: if there are several, or it holds pixels of a kind that is not read.
    """
    with (
        path.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        starts = read_starts(data)
        chosen = [start for start in starts if not _is_beside(data, start)] or starts[:1]
        if len(chosen) != 1:
            raise UnfitError(
                f"holds {len(chosen)} pictures, expected one; save the wanted picture alone"
            )
        order, directory, bad = read_directory(data, chosen[0])
        turn = read_turn(data, chosen[0])
        needed = [e for e in directory if e.tag in LAYOUT and e.tag not in (ORIENTATION, SUB_PAGES)]
        file = _file(order, data[8:], needed)
    facts = {entry.tag: whole_numbers(order, entry) for entry in directory}
    lost = ("smaller copies or masks (TIFF pages)",) if len(starts) > 1 else ()
    deep, strange = max(facts.get(BITS, ()), default=1) > 8, False
    if deep:
        lost += _check_deep(file)
    elif strange := _is_strange(facts):
        lost += _check_deep(file, bits=8)
    elif 0 in facts.get(EXTRA_SAMPLES, ()):
        lost += ("extra channels",)
    kept = tuple(
        entry
        for entry in directory
        if entry.tag not in LAYOUT
        and not (entry.tag == DESCRIPTION and entry.value.startswith(SHAPE))
    )
    size = facts[WIDTH][0], facts[HEIGHT][0]
    return Page(file, order, kept, size, turn, deep, strange, lost + bad)


def _is_beside(data: Any, start: int) -> bool:
    """Returns whether a page is a smaller copy of another, or a mask."""
    order, directory, _ = read_directory(data, start)
    facts = {e.tag: whole_numbers(order, e) for e in directory if e.tag in PURPOSES}
    return is_smaller(facts) or bool(sum(facts.get(PURPOSES[0], ())) & MASK)


def is_smaller(facts: dict[int, tuple[int, ...]]) -> bool:
    """Returns whether a page of these entries is a smaller copy of another."""
    new, old = (facts.get(tag, ()) for tag in PURPOSES)
    return bool(sum(new) & SMALLER) or old == (2,)


def _is_strange(facts: dict[int, tuple[int, ...]]) -> bool:
    """Returns whether only tifffile reads a page of 8 bits, for its planes or extra samples."""
    photometric, samples = facts.get(PHOTOMETRIC), facts.get(SAMPLES, (1,))[0]
    readable = facts.get(COMPRESSION, (NONE,))[0] in (*PLAIN, LZW, ZSTD)
    if facts.get(BITS, ()) != (8,) * samples or samples == 1 or not readable:
        return False
    if photometric == (RGB,):
        extra = facts.get(EXTRA_SAMPLES, ())
        return len(extra) > 1 or (facts.get(PLANES) == (2,) and extra not in ((), (STRAIGHT,)))
    separate = photometric == (BLACK_IS_ZERO,) and (facts.get(PLANES) == (2,) or samples > 2)
    return separate or photometric == (WHITE_IS_ZERO,)


def unread(page: Page) -> UnfitError:
    """Returns the error for a page that Pillow does not read, with the kind of its pixels."""
    with tifffile.TiffFile(BytesIO(page.file)) as opened:
        layout = opened.pages[0].aspage()
        return UnfitError(
            f"holds {layout.samplesperpixel} channels of {layout.bitspersample}-bit "
            f"{_name(layout.photometric)} pixels, which are not read; convert it to grey or RGB"
        )


def _check_deep(file: bytes, bits: int = 16) -> tuple[str, ...]:
    """Refuses a page whose pixels tifffile does not read; names what it has beside them.

    Raises:
        UnfitError: if it is of another kind than grey or RGB of so many bits.
    """
    with tifffile.TiffFile(BytesIO(file)) as opened:
        page = opened.pages[0].aspage()
        _check_kind(page, bits)
        more = len(_extra_samples(page)) > (_alpha(page) is not None)
        return ("extra channels",) if more else ()


def _check_kind(page: Any, expected: int) -> None:
    bits, photometric = page.bitspersample, _name(page.photometric)
    if page.sampleformat not in (1, 4) or bits != expected:
        kinds = {2: "signed whole numbers", 3: "floats", 5: "complex numbers", 6: "complex numbers"}
        kind = kinds.get(page.sampleformat, "whole numbers")
        raise UnfitError(
            f"holds {bits}-bit {kind}, expected whole numbers of 8 or 16 bits; convert it"
        )
    if photometric not in ("MINISBLACK", "MINISWHITE", "RGB"):
        raise UnfitError(f"holds {bits}-bit {photometric} pixels, expected grey or RGB; convert it")
    if page.compression not in (*PLAIN, LZW, ZSTD):
        raise UnfitError(
            f"holds {bits}-bit pixels compressed by {_name(page.compression)}, expected no "
            "compression, ZIP or LZW; save it with one of these"
        )
    if page.imagedepth > 1 or page.predictor == 3:
        raise UnfitError(
            "holds a volume or the predictor of floats, expected one plane; save it as a plain "
            f"{bits}-bit TIFF"
        )


def _name(option: Any) -> str:
    return getattr(option, "name", str(option))


def _extra_samples(page: Any) -> tuple[int, ...]:
    """Returns what each channel beside grey or colour is; Pillow's guess where it is not said."""
    count = page.samplesperpixel - (3 if page.photometric == RGB else 1)
    stated = tuple(int(sample) for sample in page.extrasamples)[:count]
    assumed = STRAIGHT if not stated and count == 1 else 0
    return stated + (assumed,) * (count - len(stated))


def _alpha(page: Any) -> int | None:
    """Returns which of the extra samples is alpha, or None."""
    samples = _extra_samples(page)
    return next((n for n, s in enumerate(samples) if s in (PREMULTIPLIED, STRAIGHT, COREL)), None)


def read_deep(page: Page) -> np.ndarray:
    """Reads the pixels of a page of 16 bits a channel.

    Returns:
        `[h, w, 1 to 4]` uint16: grey, of which zero is black, or colour; then alpha, by which
        colours are not multiplied.

    Raises:
        ValueError: if they cannot be decoded.
    """
    return _read_pixels(page.file)


def plain_file(page: Page) -> bytes:
    """Returns a TIFF file of the pixels of a page of 8 bits a channel that Pillow reads."""
    return encode_tiff(_read_pixels(page.file), "<", ()) if page.strange else page.file


def _read_pixels(file: bytes) -> np.ndarray:
    with native_complaints(), tifffile.TiffFile(BytesIO(file)) as opened:
        layout = opened.pages[0].aspage()
        values = _planes_together(layout, file)
        white = np.iinfo(values.dtype).max
        colours, alpha = 3 if layout.photometric == RGB else 1, _alpha(layout)
        colour = values[..., :colours]
        if layout.photometric == WHITE_IS_ZERO:
            colour = white - colour
        if alpha is None:
            return colour
        opacity = values[..., colours + alpha][..., None]
        if _extra_samples(layout)[alpha] == PREMULTIPLIED:
            straight = np.divide(colour, opacity / np.float32(white), where=opacity > 0,
                                 out=np.zeros(colour.shape, np.float32))  # fmt: skip
            colour = np.rint(np.minimum(straight, white)).astype(values.dtype)
        return np.concatenate([colour, opacity], axis=-1)


def _planes_together(page: Any, file: bytes) -> np.ndarray:
    """Returns all channels of a page, `[h, w, channels]`."""
    if page.compression in PLAIN:
        values = page.asarray(squeeze=False)
    else:
        with tifffile.TiffFile(BytesIO(_uncompressed(page, file))) as plain:
            values = plain.pages[0].asarray(squeeze=False)
    values = np.moveaxis(values[:, 0], 0, -2)  # from [separate, depth, h, w, together]
    values = values.reshape(*values.shape[:2], -1)
    if values.shape[-1] != page.samplesperpixel:
        raise ValueError(f"{values.shape[-1]} of {page.samplesperpixel} channels are there")
    return values


def _uncompressed(page: Any, file: bytes) -> bytes:
    """Returns a TIFF file of one page's pixels, of which Pillow undid the compression.

    Pillow undoes LZW and ZSTD, but has no colours of 16 bits: it is given bytes as grey pixels.
    """
    together = page.samplesperpixel if page.planarconfig == 1 else 1
    strips = []
    across = page.tilewidth if page.is_tiled else page.imagewidth
    planes = -(-page.imagelength // page.rowsperstrip) if not page.is_tiled else 1
    for index, (start, length) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=True)
    ):
        rows = page.tilelength
        if not page.is_tiled:
            rows = min(page.rowsperstrip, page.imagelength - index % planes * page.rowsperstrip)
        strip = file[start : start + length]
        plain = _decompressed(strip, page.compression, across * together * 2, rows)
        strips.append(zlib.compress(plain, 0))  # tifffile wants a compression with a predictor
    offsets, lengths = (0x0144, 0x0145) if page.is_tiled else (0x0111, 0x0117)
    order, directory, _ = read_directory(file)
    kept = [e for e in directory if e.tag not in (0x0103, offsets, lengths)]
    places = np.cumsum([8, *map(len, strips)])
    kept += [
        Entry(0x0103, SHORT, 1, struct.pack(order + "H", ZIP)),
        _numbers(order, offsets, [int(place) for place in places[:-1]]),
        _numbers(order, lengths, [len(strip) for strip in strips]),
    ]
    return _file(order, b"".join(strips), kept)


def _file(order: str, body: bytes, directory: Iterable[Entry]) -> bytes:
    """Returns a TIFF file of a body, which lies behind 8 bytes of header, and a directory."""
    base = 8 + len(body) + len(body) % 2
    head = write_block(order, ())[:4] + struct.pack(order + "I", base)
    return b"".join([head, body, bytes(len(body) % 2), write_directory(order, directory, base)])


def _numbers(order: str, tag: int, values: list[int]) -> Entry:
    return Entry(tag, LONG, len(values), struct.pack(f"{order}{len(values)}I", *values))


def _decompressed(data: bytes, compression: int, across: int, rows: int) -> bytes:
    start = 8 + 2 + 12 * 9 + 4  # behind the header and the directory, whose values fit in it
    facts = {
        0x0100: across, 0x0101: rows, 0x0102: 8, 0x0103: compression, 0x0106: BLACK_IS_ZERO,
        0x0111: start, 0x0115: 1, 0x0116: rows, 0x0117: len(data),
    }  # fmt: skip
    file = write_block("<", [_numbers("<", tag, [value]) for tag, value in facts.items()]) + data
    with Image.open(BytesIO(file)) as strip:
        return strip.tobytes()


def writable(order: str, directory: Iterable[Entry]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Returns the entries of an EXIF block that a TIFF file can hold, and the names of the others.

    Those that would lay out pixels are left out in silence: they are of another file.
    """
    free = [entry for entry in directory if entry.tag not in LAYOUT]
    units = [struct.pack(order + "H", unit) for unit in (1, *INCHES_BY_UNIT)]
    odd = [e for e in free if e.tag in KINDS and (e.kind, e.count) != (KINDS[e.tag], 1)]
    odd += [e for e in free if e.tag == RESOLUTION_UNIT and e.value not in units]
    return tuple(e for e in free if e not in odd), tuple(
        dict.fromkeys(tag_name(e.tag) for e in odd)
    )


def resolution(order: str, directory: Iterable[Entry]) -> tuple[float, float] | None:
    """Returns the pixels an inch, across and down, that a directory states, or None."""
    facts = {entry.tag: entry for entry in writable(order, directory)[0]}
    if not facts.keys() >= KINDS.keys():
        return None
    across, down = (struct.unpack(order + "II", facts[tag].value) for tag in RESOLUTIONS)
    unit = INCHES_BY_UNIT.get(struct.unpack(order + "H", facts[RESOLUTION_UNIT].value)[0])
    if unit is None or not (across[1] and down[1]):
        return None
    return across[0] / across[1] * unit, down[0] / down[1] * unit


def resolution_entries(order: str, dpi: tuple[float, float]) -> list[Entry]:
    """Returns the entries of a resolution in pixels an inch, across and down."""
    entries = [
        Entry(tag, RATIONAL, 1, struct.pack(order + "II", round(each * 1000), 1000))
        for tag, each in zip(RESOLUTIONS, dpi, strict=True)
    ]
    return [*entries, Entry(RESOLUTION_UNIT, SHORT, 1, struct.pack(order + "H", 2))]


def encode_tiff(values: np.ndarray, order: str, directory: tuple[Entry, ...]) -> bytes:
    """Returns a TIFF file.

    Args:
        values: `[h, w, 1 to 4]` uint8 or uint16: grey or colour, then alpha.
        order: of its bytes, "<" or ">".
        directory: its other entries.
    """
    alpha = values.shape[-1] in (2, 4)
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        values.squeeze(-1) if values.shape[-1] == 1 else values,
        byteorder="<" if order == "<" else ">",
        bigtiff=False,
        photometric="rgb" if values.shape[-1] > 2 else "minisblack",
        planarconfig="contig" if values.shape[-1] > 1 else None,
        extrasamples=["unassalpha"] if alpha else None,
        compression="zlib",
        software=False,
        metadata=None,
    )
    data = buffer.getvalue()
    _, layout, _ = read_directory(data)
    own = [entry for entry in layout if entry.tag not in KINDS]  # tifffile's is none
    return _file(order, data[8:], [*own, *directory])
