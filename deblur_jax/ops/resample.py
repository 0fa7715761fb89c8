"""Resizing of images by area or bilinear interpolation, with half-pixel alignment.

Pixels are squares that tile the frame, and the edges of the frame are kept: output pixel i of n
covers the input from i m / n to (i + 1) m / n, where the m pixels of the input are unit intervals.
So the centre of output pixel i lies at (i + 1/2) m / n - 1/2 of the input.

    area        the mean of the input over the area of the output pixel
    bilinear    between pixel centres; smaller sizes use a wider triangle, to avoid aliasing

Values are not rescaled: a flow in pixels must also be multiplied by the ratio of the sizes.
"""

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.typing import Image, compute_dtype, typechecked


@typechecked
def resize_area(image: Image, height: int, width: int) -> jax.Array:
    """Returns `image` with `height` by `width` pixels, each the mean of the area that it covers.

    The mean brightness is kept exactly. For integer factors this is the mean of blocks.
    """
    return _separable(image, _area_weights, height, width)


@typechecked
def resize_bilinear(image: Image, height: int, width: int, *, antialias: bool = True) -> jax.Array:
    """Returns `image` with `height` by `width` pixels, interpolated between pixel centres.

    Args:
        image: `[h, w, c]`.
        height: rows of the result.
        width: columns of the result.
        antialias: whether a smaller result averages over a triangle twice as wide as an output
            pixel. Without it, each output pixel reads two input pixels along each axis.
    """
    weights = _triangle_weights if antialias else _two_tap_weights
    return _separable(image, weights, height, width)


def _separable(image, make_weights, height: int, width: int) -> jax.Array:
    if min(height, width) < 1:
        raise ValueError(f"resize: height and width must be at least 1, got {height}x{width}")
    dtype, image = image.dtype, jnp.asarray(image, compute_dtype(image))
    # The sizes are static, so the matrices are constants, computed in double precision.
    rows = jnp.asarray(make_weights(image.shape[0], height), image.dtype)
    columns = jnp.asarray(make_weights(image.shape[1], width), image.dtype)
    narrow = jnp.einsum("xw,hwc->hxc", columns, image, precision="highest")
    return jnp.einsum("yh,hxc->yxc", rows, narrow, precision="highest").astype(dtype)


def _area_weights(size: int, target: int) -> np.ndarray:
    """Returns `[target, size]`: the share of each input pixel in each output pixel."""
    edges = np.arange(target + 1) * size / target
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0) * target / size


def _triangle_weights(size: int, target: int) -> np.ndarray:
    return _hats(size, target, max(1.0, size / target))


def _two_tap_weights(size: int, target: int) -> np.ndarray:
    return _hats(size, target, 1.0)


def _hats(size: int, target: int, reach: float) -> np.ndarray:
    """Returns `[target, size]`: triangles of half-width `reach`, normalised inside the frame."""
    centres = (np.arange(target) + 0.5) * size / target - 0.5
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size)) / reach)
    return weights / weights.sum(axis=1, keepdims=True)
