"""Photographs in files: decoded upright to floats in [0, 1], written whole or not at all."""

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from deblur_jax.io import boxes, heif, jpeg, png, raw, tiff
from deblur_jax.io.directories import ORIENTATION
from deblur_jax.io.files import existing_file, whole_file
from deblur_jax.io.formats import FORMATS, encode, fitted, format_of
from deblur_jax.io.metadata import (
    Found,
    read_heif_metadata,
    read_metadata,
    read_raw_metadata,
    read_tiff_metadata,
)
from deblur_jax.io.native import native_complaints
from deblur_jax.io.photo import Photo
from deblur_jax.io.tiff import UnfitError


__all__ = [
    "ORIENTATION",
    "PHOTO_SUFFIXES",
    "SUFFIXES",
    "Photo",
    "read_grey",
    "read_photo",
    "read_rgb",
    "write_photo",
]

SUFFIXES = (*FORMATS, ".mpo")  # of files that hold display values
PHOTO_SUFFIXES = (*SUFFIXES, *raw.SUFFIXES)  # of all files that are read
RGB = "8-bit RGB"
PILLOW_KINDS = {
    "JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP", "TIFF": "TIFF", "BMP": "BMP",
}  # fmt: skip
STRIP = 256  # rows that are rounded at once: the copies of a panorama would fill the memory
INKS = ("CMYK", "YCbCr", "LAB", "HSV")  # modes of Pillow whose profile is not one of RGB


@dataclass(frozen=True)
class _Decoded:
    """The pixels of a file as they are stored, and its metadata.

    Attributes:
        array: `[h, w, 1 to 4]` uint8 or uint16: grey or colour, then alpha.
        found: metadata; its `turn` makes `array` upright.
        kind: of the pixels, for messages.
        inks: whether the file holds colours of inks.
    """

    array: np.ndarray
    found: Found
    kind: str
    inks: bool = False


def read_photo(path: str | os.PathLike[str], *, most_pixels: int | None = None) -> Photo:
    """Reads a JPEG, PNG, WebP, TIFF, BMP, HEIC, AVIF or raw file.

    Colours of inks become sRGB, by the file's profile if it has one. A raw photo becomes light,
    with a profile that says so (see `io.raw`).

    Args:
        path: of the file.
        most_pixels: a larger picture is refused before it is decoded.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image, is cut short, holds several pictures or too large a
            one, needs a package that is not installed, or has a kind of pixel that would lose
            precision here (floats, or 16 bits other than grey and RGB in PNG and TIFF).
    """
    path = Path(path)
    with _errors_named(path):
        decoded = _decode(path, most_pixels)
    found = decoded.found
    array = turned_upright(decoded.array, found.turn)
    values = array.astype(np.float32) / np.iinfo(array.dtype).max
    grey = values.shape[-1] <= 2
    colour = np.repeat(values[..., :1], 3, axis=-1) if grey else values[..., :3]
    return Photo(
        pixels=np.ascontiguousarray(colour),
        alpha=np.ascontiguousarray(values[..., -1]) if values.shape[-1] in (2, 4) else None,
        grey=grey,
        bits=8 * array.dtype.itemsize,
        profile=None if decoded.inks else found.profile,
        exif=found.exif,
        extras=found.extras,
    )


def _decode(path: Path, most_pixels: int | None = None) -> _Decoded:
    """Decodes a file of any format."""
    existing_file(path, "a photo")
    check_size = functools.partial(_check_size, most_pixels=most_pixels)
    if raw.is_raw(path):
        array = raw.develop(path, check_size)
        size = (array.shape[1], array.shape[0])
        return _Decoded(array, read_raw_metadata(path, size), "a raw photo")
    if boxes.container_of(path) == boxes.HEIF:
        picture = heif.read_heif(path, check_size)
        return _Decoded(
            picture.pixels, read_heif_metadata(path, picture), _kind_of_array(picture.pixels)
        )
    page = _photo_page(path)
    if page is not None and page.deep:
        check_size(page.size)
        return _Decoded(tiff.read_deep(page), read_tiff_metadata(page), "16-bit")
    with _opened(path, page, most_pixels) as image:
        found = read_metadata(path, image, page)
        array, kind = _pixels(path, image, found), _kind_of_pixels(path, image)
        return _Decoded(array, found, kind, image.mode in INKS)


def file_kind(path: Path) -> str:
    """Returns the format of a file, whatever its name: a value of `FORMATS`, "raw", or ""."""
    if raw.is_raw(path):
        return "raw"
    if container := boxes.container_of(path):
        return container
    try:
        with Image.open(path) as image:
            return PILLOW_KINDS.get(image.format or "", "")
    except (OSError, Image.DecompressionBombError):
        return ""


def _kind_of_array(array: np.ndarray) -> str:
    if array.dtype == np.uint16:
        return "16-bit"
    return {1: "grey", 3: RGB}.get(array.shape[-1], "with transparency")


def _pixels(path: Path, image: Image.Image, found: Found) -> np.ndarray:
    """Return the pixels of an opened image, `[h, w, 1 to 4]`: grey or colour, then alpha."""
    if _is_deep(path, image):
        return png.read_deep(path)
    if image.mode.startswith(("I", "F")):
        raise UnfitError(
            f"holds pixels of mode {image.mode}, expected 8 bits a channel (16 bits in PNG and "
            "TIFF); convert it to PNG or TIFF with whole numbers"
        )
    if image.mode in INKS:
        image = _inks_to_colours(image, found.profile)
    if image.mode == "La":  # grey by which alpha is multiplied
        image = image.convert("LA")
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    mode += "A" if _has_alpha(image) else ""
    array = np.asarray(image.convert(mode), np.uint8)
    return array.reshape(*array.shape[:2], -1)


def _is_deep(path: Path, image: Image.Image) -> bool:
    return image.format == "PNG" and png.is_deep(path)


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _inks_to_colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile is None:
        return image.convert("RGB")
    try:
        inks = ImageCms.ImageCmsProfile(BytesIO(profile))
        colours = ImageCms.profileToProfile(
            image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):  # broken, or of something else
        return image.convert("RGB")
    return colours or image.convert("RGB")


def turned_upright(array: np.ndarray, turn: int) -> np.ndarray:
    """Undoes the EXIF orientation `turn` (1 to 8)."""
    if turn in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def read_rgb(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image that must be 8-bit RGB, as a data set's are: `[h, w, 3]` uint8, upright.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image, is cut short, or is grey, has transparency, a
            palette or more than 8 bits.
    """
    path = Path(path)
    with _errors_named(path):
        decoded = _decode(path)
        if decoded.kind != RGB:
            raise UnfitError(f"{decoded.kind}, expected {RGB}; convert it")
        return np.array(turned_upright(decoded.array, decoded.found.turn))


def read_grey(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads an image of any kind as `[h, w]` uint8, upright: a mask, say.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image or is cut short.
    """
    path = Path(path)
    with _errors_named(path):
        decoded = _decode(path)
        values = decoded.array
        if values.dtype == np.uint16:
            values = (values >> 8).astype(np.uint8)
        grey = values.shape[-1] <= 2
        image = Image.fromarray(values[..., 0] if grey else values[..., :3]).convert("L")
        return np.array(turned_upright(np.asarray(image, np.uint8), decoded.found.turn))


def read_orientation(path: str | os.PathLike[str]) -> int:
    """Returns how the picture of a file is turned, 1 to 8; 1 is upright.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image or is cut short.
    """
    path = Path(path)
    with _errors_named(path):
        return _decode(path).found.turn


def _kind_of_pixels(path: Path, image: Image.Image) -> str:
    if _has_alpha(image):
        return "with transparency"
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        return "grey"
    if _is_deep(path, image):
        return "16-bit"
    return RGB if image.mode == "RGB" else f"of mode {image.mode}"


def _photo_page(path: Path) -> tiff.Page | None:
    """Returns the page of a TIFF file that is the photo; None for other files."""
    return tiff.photo_page(path) if tiff.is_tiff(path) else None


@contextlib.contextmanager
def _opened(
    path: Path, page: tiff.Page | None, most_pixels: int | None = None
) -> Iterator[Image.Image]:
    """Opens and decodes the one picture of a file by Pillow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd entries, and of panoramas
        if page is not None:
            _check_size(page.size, most_pixels)
        try:
            opened = Image.open(_bare(path, page))
        except UnidentifiedImageError:
            if page is None:
                raise
            raise tiff.unread(page) from None
        with opened as image:
            # An MPO file holds previews after the photo; in other formats pictures would be lost.
            count = getattr(image, "n_frames", 1)
            if count > 1 and image.format != "MPO":
                raise UnfitError(
                    f"holds {count} pictures, expected one; save the wanted picture alone"
                )
            _check_size(image.size, most_pixels)
            with native_complaints() if page is not None else contextlib.nullcontext():
                image.load()
            yield image


def _bare(path: Path, page: tiff.Page | None) -> Path | BytesIO:
    """Return a file for Pillow, without the entries that make it rotate or reject pictures."""
    if page is not None:
        return BytesIO(tiff.plain_file(page))
    return BytesIO(jpeg.without_exif(path.read_bytes())) if jpeg.is_jpeg(path) else path


def _check_size(size: tuple[int, int], most_pixels: int | None = None) -> None:
    width, height = size
    if most_pixels is not None and width * height > most_pixels:
        raise UnfitError(
            f"has {width}x{height} pixels ({width * height / 1e6:.3g} million), expected at most "
            f"{most_pixels / 1e6:g} million; resize the photo"
        )


@contextlib.contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Convert any exception about a file into a one-line `ValueError` with its name."""
    try:
        yield
    except (FileNotFoundError, MemoryError):
        raise
    except UnfitError as error:
        raise ValueError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise ValueError(
            f"{path}: not an image that can be read; expected one of {kinds}"
        ) from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {error}; crop or resize it first") from None
    except PermissionError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:  # decoders raise anything when bytes make no sense
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path}: the image is cut short or damaged ({reason}); copy it again"
        ) from None


def write_photo(path: str | os.PathLike[str], photo: Photo, *, quality: int = 95) -> None:
    """Writes `photo` in the format that the suffix of `path` names.

    Values are clipped to [0, 1] and rounded. What the format has no place for is left out (see
    `formats.fitted`). The file appears under its name only when it is complete.

    Raises:
        ValueError: if the suffix is not a known image format, or the picture is too large for it.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    photo, _ = fitted(photo, path)
    values = _quantised(photo)
    data = encode(photo, values, format_of(path), quality=quality)
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def _quantised(photo: Photo) -> np.ndarray:
    """Returns the values that a file holds, `[h, w, 1 to 4]`: grey or colour, then alpha."""
    dtype, alpha = np.uint16 if photo.bits == 16 else np.uint8, photo.alpha
    height, width, _ = photo.pixels.shape
    channels = (1 if photo.grey else 3) + (alpha is not None)
    values = np.empty((height, width, channels), dtype)
    for top in range(0, height, STRIP):
        rows = slice(top, top + STRIP)
        pixels = photo.pixels[rows]
        parts = [pixels.mean(axis=-1, keepdims=True) if photo.grey else pixels]
        parts += [] if alpha is None else [alpha[rows, :, None]]
        strip = np.clip(np.concatenate(parts, axis=-1), 0, 1)
        values[rows] = np.rint(strip * np.iinfo(dtype).max)
    return values
