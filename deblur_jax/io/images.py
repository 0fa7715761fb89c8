"""Photographs in files: decoded upright to floats in [0, 1], written whole or not at all."""

import contextlib
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
ORIENTATION = 0x0112  # the EXIF tag
SIXTEEN_BIT_SUFFIXES = (".png",)
PNG_HEADER_BYTES = 33  # signature and IHDR chunk
PNG_DEPTH_BYTE = 24


@dataclass(frozen=True)
class Photo:
    """A decoded photograph and what a faithful copy of its file needs.

    Attributes:
        pixels: `[h, w, 3]` float32 in [0, 1], display values, upright; grey is repeated.
        alpha: `[h, w]` float32 in [0, 1], or None.
        grey: whether the file held a single colour channel.
        bits: 8 or 16 per channel.
        profile: the ICC profile as stored, or None.
        exif: the EXIF block with its orientation reset, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    grey: bool = False
    bits: int = 8
    profile: bytes | None = None
    exif: bytes | None = None


def existing_file(path: str | os.PathLike, kind: str) -> Path:
    """Returns `path` if it is a file.

    Args:
        path: of the file.
        kind: what it should be, as words for the message.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give the path of {kind}")
    return path


def read_photo(path: str | os.PathLike) -> Photo:
    """Reads a JPEG, PNG, WebP, TIFF or BMP file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image, is cut short, or has a kind of pixel that would
            lose precision here (16-bit files other than PNG).
    """
    path = existing_file(path, "a photo")
    with _named_damage(path), Image.open(path) as image:
        stored_mode = image.mode
        image.load()
        upright = ImageOps.exif_transpose(image)
        turn = image.getexif().get(ORIENTATION, 1)

    profile = upright.info.get("icc_profile")
    exif = upright.getexif()
    exif_bytes = exif.tobytes() if len(exif) else None
    grey = stored_mode in ("1", "L", "LA", "I", "I;16", "F")
    array = _sixteen_bit_pixels(path, stored_mode, turn)
    if array is None:
        has_alpha = "A" in upright.getbands() or "transparency" in upright.info
        if stored_mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            profile = None  # it describes the ink or other space, not the RGB made from it
        array = np.asarray(upright.convert("RGBA" if has_alpha else "RGB"), np.uint8)
    top = np.iinfo(array.dtype).max
    values = array.astype(np.float32) / top
    return Photo(
        pixels=np.ascontiguousarray(values[..., :3]),
        alpha=np.ascontiguousarray(values[..., 3]) if values.shape[-1] == 4 else None,
        grey=grey,
        bits=16 if array.dtype == np.uint16 else 8,
        profile=profile,
        exif=exif_bytes,
    )


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Reads an image that must be 8-bit RGB, as a data set's are: `[h, w, 3]` uint8, upright.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an image, is cut short, or is grey, has transparency, a
            palette or more than 8 bits.
    """
    path = existing_file(path, "a photo")
    with _named_damage(path), Image.open(path) as image:
        image.load()
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
    path = existing_file(path, "an image")
    with _named_damage(path), Image.open(path) as image:
        return np.array(ImageOps.exif_transpose(image).convert("L"), np.uint8)


def _kind_of_pixels(path: Path, image: Image.Image) -> str:
    if "A" in image.getbands() or "transparency" in image.info:
        return "with transparency"
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        return "grey"
    if image.format == "PNG" and _is_sixteen_bit_png(path):
        return "16-bit"
    return "8-bit RGB" if image.mode == "RGB" else f"of mode {image.mode}"


def _is_sixteen_bit_png(path: Path) -> bool:
    """Asks the header of a PNG, since Pillow shows 16-bit colour as 8-bit."""
    with path.open("rb") as file:
        return file.read(PNG_HEADER_BYTES)[PNG_DEPTH_BYTE : PNG_DEPTH_BYTE + 1] == bytes([16])


@contextlib.contextmanager
def _named_damage(path: Path) -> Iterator[None]:
    """Turns what Pillow raises for a bad file into a ValueError that names it."""
    try:
        yield
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


def _sixteen_bit_pixels(path: Path, mode: str, turn: int) -> np.ndarray | None:
    """Returns the RGB(A) pixels of a 16-bit PNG, which Pillow reads as 8-bit; None for others."""
    if path.suffix.lower() in SIXTEEN_BIT_SUFFIXES:
        if not _is_sixteen_bit_png(path):  # and so need not be decoded again
            return None
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        array = cv2.imdecode(np.fromfile(path, np.uint8), flags)
        if array is None or array.dtype != np.uint16:
            return None
        if array.ndim == 2:
            array = array[..., None]
        if array.shape[-1] == 1:
            array = np.repeat(array, 3, axis=-1)
        colour = array[..., 2::-1]
        return _turned_upright(np.concatenate([colour, array[..., 3:]], axis=-1), turn)
    if mode.startswith(("I", "F")):
        raise ValueError(f"{path}: more than 8 bits a channel are read from PNG only; convert it")
    return None


def _turned_upright(array: np.ndarray, turn: int) -> np.ndarray:
    """Undoes the EXIF orientation `turn` (1 to 8)."""
    if turn in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def write_photo(path: str | os.PathLike, photo: Photo, *, quality: int = 95) -> None:
    """Writes `photo` in the format that the suffix of `path` names.

    Values are clipped to [0, 1] and rounded. Alpha is kept where the format has it, 16 bits in PNG
    only. The file appears under its name only when it is complete.

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
    channels = [photo.pixels.mean(axis=-1, keepdims=True) if photo.grey else photo.pixels]
    if photo.alpha is not None and suffix not in (".jpg", ".jpeg", ".bmp"):
        channels.append(photo.alpha[..., None])
    values = np.clip(np.concatenate(channels, axis=-1), 0, 1)
    if photo.bits == 16 and suffix in SIXTEEN_BIT_SUFFIXES:
        data = _encode_sixteen_bit_png(values, photo.profile)
    else:
        buffer = BytesIO()
        image = Image.fromarray(
            np.rint(values * 255).astype(np.uint8).squeeze(-1 if values.shape[-1] == 1 else ())
        )
        kept = {"icc_profile": photo.profile, "exif": photo.exif}
        options = {name: value for name, value in kept.items() if value and suffix != ".bmp"}
        kind = Image.registered_extensions()[suffix]
        image.save(buffer, format=kind, quality=quality, **options)
        data = buffer.getvalue()
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def _encode_sixteen_bit_png(values: np.ndarray, profile: bytes | None) -> bytes:
    order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[values.shape[-1]]
    encoded, buffer = cv2.imencode(".png", np.rint(values * 65535).astype(np.uint16)[..., order])
    if not encoded:
        raise OSError("the 16-bit PNG could not be encoded")
    data = buffer.tobytes()
    if profile:
        body = b"iCCP" + b"ICC profile\0\0" + zlib.compress(profile)
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        data = data[:PNG_HEADER_BYTES] + chunk + data[PNG_HEADER_BYTES:]
    return data


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed to it on success and removed on failure.

    Raises:
        OSError: if the folder is missing or cannot be written to.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike) -> None:
    """Raises the OSError that `whole_file` would, before any work is done."""
    _temporary_beside(Path(path)).unlink()


def _temporary_beside(path: Path) -> Path:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; give the name of a file")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise PermissionError(
            f"{path}: cannot be written ({error.strerror}); choose another place"
        ) from None
    os.close(handle)
    return Path(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
