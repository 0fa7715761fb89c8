"""Pixels of HEIC files, by pillow-heif (the extra `heif`)."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from deblur_jax.io.tiff import UnfitError


MISSING = "is HEIC, which needs pillow-heif; pip install 'deblur-jax[heif]'"
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by the number of channels
CHROMA = (444, 422, 420)  # by `photo.Extras.sampling`
DEEP_BITS = 10  # that phones and cameras write


@dataclass(frozen=True)
class Picture:
    """The main picture of a file.

    Attributes:
        pixels: `[h, w, 1, 3 or 4]` uint8 or uint16, turned as the file asks.
        info: metadata by the names of pillow-heif.
    """

    pixels: np.ndarray
    info: dict[str, Any]


def read_heif(path: Path, check_size: Callable[[tuple[int, int]], None]) -> Picture:
    """Reads the main picture of a HEIC file.

    Args:
        path: of the file.
        check_size: called with width and height before the pixels are decoded.

    Raises:
        UnfitError: if pillow-heif is not installed.
        ValueError: if the file is damaged.
    """
    pillow_heif = _library()
    opened = pillow_heif.open_heif(BytesIO(path.read_bytes()), convert_hdr_to_8bit=False)
    image = opened[opened.primary_index]
    check_size(image.size)
    pixels = np.asarray(image)
    return Picture(pixels.reshape(*pixels.shape[:2], -1), dict(image.info))


def check_writable_heif() -> None:
    """Raises an `UnfitError` unless HEIC can be written here."""
    if not _library().libheif_info()["HEIF"]:
        raise UnfitError(
            "HEIC cannot be written by this build of pillow-heif; choose a name that ends in .jpg"
        )


def encode_heif(values: np.ndarray, *, quality: int, **options: Any) -> bytes:
    """Returns a HEIC file.

    Args:
        values: `[h, w, 1 to 4]` uint8, or uint16, of which 10 bits are written: grey or colour,
            then alpha.
        quality: 0 to 100.
        **options: of `pillow_heif.encode`; those that are None are left out.
    """
    if values.shape[-1] == 2:  # libheif writes no grey with alpha
        values = np.concatenate([np.repeat(values[..., :1], 3, -1), values[..., 1:]], -1)
    deep = values.dtype == np.uint16
    height, width, channels = values.shape
    mode = MODES[channels] + (";16" if deep else "")
    given = {name: value for name, value in options.items() if value is not None}
    buffer = BytesIO()
    _library().encode(
        mode, (width, height), np.ascontiguousarray(values).tobytes(), buffer, quality=quality,
        bit_depth=DEEP_BITS if deep else 8, **given,
    )  # fmt: skip
    return buffer.getvalue()


def _library() -> Any:
    try:
        import pillow_heif
    except ImportError:
        raise UnfitError(MISSING) from None
    return pillow_heif
