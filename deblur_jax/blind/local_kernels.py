"""The kernels of any blur, as one kernel for each window."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.operators import Blur
from deblur_jax.ops.windows import Windows, centres


@functools.partial(jax.jit, static_argnames=("size", "windows", "side"))
def window_kernels(blur: Blur, size: tuple[int, int], windows: Windows, side: int) -> jax.Array:
    """Return the mean kernel of each window, `[n, s, s]`.

    The adjoint of a blur spreads a single pixel by the kernel of that pixel. Applied to a comb of
    pixels that are `side` apart, it draws all of their kernels at once.

    Args:
        blur: any linear blur of the photo's size.
        size: height and width of the photo, which lies in the corner of the canvas.
        windows: of the canvas.
        side: of the kernels, odd, at least that of the blur's own.
    """
    half = side // 2
    framed = blur.extended(half)
    places = [np.arange(half % max(length, 1), length, side) for length in size]
    comb = np.zeros((size[0] + 2 * half, size[1] + 2 * half, 1), np.float32)
    comb[np.ix_(places[0] + half, places[1] + half)] = 1
    drawn = framed.adjoint(jnp.asarray(comb))[..., 0]
    rows, columns = len(places[0]), len(places[1])
    top, left = int(places[0][0]), int(places[1][0])
    drawn = drawn[top : top + rows * side, left : left + columns * side]
    kernels = drawn.reshape(rows, side, columns, side).transpose(0, 2, 1, 3)
    shares = [
        _shares(middle, place, length / count, side)
        for middle, place, length, count in zip(
            centres(windows), places, windows.canvas, windows.counts, strict=True
        )
    ]
    mean = jnp.einsum("ia,jb,abyx->ijyx", *map(jnp.asarray, shares), kernels, precision="highest")
    mean = jnp.maximum(mean, 0).reshape(windows.number, side, side)
    return mean / jnp.sum(mean, (1, 2), keepdims=True)


def _shares(middles: np.ndarray, places: np.ndarray, cell: float, spacing: int) -> np.ndarray:
    """Return how much each place counts in the mean about each middle, `[middles, places]`."""
    middles = np.clip(middles, places[0], places[-1])
    distance = np.abs(middles[:, None] - places[None, :])
    share = np.maximum(0, 1 - distance / max(cell, spacing + 1))
    return (share / share.sum(1, keepdims=True)).astype(np.float32)
