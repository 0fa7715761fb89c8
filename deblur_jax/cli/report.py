"""A picture of what was seen in a photo, what was done, and what that leaves over."""

import cv2
import numpy as np

from deblur_jax.io.images import Photo
from deblur_jax.ops.operators import LineBlur
from deblur_jax.pictures import flow_colours, kernels_over, panels, with_flow_key
from deblur_jax.restore import Result


LONGEST_SIDE = 640  # pixels of each picture
GAIN = 10  # of the residual, around grey


def draw_report(name: str, photo: Photo, result: Result) -> np.ndarray:
    """Draws photo, estimated blur, restoration and residual side by side: `[h, w, 3]`, 8-bit.

    Args:
        name: of the photo, for the title.
        photo: as read.
        result: of `restore.deblur`.
    """
    ratio = min(1.0, LONGEST_SIDE / max(photo.pixels.shape[:2]))
    seen = _shrunk(photo.pixels, ratio)
    pictures = {
        name: seen,
        "estimated blur": _blur(seen, result, ratio),
        "restored": _shrunk(result.image, ratio),
        f"blurred again - photo, x{GAIN}": 0.5 + GAIN * _shrunk(result.residual, ratio),
    }
    return panels(pictures, caption=result.verdict)


def _blur(seen: np.ndarray, result: Result, ratio: float) -> np.ndarray:
    if isinstance(result.blur, LineBlur):
        flow = result.flow
        longest = max(float(np.ceil(np.hypot(flow[..., 0], flow[..., 1]).max())), 1.0)
        return with_flow_key(flow_colours(_shrunk(flow, ratio), longest=longest), longest=longest)
    mixing = _shrunk(np.asarray(result.blur.mixing), ratio)
    return kernels_over(seen, np.asarray(result.blur.kernels), mixing)


def _shrunk(picture: np.ndarray, ratio: float) -> np.ndarray:
    if ratio == 1:
        return picture
    height, width = (max(1, round(length * ratio)) for length in picture.shape[:2])
    shrunk = cv2.resize(
        np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA
    )
    return shrunk.reshape(height, width, -1)
