"""Draw the estimated blur, the restored photo and the residual side by side."""

import cv2
import numpy as np

from deblur_jax.blur_picture import draw_blur
from deblur_jax.deblurring import Result
from deblur_jax.io.images import Photo
from deblur_jax.io.profile import display_transfer
from deblur_jax.pictures import panels
from deblur_jax.transfer import display_from_light


LONGEST_SIDE = 640  # pixels, of each picture
GAIN = 10  # contrast of the residual
LIGHT = 1.0  # the exponent from values to light, of values that are light


def draw_report(name: str, photo: Photo, result: Result) -> np.ndarray:
    """Draws photo, estimated blur, restoration and residual side by side: `[h, w, 3]`, 8-bit.

    Args:
        name: name of the photo, for the title.
        photo: as read from its file.
        result: as returned by `deblur`.
    """
    shown = _displayed(photo.pixels, photo)
    height, width, _ = shown.shape
    blur, enlarged = draw_blur(shrunk(shown, LONGEST_SIDE), result.blur, (height, width))
    pictures = {
        name: shrunk(shown, LONGEST_SIDE),
        f"estimated blur, x{enlarged}": blur,
        "restored": shrunk(_displayed(result.image, photo), LONGEST_SIDE),
        f"re-blurred - photo, x{GAIN}": 0.5 + GAIN * shrunk(result.residual, LONGEST_SIDE),
    }
    return panels(pictures, caption=result.verdict)


def _displayed(values: np.ndarray, photo: Photo) -> np.ndarray:
    """Returns display values for values of a photo, which are light in a developed raw photo."""
    if display_transfer(photo.profile, photo.extras.chunks) != LIGHT:
        return values
    return np.asarray(display_from_light(values, "srgb"), np.float32)


def shrunk(picture: np.ndarray, longest_side: int) -> np.ndarray:
    """Returns a picture `[h, w, c]`, reduced to at most `longest_side` pixels a side."""
    ratio = longest_side / max(picture.shape[:2])
    if ratio >= 1:
        return picture
    height, width = (max(1, round(length * ratio)) for length in picture.shape[:2])
    smaller = cv2.resize(
        np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA
    )
    return smaller.reshape(height, width, -1)
