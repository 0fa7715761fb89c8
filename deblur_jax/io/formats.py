"""What each file format can hold of a photo, and how it is encoded."""

import dataclasses
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from deblur_jax.io import directories, exif, heif, jpeg, png, tiff
from deblur_jax.io.metadata import (
    APART,
    IPTC_TAG,
    PHOTOSHOP_TAG,
    PROFILE_TAG,
    XMP_TAG,
    iptc_fields,
)
from deblur_jax.io.photo import Extras, Photo
from deblur_jax.io.profile import profile_transfer


FORMATS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WebP", ".tif": "TIFF",
    ".tiff": "TIFF", ".bmp": "BMP", ".heic": "HEIF", ".heif": "HEIF", ".avif": "AVIF",
}  # fmt: skip
OPAQUE = ("JPEG", "BMP")
DEPTHS = {"PNG": 16, "TIFF": 16, "HEIF": heif.DEEP_BITS}  # most bits a channel, if not 8
LONGEST_SIDE = {"JPEG": 65500, "WebP": 16383, "HEIF": 16384, "AVIF": 65535}  # pixels
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")  # of AVIF files, by `Extras.sampling`
XMP_BYTES = jpeg.SEGMENT_BYTES - 29  # less the address before it
UNDEFINED, BYTE, RATIONAL = 7, 1, 5
MATRIX, WIDE_MATRIX = 6, 9  # code points of YCbCr; that of Rec. 2020 equals its primaries'
# What the colour chunks of most PNG files say: no more than that it is sRGB.
SRGB_CHUNKS = (
    (b"gAMA", struct.pack(">I", 45455)),
    (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
)


def format_of(path: Path) -> str:
    """Returns the format that the ending of a name stands for.

    Raises:
        ValueError: if it is not a known one.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"{path}: the name must end in one of {', '.join(FORMATS)}, got "
            f"{suffix or 'no ending'!r}"
        )
    return FORMATS[suffix]


def fitted(photo: Photo, path: Path, *, growth: int = 0) -> tuple[Photo, tuple[str, ...]]:
    """Returns what the format of a file can hold of a photo, and the names of what it cannot.

    Args:
        photo: as read.
        path: of the file that is to be written.
        growth: bytes by which the EXIF block will grow until then.

    Raises:
        ValueError: if the ending is not known, or the format cannot hold as many pixels.
    """
    kind = format_of(path)
    height, width, _ = photo.pixels.shape
    if max(height, width) > LONGEST_SIDE.get(kind, width + height):
        raise ValueError(
            f"{path}: {kind} holds at most {LONGEST_SIDE[kind]} pixels a side, got "
            f"{width}x{height}; choose a name that ends in .png or .tif"
        )
    if kind == "HEIF":
        try:
            heif.check_writable_heif()
        except tiff.UnfitError as error:
            raise ValueError(f"{path}: {error}") from None
    depth = DEPTHS.get(kind, 8)
    if depth == 8 and photo.bits == 16 and profile_transfer(photo.profile) == 1:
        raise ValueError(
            f"{path}: the photo holds light, of which 8 bits would show steps in the shadows; "
            "choose a name that ends in .tif or .png"
        )
    lost = list(photo.extras.lost)
    if photo.alpha is not None and kind in OPAQUE:
        photo = dataclasses.replace(photo, alpha=None)
        lost.append("transparency")
    held = photo.extras.depth or photo.bits
    if held > depth:
        lost.append(f"{held} bits a channel ({depth} are written)")
    if photo.bits == 16 and depth == 8:
        photo = dataclasses.replace(photo, bits=8)
    if photo.profile and kind == "BMP":
        photo = dataclasses.replace(photo, profile=None)
        lost.append("colour profile")
    block, more = _fitted_exif(photo.exif, kind, growth)
    extras, others = _fitted_extras(photo.extras, kind, photo.profile)
    if extras.dpi and kind in ("WebP", "HEIF", "AVIF") and not _states_resolution(block):
        others.append("resolution")
    photo = dataclasses.replace(photo, exif=block, extras=extras)
    return photo, tuple(dict.fromkeys([*lost, *more, *others]))


def _fitted_exif(
    block: bytes | None, kind: str, growth: int
) -> tuple[bytes | None, tuple[str, ...]]:
    if block is None:
        return None, ()
    if kind == "BMP":
        return None, ("EXIF",)
    if kind == "JPEG":
        return exif.shortened(block, jpeg.SEGMENT_BYTES - growth)
    if kind == "TIFF":
        order, directory, bad = directories.read_directory(block.removeprefix(exif.PREFIX))
        return block, bad + tiff.writable(order, directory)[1]
    return block, ()


def _fitted_extras(extras: Extras, kind: str, profile: bytes | None) -> tuple[Extras, list[str]]:
    drop: dict = {}
    lost = []
    if extras.xmp and (kind == "BMP" or (kind == "JPEG" and len(extras.xmp) > XMP_BYTES)):
        drop["xmp"] = None
        lost.append("XMP")
    if extras.iptc and kind not in ("JPEG", "TIFF"):
        drop["iptc"] = None
        lost.append("IPTC")
    if extras.comment and kind != "JPEG":
        drop["comment"] = None
        lost.append("comment")
    if extras.chunks and kind != "PNG":
        kept = [chunk for chunk in extras.chunks if kind == "HEIF" and chunk[0] == b"cICP"]
        drop["chunks"] = tuple(kept)
        names = [name for name, _ in extras.chunks]
        if any(name in png.TEXT_CHUNKS for name in names):
            lost.append("texts")
        if kept:
            return dataclasses.replace(extras, **drop), lost
        if b"cICP" in names:
            lost.append("meaning of its values (cICP)")
        elif not profile and b"sRGB" not in names:
            odd = [name.decode() for name, body in extras.chunks
                   if name in (b"gAMA", b"cHRM") and (name, body) not in SRGB_CHUNKS]  # fmt: skip
            if odd:
                lost.append(f"meaning of its values ({', '.join(odd)})")
    return dataclasses.replace(extras, **drop), lost


def _states_resolution(block: bytes | None) -> bool:
    _, directory, _ = directories.read_directory((block or b"").removeprefix(exif.PREFIX))
    return any(entry.tag in directories.RESOLUTIONS for entry in directory)


def encode(photo: Photo, values: np.ndarray, kind: str, *, quality: int) -> bytes:
    """Returns the file of a photo.

    Args:
        photo: as `fitted`.
        values: `[h, w, 1 to 4]` uint8, or uint16 for the formats in `DEPTHS`: grey or colour, then
            alpha.
        kind: the format.
        quality: of JPEG, HEIC, AVIF and lossy WebP.
    """
    return {
        "JPEG": _jpeg, "PNG": _png, "WebP": _webp, "TIFF": _tiff, "BMP": _bmp, "HEIF": _heif,
        "AVIF": _avif,
    }[kind](photo, values, quality)  # fmt: skip


def _saved(values: np.ndarray, kind: str, **options) -> bytes:
    buffer = BytesIO()
    image = Image.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values)
    given = {name: value for name, value in options.items() if value is not None}
    image.save(buffer, format=kind, **given)
    return buffer.getvalue()


def _jpeg(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    extras = photo.extras
    sampling = extras.sampling
    if sampling is not None and sampling < 0:  # one that the encoder lacks: none loses less
        sampling = 0
    data = _saved(
        values, "JPEG", quality=quality, icc_profile=photo.profile, exif=photo.exif,
        xmp=extras.xmp, comment=extras.comment, dpi=extras.dpi,
        subsampling=sampling if values.shape[-1] == 3 else None,
    )  # fmt: skip
    return jpeg.with_resources(data, extras.iptc) if extras.iptc else data


def _png(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    del quality
    extras = photo.extras
    chunks = list(extras.chunks)
    if photo.profile:
        chunks.append(png.profile_chunk(photo.profile))
    if photo.exif:
        chunks.append((b"eXIf", photo.exif.removeprefix(exif.PREFIX)))
    if extras.xmp:
        chunks.append(png.xmp_chunk(extras.xmp))
    if extras.dpi:
        chunks.append(png.resolution_chunk(extras.dpi))
    data = png.encode_deep(values) if values.dtype == np.uint16 else _saved(values, "PNG")
    return png.with_chunks(data, chunks)


def _webp(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    lossless = {"lossless": True, "exact": True} if photo.extras.lossless else {}
    return _saved(
        values, "WebP", quality=quality, icc_profile=photo.profile, exif=photo.exif,
        xmp=photo.extras.xmp, **lossless,
    )  # fmt: skip


def _heif(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    extras = photo.extras
    colours = {}
    for _, body in extras.chunks:  # of cICP
        primaries, transfer = body[:2]
        colours = {
            "color_primaries": primaries, "transfer_characteristics": transfer,
            "matrix_coefficients": WIDE_MATRIX if primaries == WIDE_MATRIX else MATRIX,
            "full_range_flag": 1,
        }  # fmt: skip
    return heif.encode_heif(
        values, quality=quality, exif=photo.exif, icc_profile=photo.profile, xmp=extras.xmp,
        chroma=None if extras.sampling is None else heif.CHROMA[max(extras.sampling, 0)],
        **colours,
    )  # fmt: skip


def _avif(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    extras = photo.extras
    sampling = None if extras.sampling is None else SAMPLINGS[max(extras.sampling, 0)]
    return _saved(
        values, "AVIF", quality=quality, icc_profile=photo.profile, exif=photo.exif,
        xmp=extras.xmp, subsampling=sampling,
    )  # fmt: skip


def _bmp(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    del quality
    return _saved(values, "BMP", dpi=photo.extras.dpi)


def _tiff(photo: Photo, values: np.ndarray, quality: int) -> bytes:
    del quality
    extras = photo.extras
    order, directory, _ = directories.read_directory((photo.exif or b"").removeprefix(exif.PREFIX))
    entries = [entry for entry in tiff.writable(order, directory)[0] if entry.tag not in APART]
    stated = {entry.tag for entry in entries}
    if extras.dpi and not stated & set(tiff.KINDS):
        entries += tiff.resolution_entries(order, extras.dpi)
    fields = iptc_fields(extras.iptc) if extras.iptc else None
    for tag, kind, value in (
        (PROFILE_TAG, UNDEFINED, photo.profile),
        (XMP_TAG, BYTE, extras.xmp),
        (PHOTOSHOP_TAG, BYTE, extras.iptc),
        (IPTC_TAG, UNDEFINED, fields),
    ):
        if value:
            entries.append(directories.Entry(tag, kind, len(value), value))
    return tiff.encode_tiff(values, order, tuple(entries))
