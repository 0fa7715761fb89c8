"""Read the metadata of a photo's file that the written copy keeps."""

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, JpegImagePlugin

from deblur_jax.io import boxes, directories, exif, jpeg, png, raw, tiff
from deblur_jax.io.heif import CHROMA, Picture
from deblur_jax.io.photo import Extras
from deblur_jax.io.profile import linear_profile


IPTC_RESOURCE = b"\x04\x04"
PROFILE_TAG, XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG = 0x8773, 0x02BC, 0x83BB, 0x8649
APART = (PROFILE_TAG, XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG)  # entries of TIFF with a field of their own
GAIN_MAP_SEGMENT = b"urn:iso:std:iso:ts:21496:-1"  # of the main picture: there is a gain map
# How JPEG segments begin that are carried, or that say how the file itself is laid out.
KNOWN_SEGMENTS = (
    b"JFIF", b"JFXX", b"Exif\0", b"http://ns.adobe.com/xap/", b"ICC_PROFILE", b"MPF\0", b"Adobe",
    jpeg.PHOTOSHOP, GAIN_MAP_SEGMENT,
)  # fmt: skip
EXIF_TEXTS = (b"Raw profile type exif\0", b"Raw profile type APP1\0")  # of ImageMagick
XMP_TURN = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)([0-9]+)")
XMP_SIZES = {
    re.compile(rb"((?:tiff:ImageWidth|exif:PixelXDimension)\s*(?:=\s*[\"']|>)\s*)[0-9]+"): 0,
    re.compile(rb"((?:tiff:ImageLength|exif:PixelYDimension)\s*(?:=\s*[\"']|>)\s*)[0-9]+"): 1,
}
XMP_PARTS = {
    b"hdrgm:": "gain map (HDR)", b"HDRGainMap": "gain map (HDR)",
    b"GCamera:MotionPhoto": "motion video", b"GCamera:MicroVideo": "motion video",
    b"GDepth:": "depth map", b"Item:Semantic=\"Depth\"": "depth map",
    b"xmpNote:HasExtendedXMP": "extended XMP",
}  # fmt: skip
# What XMP says of pictures and videos behind the photo, which no copy has.
XMP_BEHIND = re.compile(
    rb"\s(?:hdrgm|HDRGainMap|GDepth|GCamera:(?:MotionPhoto|MicroVideo)|xmpNote:HasExtendedXMP)"
    rb"[\w:]*\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<(Container:Directory|(?:hdrgm|HDRGainMap|GDepth):\w+)\b(?:[^>]*/>|.*?</\1\s*>)",
    re.DOTALL,
)
SRGB_PRIMARIES, SRGB_TRANSFERS = (1, 2), (1, 2, 6, 13)  # code points that viewers show as sRGB


@dataclass(frozen=True)
class Found:
    """The metadata of a file: its orientation, 1 to 8, and what an upright copy keeps."""

    turn: int
    profile: bytes | None
    exif: bytes | None
    extras: Extras


def read_metadata(path: Path, image: Image.Image, page: tiff.Page | None = None) -> Found:
    """Reads the metadata of an opened image's file.

    Args:
        path: of the file.
        image: as opened.
        page: the page that is the photo, of a TIFF file.
    """
    if page is not None:
        return read_tiff_metadata(page)
    info = image.info
    chunks = png.read_chunks(path) if image.format == "PNG" else []
    is_jpeg = image.format in ("JPEG", "MPO")
    segments = jpeg.read_segments(path) if is_jpeg else []
    colours = is_jpeg and len(image.getbands()) == 3
    block = jpeg.joined(segments, exif.PREFIX) if is_jpeg else _block(info)
    extras = Extras(
        iptc=jpeg.joined(segments, jpeg.PHOTOSHOP) or None,
        comment=info.get("comment") if is_jpeg else None,
        chunks=tuple(chunk for chunk in chunks if _is_carried(*chunk)),
        dpi=info.get("dpi") or tiff.resolution(*directories.read_directory(block)[:2]),
        sampling=JpegImagePlugin.get_sampling(image) if colours else None,
        lossless=image.format == "WEBP" and _is_lossless(path),
        lost=tuple(_lost(image, chunks, segments)),
    )
    if image.format == "AVIF":
        facts = boxes.read_facts(path)
        extras = _with_facts(extras, facts, info.get("icc_profile"))
        if facts.bits > 8:  # Pillow reads 8
            deep = f"{facts.bits} bits a channel (8 are read)"
            extras = dataclasses.replace(extras, lost=(*extras.lost, deep))
    size = (image.width, image.height)
    return _upright(block, _packet(info), size, extras, info.get("icc_profile"), None)


def read_tiff_metadata(page: tiff.Page) -> Found:
    """Reads the metadata of the page of a TIFF file that is the photo."""
    apart = {entry.tag: entry.value for entry in page.entries if entry.tag in APART}
    rest = tuple(entry for entry in page.entries if entry.tag not in APART)
    resources = apart.get(PHOTOSHOP_TAG)
    if resources is None and IPTC_TAG in apart:
        resources = _resource(apart[IPTC_TAG])
    extras = Extras(iptc=resources, dpi=tiff.resolution(page.order, rest), lost=page.lost)
    block = directories.write_block(page.order, rest) if rest else b""
    profile, xmp = apart.get(PROFILE_TAG), apart.get(XMP_TAG)
    return _upright(block, xmp, page.size, extras, profile, page.turn)


def read_heif_metadata(path: Path, picture: Picture) -> Found:
    """Reads the metadata of a HEIC file, whose picture is upright whatever its EXIF says."""
    info = picture.info
    block = (info.get("exif") or b"").removeprefix(exif.PREFIX)
    chroma = info.get("chroma")
    extras = Extras(
        dpi=tiff.resolution(*directories.read_directory(block)[:2]),
        sampling=CHROMA.index(chroma) if chroma in CHROMA else None,
        depth=info["bit_depth"] if info["bit_depth"] not in (8, 16) else None,
        lost=tuple(_lost_by_xmp(_packet(info) or b"")),
    )
    profile = info.get("icc_profile")
    extras = _with_facts(extras, boxes.read_facts(path), profile)
    height, width = picture.pixels.shape[:2]
    return _upright(block, _packet(info), (width, height), extras, profile, 1)


def _with_facts(extras: Extras, facts: boxes.Facts, profile: bytes | None) -> Extras:
    """Adds what the boxes of a HEIC or AVIF file say of its colours, and of what it loses."""
    chunks: tuple[png.Chunk, ...] = ()
    if facts.colours and not profile:
        primaries, transfer, _, _ = facts.colours
        if primaries not in SRGB_PRIMARIES or transfer not in SRGB_TRANSFERS:
            chunks = ((b"cICP", bytes([primaries & 255, transfer & 255, 0, 1])),)
    return dataclasses.replace(
        extras, chunks=chunks, lost=tuple(dict.fromkeys([*extras.lost, *facts.lost]))
    )


def read_raw_metadata(path: Path, size: tuple[int, int]) -> Found:
    """Returns the metadata of a raw photo that was developed to an upright picture of a size."""
    block, lost = raw.read_block(path)
    return _upright(block, None, size, Extras(lost=lost), linear_profile(), 1)


def _upright(
    block: bytes,
    xmp: bytes | None,
    size: tuple[int, int],
    extras: Extras,
    profile: bytes | None,
    turn: int | None,
) -> Found:
    """Finds how a picture is turned, and makes what is said of it true of the upright one."""
    stated = XMP_TURN.search(xmp or b"")
    turn = turn or exif.read_turn(block) or (int(stated[2]) if stated else 1)
    turn = turn if turn in range(1, 9) else 1
    sideways = turn >= 5
    if sideways:
        size = size[1], size[0]
    upright, lost = exif.upright_block(block, size, sideways=sideways)
    if xmp is not None:
        xmp = XMP_BEHIND.sub(b"", xmp)
        xmp = XMP_TURN.sub(rb"\g<1>1", xmp)
        for pattern, axis in XMP_SIZES.items():
            xmp = pattern.sub(rb"\g<1>%d" % size[axis], xmp)
    dpi = _sensible(extras.dpi)
    extras = dataclasses.replace(
        extras,
        xmp=xmp,
        dpi=(dpi[1], dpi[0]) if dpi and sideways else dpi,
        lost=(*extras.lost, *lost),
    )
    return Found(turn, profile, upright and exif.PREFIX + upright, extras)


def _block(info: dict) -> bytes:
    """Returns the EXIF block of an opened image without its prefix; empty if there is none."""
    if "exif" in info:
        return info["exif"].removeprefix(exif.PREFIX)
    try:
        lines = str(info.get("Raw profile type exif", "")).split("\n")[3:]
        return bytes.fromhex("".join(lines)).removeprefix(exif.PREFIX)
    except ValueError:
        return b""


def _packet(info: dict) -> bytes | None:
    xmp = info.get("xmp")
    return xmp.encode() if isinstance(xmp, str) else xmp


def _sensible(dpi: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    fits = all(math.isfinite(each) and 0.5 <= each <= 65535 for each in (across, down))
    return (across, down) if fits else None


def _is_carried(name: bytes, body: bytes) -> bool:
    if name in png.TEXT_CHUNKS:
        return not body.startswith((png.XMP_KEYWORD + b"\0", *EXIF_TEXTS))
    return name in png.COLOUR_CHUNKS


def _is_lossless(path: Path) -> bool:
    """Returns whether a WebP file holds a lossless picture."""
    with path.open("rb") as file:
        file.seek(12)  # behind RIFF, its length and WEBP
        while len(head := file.read(8)) == 8:
            if head[:4] in (b"VP8L", b"VP8 "):
                return head[:4] == b"VP8L"
            length = int.from_bytes(head[4:], "little")
            file.seek(length + length % 2, 1)
    return False


def _lost(image: Image.Image, chunks: Iterable[png.Chunk], segments: Iterable[bytes]) -> list[str]:
    """Names what a file holds that is not carried into any copy."""
    segments = list(segments)
    names = _lost_by_xmp(_packet(image.info) or b"")
    if any(segment.startswith(GAIN_MAP_SEGMENT) for segment in segments):
        names.append("gain map (HDR)")
    if image.format == "MPO":
        names.append("pictures behind the photo (previews, depth or gain map)")
    if any(not segment.startswith(KNOWN_SEGMENTS) for segment in segments):
        names.append("JPEG segments of other programs")
    private = [name.decode("latin-1") for name, _ in chunks if name not in png.USUAL_CHUNKS]
    names += [f"PNG chunk {name}" for name in private]
    return list(dict.fromkeys(names))


def _lost_by_xmp(xmp: bytes) -> list[str]:
    return [name for mark, name in XMP_PARTS.items() if mark in xmp]


def _resource(fields: bytes) -> bytes:
    """Returns Photoshop's resource of IPTC fields."""
    size = len(fields).to_bytes(4, "big")
    return b"8BIM" + IPTC_RESOURCE + bytes(2) + size + fields + bytes(len(fields) % 2)


def iptc_fields(resources: bytes) -> bytes | None:
    """Returns the IPTC fields among Photoshop's resources, or None."""
    place = 0
    while resources[place : place + 4] == b"8BIM":
        name = resources[place + 4 : place + 6]
        named = 1 + int.from_bytes(resources[place + 6 : place + 7], "big")
        start = place + 6 + named + named % 2 + 4
        length = int.from_bytes(resources[start - 4 : start], "big")
        if name == IPTC_RESOURCE:
            return resources[start : start + length]
        place = start + length + length % 2
    return None
