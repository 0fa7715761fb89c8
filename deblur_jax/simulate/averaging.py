"""Blurry and sharp pairs from the frames of a high-speed camera.

    blurry = display(mean_n light(frame_n)),    sharp = the middle frame

Noroozi et al. and Argaw et al. average display values (`transfer="linear"`); the `blur_gamma`
pictures of the GoPro data set are averaged with a gamma of 2.2. `deblur_jax.data.frame_filter`
selects the frames that may be averaged.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.resample import resize_area
from deblur_jax.ops.sensor import Transfer, to_display, to_light
from deblur_jax.typing import Array, compute_dtype, typechecked


@typechecked
def average_frames(
    frames: Float[Array, "n h w c"],
    *,
    transfer: Transfer = "linear",
    size: tuple[int, int] | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Averages consecutive frames to a blurry picture, and returns it with the middle frame.

    Args:
        frames: `[n, h, w, c]`, display values in [0, 1]. For even n the frame after the middle is
            the sharp one.
        transfer: curve between display values and light, see `deblur_jax.ops.sensor`. "linear"
            averages the display values themselves.
        size: rows and columns of the result; frames are resized by area averaging first. None
            keeps the frames' size.

    Returns:
        The blurry and the sharp picture, `[h, w, c]` each.

    Source:
        Noroozi et al., "Motion Deblurring in the Wild", GCPR 2017, section 2: an odd number of 7
        to 23 frames, a third of the frames' size, display values.

    Example:
        >>> frames = jnp.stack([jnp.full((4, 4, 3), value) for value in (0.2, 0.4, 0.9)])
        >>> blurry, sharp = average_frames(frames)
        >>> print(blurry[0, 0, 0].round(2), sharp[0, 0, 0])
        0.5 0.4
    """
    resize = (lambda frame: frame) if size is None else functools.partial(_resize, size=size)

    def add(total: jax.Array, frame: jax.Array) -> tuple[jax.Array, None]:
        return total + to_light(resize(frame), transfer), None

    dtype, frames = frames.dtype, jnp.asarray(frames, compute_dtype(frames))
    sharp = resize(frames[frames.shape[0] // 2])
    total, _ = lax.scan(add, jnp.zeros_like(sharp), frames)
    blurry = to_display(total / frames.shape[0], transfer)
    return blurry.astype(dtype), sharp.astype(dtype)


def _resize(frame: jax.Array, size: tuple[int, int]) -> jax.Array:
    return resize_area(frame, size[0], size[1])
