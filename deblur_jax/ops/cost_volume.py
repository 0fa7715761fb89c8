"""Correlation of two feature maps over a search range of displacements.

    out[p, d] = 1/c sum_c first[p, c] * second[p + d, c],    d in {-reach, ..., reach}^2

Features outside the frame are zero. Displacements are in row-major order: channel
`(dv + reach) * (2 reach + 1) + du + reach` holds the displacement (du to the right, dv down).
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.typing import Array, compute_dtype, typechecked


Features = Float[Array, "h w c"]


@typechecked
def cost_volume(first: Features, second: Features, *, reach: int) -> jax.Array:
    """Correlates the features of each pixel with those of its neighbours in another image.

    The result is linear in each argument. Half precision is summed in float32.

    Args:
        first: `[h, w, c]`.
        second: `[h, w, c]`.
        reach: the largest displacement along either axis, in pixels.

    Returns:
        `[h, w, (2 reach + 1)^2]`, in the dtype of `first`.

    Raises:
        ValueError: if `reach` is negative.

    Source:
        Sun et al., "PWC-Net", CVPR 2018, equation 2: the mean, not the sum, over channels.

    Example:
        >>> first = jnp.zeros((3, 4, 1)).at[1, 1].set(1.0)
        >>> second = jnp.zeros((3, 4, 1)).at[1, 2].set(1.0)  # a pixel further to the right
        >>> volume = cost_volume(first, second, reach=1)
        >>> volume.shape, int(volume[1, 1].argmax())  # number 4 is the displacement (0, 0)
        ((3, 4, 9), 5)
    """
    if reach < 0:
        raise ValueError(f"cost_volume: reach must not be negative, got {reach}")
    first, second = jnp.asarray(first), jnp.asarray(second)
    height, width, channels = first.shape
    side = 2 * reach + 1
    padded = jnp.pad(second, ((reach, reach), (reach, reach), (0, 0)))
    sums = compute_dtype(first)

    @jax.checkpoint  # slicing the shifted rows again is cheaper than storing them
    def match_rows(shift: jax.Array) -> jax.Array:
        rows = lax.dynamic_slice_in_dim(padded, shift, height, axis=0)
        matches = [
            jnp.sum(first * lax.slice_in_dim(rows, start, start + width, axis=1), -1, dtype=sums)
            for start in range(side)
        ]
        return jnp.stack(matches, axis=-1)

    # A loop over rows keeps the program small: written out, it would hold 81 copies of the product.
    volume = lax.map(match_rows, jnp.arange(side)) / channels
    return jnp.moveaxis(volume, 0, 2).reshape(height, width, side * side).astype(first.dtype)
