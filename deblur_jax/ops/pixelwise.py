"""Basis blur by making the kernel of every pixel, for small kernels.

The kernel of a pixel is a product of two matrices, `mixing[p] @ kernels`, which serves all
colour channels; applying it is a weighted sum of shifted images. One row of pixels is made,
used and dropped at a time, so no kernel ever leaves the cache. The cost grows with the taps of a
kernel and hardly with their number, unlike that of transforms.

Arrays come padded; see `deblur_jax.ops.fourier`, whose results these are.
"""

import jax
import jax.numpy as jnp
from jax import lax


# The CPU compiler fuses all taps of a small kernel into one fast loop. Beyond, it needs one loop
# for each row of taps, and turns that into vector instructions from this many taps on.
FUSED_SIDE = 11
ROW_TAPS = 17


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Filters with every kernel, then mixes.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
        precision: of the matrix products that make the kernels.

    Returns:
        `[h, w, c]`.
    """
    side, width = kernels.shape[-1], mixing.shape[1]
    fused = side <= FUSED_SIDE
    taps = side if fused else max(side, ROW_TAPS)
    kernels = jnp.pad(kernels, ((0, 0), (0, 0), (0, taps - side)))
    canvas = jnp.pad(jnp.moveaxis(padded, 2, 0), ((0, 0), (0, 0), (0, taps - side)))

    def filter_row(inputs):
        row, weights = inputs
        seen = lax.dynamic_slice_in_dim(canvas, row, side, axis=1)
        tap_weights = _mixed(kernels, weights, precision)

        def add_taps(total, inputs):
            seen_row, weights_row = inputs
            parts = (weights_row[i][None] * seen_row[:, i : i + width] for i in range(taps))
            return total + sum(parts), None

        blank = jnp.zeros((canvas.shape[0], width), canvas.dtype)
        rows = (jnp.moveaxis(seen, 1, 0), tap_weights)
        return lax.scan(add_taps, blank, rows, unroll=side if fused else 1)[0]

    blurred = lax.map(filter_row, (jnp.arange(mixing.shape[0]), mixing))
    return jnp.moveaxis(blurred, 1, 2)


def mix_then_filter(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Mixes with every map, then filters.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h + s - 1, w + s - 1, k]`, padded like the image.
        precision: of the matrix products that make the kernels.

    Returns:
        `[h, w, c]`.
    """
    side = kernels.shape[-1]
    width = padded.shape[1] - side + 1
    kernels = kernels[:, ::-1]  # the first tap row reaches the output row that is complete last

    def spread_row(pending, inputs):
        """Adds a source row to the `side` output rows that see it; the first is then complete."""
        light, weights = inputs
        sent = _mixed(kernels, weights, precision)
        reached = [
            sum(sent[j, i, i : i + width][None] * light[:, i : i + width] for i in range(side))
            for j in range(side)
        ]
        pending = pending + jnp.stack(reached)
        following = jnp.concatenate([pending[1:], jnp.zeros_like(pending[:1])])
        return following, pending[0]

    blank = jnp.zeros((side, padded.shape[2], width), padded.dtype)
    _, rows = lax.scan(spread_row, blank, (jnp.moveaxis(padded, 2, 1), mixing))
    return jnp.moveaxis(rows[side - 1 :], 1, 2)


def _mixed(kernels: jax.Array, weights: jax.Array, precision: str) -> jax.Array:
    """Returns the taps of the pixels of one row, `[s, s, w]`, from weights `[w, k]`."""
    flat = kernels.reshape(kernels.shape[0], -1).T
    taps = lax.dot_general(flat, weights.T, (((1,), (0,)), ((), ())), precision=precision)
    return taps.reshape(*kernels.shape[1:], weights.shape[0])
