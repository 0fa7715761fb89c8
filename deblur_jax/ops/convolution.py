"""Basis blur by convolution, in the form that matrix units are fed with.

A convolution of one channel keeps a matrix unit idle. So `block` neighbouring pixels of a row
become the input channels, and `block` pixels of every filtered image the output channels; the
kernels become Toeplitz matrices between them. With `block = 1` it is the plain convolution.

Arrays come padded; see `deblur_jax.ops.fourier`, whose results these are. `precision` is that of
the convolution.
"""

import jax
import jax.numpy as jnp
from jax import lax


# Elements of the filtered images that are held at a time.
FILTERED_ELEMENTS = 2**24
LAYOUT = ("NHWC", "HWIO", "NHWC")


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str, block: int = 1
) -> jax.Array:
    """Filters with every kernel, then mixes, `block` neighbouring pixels of a row at a time."""
    height, width, basis = mixing.shape
    side, channels = kernels.shape[-1], padded.shape[2]
    blocks = -(-width // block)
    matrices = _toeplitz(kernels, block)  # [s, m, block, block * k]
    input_blocks = blocks + matrices.shape[1] - 1
    canvas = _widen(jnp.moveaxis(padded, 2, 0), 2, input_blocks * block)
    canvas = canvas.reshape(channels, -1, input_blocks, block)

    rows = max(1, min(height, FILTERED_ELEMENTS // (channels * blocks * block * basis)))
    strips = -(-height // rows)
    canvas = _widen(canvas, 1, strips * rows + side - 1)
    mixing = _widen(_widen(mixing, 0, strips * rows), 1, blocks * block)

    def filter_strip(inputs):
        strip, weights = inputs
        seen = lax.dynamic_slice_in_dim(canvas, strip * rows, rows + side - 1, axis=1)
        filtered = lax.conv_general_dilated(
            seen, matrices, (1, 1), "VALID", dimension_numbers=LAYOUT, precision=precision
        )
        filtered = filtered.reshape(channels, rows, blocks * block, basis)
        return jnp.einsum("chwk,hwk->hwc", filtered, weights, precision=precision)

    strip_mixing = mixing.reshape(strips, rows, *mixing.shape[1:])
    blurred = lax.map(filter_strip, (jnp.arange(strips), strip_mixing))
    return blurred.reshape(strips * rows, -1, channels)[:height, :width]


def mix_then_filter(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Mixes with every map, then filters; the kernels are the input channels of a convolution."""
    matrices = jnp.moveaxis(kernels, 0, 2)[..., None]  # [s, s, k, 1]

    def filter_channel(channel):
        mixed = channel[..., None] * mixing
        return lax.conv_general_dilated(
            mixed[None], matrices, (1, 1), "VALID", dimension_numbers=LAYOUT, precision=precision
        )[0, :, :, 0]

    return jnp.moveaxis(lax.map(filter_channel, jnp.moveaxis(padded, 2, 0)), 0, 2)


def _toeplitz(kernels: jax.Array, block: int) -> jax.Array:
    """Returns kernels `[k, s, s]` as matrices from input to output pixels of blocks of a row.

    Entry `[dy, m, i, o * k + b]` is the tap of kernel `b` with which output pixel `o` of a block
    sees pixel `i` of the `m`-th block from its own.
    """
    basis, side, _ = kernels.shape
    spans = -(-(block + side - 1) // block)
    column = jnp.arange(spans * block)[:, None] - jnp.arange(block)[None]  # tap of input, output
    inside = (column >= 0) & (column < side)
    taps = jnp.where(inside[None, None], kernels[:, :, jnp.clip(column, 0, side - 1)], 0)
    taps = taps.reshape(basis, side, spans, block, block)
    return jnp.transpose(taps, (1, 2, 3, 4, 0)).reshape(side, spans, block, block * basis)


def _widen(array: jax.Array, axis: int, length: int) -> jax.Array:
    """Returns `array` continued with zeros, or cropped, to `length` along `axis`."""
    array = lax.slice_in_dim(array, 0, min(length, array.shape[axis]), axis=axis)
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, length - array.shape[axis])
    return jnp.pad(array, widths)
