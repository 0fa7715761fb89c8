"""Blurry and sharp pairs from the frames of a high-speed camera.

    blurry = display(mean_n light(frame_n)),    sharp = the middle frame

With display values taken for light the mean is Noroozi et al.'s and Argaw et al.'s; with a gamma
of 2.2 it is the one of the GoPro set's `blur_gamma` pictures. Which frames may be averaged is
decided by `deblur_jax.data.frame_filter`.
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
    """A blurry picture and its sharp middle frame, made from consecutive frames.

    Args:
        frames: `[n, h, w, c]`, display values in [0, 1]. Of an even number of frames the one
            after the middle is the sharp one.
        transfer: between display values and the light that adds up, see
            `deblur_jax.ops.sensor`. "linear" averages the display values themselves.
        size: rows and columns of the result, to which every frame is reduced by area before it
            is averaged; None keeps the frames' size.

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
