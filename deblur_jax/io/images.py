"""Photographs in files: decoded upright to floats in [0, 1], written whole or not at all."""

import contextlib
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from deblur_jax.io.deep import (
    DEEP_SUFFIXES,
    encode_deep_png,
    encode_deep_tiff,
    is_deep,
    read_deep,
)
from deblur_jax.io.files import existing_file, whole_file
from deblur_jax.io.metadata import ORIENTATION, kept_exif


SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
OPAQUE_SUFFIXES = (".jpg", ".jpeg", ".bmp")
STRIP = 256  # rows that are rounded at once: the copies of a panorama would fill the memory
INKS = ("CMYK", "YCbCr", "LAB", "HSV")  # modes of Pillow whose profile is not one of RGB


@dataclass(frozen=True)
class Photo:
    """A decoded photograph and what a faithful copy of its file needs.

    Attributes:
        pixels: `[h, w, 3]` float32 in [0, 1], display values, upright; grey is repeated.
        alpha: `[h, w]` float32 in [0, 1], or None.
        grey: whether the file held a single colour channel.
        bits: 8 or 16 per channel.
        profile: the ICC profile of `pixels`, or None for sRGB.
        exif: the EXIF block without its orientation, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    bits: int = 8
    profile: bytes | None = None
    exif: bytes | None = None


def read_photo(path: str | os.PathLike, *, most_pixels: int | None = None) -> Photo:
    """Reads a JPEG, PNG, WebP, TIFF or BMP file.

    Colours of inks become sRGB, by the file's profile if it has one.

    Args:
        path: of the file.
        most_pixels: a larger picture is refused before it is decoded.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image, is cut short, holds several pictures or too large a
            one, or has a kind of pixel that would lose precision here (floats, or 16 bits other
            than PNG and TIFF).
    """
    path = Path(path)
    with _opened(path, most_pixels) as image:
        deep = is_deep(path, image)
        if not deep and image.mode.startswith(("I", "F")):
            raise _UnfitError(
                "16 bits a channel are read from PNG and TIFF only, and no floats; convert it"
            )
        turn = image.getexif().get(ORIENTATION, 1)
        upright = ImageOps.exif_transpose(image)
        exif = kept_exif(image, upright.size)
        profile = image.info.get("icc_profile")
        if image.mode in INKS:
            upright, profile = _inks_to_colours(upright, profile), None
        array = read_deep(path, turn) if deep else _eight_bit_pixels(upright)
        grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    values = array.astype(np.float32) / np.iinfo(array.dtype).max
    return Photo(
        pixels=np.ascontiguousarray(values[..., :3]),
        alpha=np.ascontiguousarray(values[..., 3]) if values.shape[-1] == 4 else None,
        grey=grey,
        bits=16 if deep else 8,
        profile=profile,
        exif=exif,
    )


def _eight_bit_pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGBA" if _has_alpha(image) else "RGB"), np.uint8)


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


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Reads an image that must be 8-bit RGB, as a data set's are: `[h, w, 3]` uint8, upright.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image, is cut short, or is grey, has transparency, a
            palette or more than 8 bits.
    """
    path = Path(path)
    with _opened(path) as image:
        kind = _kind_of_pixels(path, image)
        upright = ImageOps.exif_transpose(image)
    if kind != "8-bit RGB":
        raise ValueError(f"{path}: {kind}, expected 8-bit RGB; convert it")
    return np.array(upright, np.uint8)


def read_grey(path: str | os.PathLike) -> np.ndarray:
    """Reads an image of any kind as `[h, w]` uint8, upright: a mask, say.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image or is cut short.
    """
    with _opened(Path(path)) as image:
        return np.array(ImageOps.exif_transpose(image).convert("L"), np.uint8)


def _kind_of_pixels(path: Path, image: Image.Image) -> str:
    if _has_alpha(image):
        return "with transparency"
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        return "grey"
    if is_deep(path, image):
        return "16-bit"
    return "8-bit RGB" if image.mode == "RGB" else f"of mode {image.mode}"


@contextlib.contextmanager
def _opened(path: Path, most_pixels: int | None = None) -> Iterator[Image.Image]:
    """Opens and decodes the one picture of a file; errors, also of the caller's, name the file."""
    existing_file(path, "a photo")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a panorama is none
            with Image.open(path) as image:
                # Phones hide a preview behind a photo (MPO); others would lose pictures.
                count = getattr(image, "n_frames", 1)
                if count > 1 and image.format != "MPO":
                    raise _UnfitError(f"holds {count} pictures, expected one; give one of them")
                pixels = image.width * image.height
                if most_pixels is not None and pixels > most_pixels:
                    raise _UnfitError(
                        f"has {image.width}x{image.height} pixels, {pixels / 1e6:.1f} million; at "
                        f"most {most_pixels / 1e6:g} million are taken here, shrink it"
                    )
                image.load()
                yield image
    except _UnfitError as error:
        raise ValueError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise ValueError(
            f"{path}: not an image that can be read; expected one of {kinds}"
        ) from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {error}; crop or shrink it first") from None
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise ValueError(
            f"{path}: the image is cut short or damaged ({error}); copy it again"
        ) from None


class _UnfitError(Exception):
    """The file is whole, but of a kind that is not taken here."""


def write_photo(path: str | os.PathLike, photo: Photo, *, quality: int = 95) -> None:
    """Writes `photo` in the format that the suffix of `path` names.

    Values are clipped to [0, 1] and rounded. Alpha is kept where the format has it, 16 bits in PNG
    and TIFF; a TIFF of 16 bits keeps the texts of the EXIF block alone. The file appears under its
    name only when it is complete.

    Raises:
        ValueError: if the suffix is not a known image format.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        kinds = ", ".join(SUFFIXES)
        raise ValueError(
            f"{path}: the name must end in one of {kinds}, got {suffix or 'no ending'!r}"
        )
    deep = photo.bits == 16 and suffix in DEEP_SUFFIXES
    values = _quantised(photo, np.uint16 if deep else np.uint8, suffix not in OPAQUE_SUFFIXES)
    if deep:
        encode = encode_deep_png if suffix == ".png" else encode_deep_tiff
        data = encode(values, photo.profile, photo.exif)
    else:
        buffer = BytesIO()
        image = Image.fromarray(values.squeeze(-1 if values.shape[-1] == 1 else ()))
        kept = {"icc_profile": photo.profile, "exif": photo.exif}
        options = {name: value for name, value in kept.items() if value and suffix != ".bmp"}
        kind = Image.registered_extensions()[suffix]
        image.save(buffer, format=kind, quality=quality, **options)
        data = buffer.getvalue()
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def _quantised(photo: Photo, dtype: type, with_alpha: bool) -> np.ndarray:
    """Returns the values that a file holds, `[h, w, 1 to 4]`: grey or colour, then alpha."""
    alpha = photo.alpha if with_alpha else None
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
