"""Basis blur that computes the kernel of every pixel, for small kernels.

The kernel of a pixel is the matrix product `mixing[p] @ kernels`, which serves all colour channels;
applying it is a weighted sum of shifted images. The kernels of one row of pixels are computed, used
and discarded at a time, so they stay in the cache. The time grows with the number of taps and
hardly with the number of kernels, unlike that of transforms. In the forward pass, a few small
kernels are mixed tap by tap in the loops that use the taps.

The functions take padded arrays and return the same as those of `deblur_jax.ops.fourier`.
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.ops.tiling import Cut, join, over_windows, split


# XLA on a CPU fuses all taps of a kernel up to this side into one fast loop. Larger kernels need
# one loop for each row of taps, which it vectorises from this many taps on.
FUSED_SIDE = 11
ROW_TAPS = 17
# Up to this many kernels are mixed where the taps are used, not by a matrix product: this took 0.65
# to 0.9 of the time with 3 to 5 kernels of side 5 to 9, and 1.2 with 8, on two cores. The rows are
# then processed in strips.
FEW_KERNELS = 5
STRIP = 4


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Filters with every kernel, then mixes; see `deblur_jax.ops.fourier`.

    `precision` applies to the matrix products that compute the kernels, here and below.
    """
    side, width = kernels.shape[-1], mixing.shape[1]
    fused = side <= FUSED_SIDE
    if fused and len(kernels) <= FEW_KERNELS:
        return _filter_with_few(padded, kernels, mixing)
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

        blank = _blank((canvas.shape[0], width), padded)
        rows = (jnp.moveaxis(seen, 1, 0), tap_weights)
        return lax.scan(add_taps, blank, rows, unroll=side if fused else 1)[0]

    blurred = lax.map(filter_row, (jnp.arange(mixing.shape[0]), mixing))
    return jnp.moveaxis(blurred, 1, 2)


def _filter_with_few(padded: jax.Array, kernels: jax.Array, mixing: jax.Array) -> jax.Array:
    """Returns the same as `filter_then_mix`; computes each tap of the pixels where it is used."""
    side, (height, width, _) = kernels.shape[-1], mixing.shape
    strips = Cut(count=-(-height // STRIP), block=STRIP, tile=STRIP + side - 1)

    def filter_strip(seen, mixing):  # [c, h + s - 1, w + s - 1], [h, w, k]
        seen = lax.optimization_barrier(seen)  # concatenated once, not in every loop
        maps = jnp.moveaxis(mixing, 2, 0)[:, None]
        total = _blank((seen.shape[0], STRIP, width), padded)
        for row in range(side):
            for column in range(side):
                pairs = zip(kernels[:, row, column], maps, strict=True)
                taps = sum(tap * weights for tap, weights in pairs)
                total = total + taps * seen[:, row : row + STRIP, column : column + width]
            # One loop for each row of taps: XLA does not vectorise a single loop over all taps
            # beyond about 5 kernels of side 9.
            total = lax.optimization_barrier(total)
        return total

    canvas, mixing = jnp.moveaxis(padded, 2, 0), split(mixing, 0, strips)
    blurred = over_windows(filter_strip, canvas, 1, strips, side - 1, mixing)
    return jnp.moveaxis(join(blurred, 1, height), 0, 2)


def spread_pixels(
    kernels: jax.Array, mixing: jax.Array, blurred: jax.Array, *, precision: str
) -> jax.Array:
    """Returns the adjoint of `filter_then_mix` with respect to the image.

    Args:
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
        blurred: `[h, w, c]`.
        precision: see `filter_then_mix`.

    Returns:
        `[h + s - 1, w + s - 1, c]`.
    """
    side, (_, width, channels) = kernels.shape[-1], blurred.shape
    taps_of_columns = _by_columns(kernels)

    def spread_row(pending, inputs):
        """Adds a row of pixels to the `side` rows that it reaches and returns the first of them."""
        weights, light = inputs
        sent = lax.dot_general(
            taps_of_columns, weights, (((1,), (1,)), ((), ())), precision=precision
        ).reshape(side, side, 1, width)

        def add_column(column, pending):
            reached = lax.dynamic_slice_in_dim(pending, column, width, axis=2)
            reached = reached + sent[column] * light[None]
            return lax.dynamic_update_slice_in_dim(pending, reached, column, axis=2)

        pending = lax.fori_loop(0, side, add_column, pending)
        following = jnp.concatenate([pending[1:], jnp.zeros_like(pending[:1])])
        return following, pending[0]

    blank = _blank((side, channels, width + side - 1), blurred)
    rest, rows = lax.scan(spread_row, blank, (mixing, jnp.moveaxis(blurred, 2, 1)))
    return jnp.moveaxis(jnp.concatenate([rows, rest[:-1]]), 1, 2)


def kernel_slopes(
    padded: jax.Array, mixing: jax.Array, blurred: jax.Array, *, side: int, precision: str
) -> jax.Array:
    """Returns the gradient of `<blurred, filter_then_mix>` with respect to the kernels.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        mixing: `[h, w, k]`.
        blurred: `[h, w, c]`.
        side: `s`.
        precision: see `filter_then_mix`.

    Returns:
        `[k, s, s]`.
    """
    basis = mixing.shape[2]

    def add_row(total, inputs):
        seen, weights, light = inputs
        products = _tap_products(seen, light, side)
        dimensions = (((1,), (0,)), ((), ()))
        return total + lax.dot_general(products, weights, dimensions, precision=precision), None

    rows = (_seen_rows(padded, side), mixing, jnp.moveaxis(blurred, 2, 1))
    total = _scan_rows(add_row, _blank((side * side, basis), blurred), rows)[0]
    return jnp.moveaxis(total.reshape(side, side, basis), (0, 1, 2), (2, 1, 0))


def mixing_slopes(
    padded: jax.Array, kernels: jax.Array, blurred: jax.Array, *, precision: str
) -> jax.Array:
    """Returns the gradient of `<blurred, filter_then_mix>` with respect to the mixing.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        blurred: `[h, w, c]`.
        precision: see `filter_then_mix`.

    Returns:
        `[h, w, k]`.
    """
    side = kernels.shape[-1]
    taps_of_columns = _by_columns(kernels)

    def weigh_row(_, inputs):
        seen, light = inputs
        products = _tap_products(seen, light, side)
        dimensions = (((0,), (0,)), ((), ()))
        return None, lax.dot_general(products, taps_of_columns, dimensions, precision=precision)

    rows = (_seen_rows(padded, side), jnp.moveaxis(blurred, 2, 1))
    return _scan_rows(weigh_row, None, rows)[1]


def _seen_rows(padded: jax.Array, side: int):
    """Returns a function from an output row to its input rows, `[c, s, w + s - 1]`."""
    canvas = jnp.moveaxis(padded, 2, 0)
    return lambda row: lax.dynamic_slice_in_dim(canvas, row, side, axis=1)


def _scan_rows(step, start, rows):
    """Scans `step` over output rows; the first of `rows` is a function of the row index."""
    seen, *arrays = rows

    def at_row(carry, inputs):
        row, *arrays = inputs
        return step(carry, (seen(row), *arrays))

    return lax.scan(at_row, start, (jnp.arange(len(arrays[0])), *arrays))


def _tap_products(seen: jax.Array, light: jax.Array, side: int) -> jax.Array:
    """Returns the product of the input and output light for each tap and pixel, `[s * s, w]`.

    Taps are in the order of `_by_columns`.
    """
    channels, width = light.shape

    def column(index):
        shifted = lax.dynamic_slice_in_dim(seen, index, width, axis=2)
        return sum(light[channel][None] * shifted[channel] for channel in range(channels))

    return lax.map(column, jnp.arange(side)).reshape(side * side, width)


def _by_columns(kernels: jax.Array) -> jax.Array:
    """Returns the taps of kernels `[k, s, s]` in column-major order, `[s * s, k]`."""
    return jnp.transpose(kernels, (2, 1, 0)).reshape(-1, kernels.shape[0])


def _blank(shape: tuple[int, ...], like: jax.Array) -> jax.Array:
    """Returns zeros that vary over the same mapped axes as `like`."""
    return jnp.zeros(shape, like.dtype) + jnp.zeros_like(like[0, 0, 0])


def _mixed(kernels: jax.Array, weights: jax.Array, precision: str) -> jax.Array:
    """Returns the taps of the pixels of one row, `[s, s, w]`, from weights `[w, k]`."""
    flat = kernels.reshape(kernels.shape[0], -1).T
    taps = lax.dot_general(flat, weights.T, (((1,), (0,)), ((), ())), precision=precision)
    return taps.reshape(*kernels.shape[1:], weights.shape[0])
