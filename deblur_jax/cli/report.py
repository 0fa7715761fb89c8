"""Draw the estimated blur, the restored photo and the residual side by side."""

from typing import Any

import cv2
import numpy as np

from deblur_jax.deblurring import Result
from deblur_jax.io.images import Photo
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.pictures import kernels_at_places, kernels_over, motion_over, panels


LONGEST_SIDE = 640  # pixels, of each picture
GAIN = 10  # contrast of the residual


def draw_report(name: str, photo: Photo, result: Result) -> np.ndarray:
    """Draws photo, estimated blur, restoration and residual side by side: `[h, w, 3]`, 8-bit.

    Args:
        name: name of the photo, for the title.
        photo: as read from its file.
        result: as returned by `deblur`.
    """
    pictures = {
        name: shrunk(photo.pixels, LONGEST_SIDE),
        "estimated blur": draw_blur(photo.pixels, result, LONGEST_SIDE),
        "restored": shrunk(result.image, LONGEST_SIDE),
        f"re-blurred - photo, x{GAIN}": 0.5 + GAIN * shrunk(result.residual, LONGEST_SIDE),
    }
    return panels(pictures, caption=result.verdict)


def draw_blur(photo: np.ndarray, result: Result, longest_side: int) -> np.ndarray:
    """Draws the estimated motion or kernels on the photo: `[h, w, 3]`, 8-bit.

    Args:
        photo: `[h, w, 3]`.
        result: as returned by `deblur`.
        longest_side: largest side of the drawing in pixels.
    """
    small: np.ndarray = shrunk(photo, longest_side)
    blur: Any = result.blur
    kernel = getattr(blur, "kernel", None)
    if kernel is not None:
        return kernels_over(small, np.asarray(kernel)[None], np.ones((*small.shape[:2], 1)))
    if hasattr(blur, "rows"):
        scale = small.shape[0] / photo.shape[0]
        return kernels_at_places(
            small, np.asarray(blur.kernels), scale * np.asarray(blur.rows),
            scale * np.asarray(blur.columns),
        )  # fmt: skip
    if isinstance(blur, BasisBlur):
        mixing = shrunk(np.asarray(blur.mixing), longest_side)
        return kernels_over(small, np.asarray(blur.kernels), mixing)
    return motion_over(small, shrunk(result.flow, longest_side), scale=_ratio(photo, longest_side))


def shrunk(picture: np.ndarray, longest_side: int) -> np.ndarray:
    """Returns a picture `[h, w, c]`, reduced to at most `longest_side` pixels a side."""
    ratio = _ratio(picture, longest_side)
    if ratio == 1:
        return picture
    height, width = (max(1, round(length * ratio)) for length in picture.shape[:2])
    smaller = cv2.resize(
        np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA
    )
    return smaller.reshape(height, width, -1)


def _ratio(picture: np.ndarray, longest_side: int) -> float:
    return min(1.0, longest_side / max(picture.shape[:2]))
