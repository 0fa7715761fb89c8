"""A kernel of one support, from the coarsest scale to the finest."""

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.kernel_shape import resized
from deblur_jax.blind.scales import refine_at_scale
from deblur_jax.ops.periodic import bridge, scale_sizes, shrink


COARSEST = 5.0  # pixels, least support at the coarsest scale
ROUNDS = 5  # a scale
STRONGEST, DECAY, WEAKEST = 4e-3, 1.1, 1e-4  # L0 weight: first, divisor a round, least
RIDGE = 2.0  # of the kernel's least squares
NOISY_WEIGHT, NOISY_RIDGE = 0.1, 200.0  # least weight and ridge, times the noise's deviation
SMALL_PIECE, SMALL_LAST_PIECE = 0.05, 0.1  # share of a kernel's sum; at the finest scale

Planes = tuple[jax.Array, ...]

_bridge = jax.jit(bridge)


def scale_count(support: int) -> int:
    """Return the number of scales, each 0.71 times the last, at which `support` is estimated."""
    return max(1, 1 + int(np.floor(2 * np.log2(support / COARSEST))))


def odd_side(length: float) -> int:
    """Return an odd number near `length`, at least 3."""
    return max(3, 2 * int(length / 2) + 1)


def pyramid(
    canvas: np.ndarray, trusted: np.ndarray, extent: np.ndarray, *, scales: int
) -> tuple[Planes, Planes]:
    """Return the photo and the trust in its pixels at each scale, the finest first.

    Args:
        canvas: the photo in the corner of a canvas, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        extent: `[2]`, the photo's height and width.
        scales: their number.
    """
    whole = np.asarray(_bridge(canvas, extent))
    sizes = scale_sizes((whole.shape[0], whole.shape[1]), scales)
    finest, *coarse = shrink(trusted, sizes)
    trusts = [finest, *((trust > 0.8).astype(np.float32) for trust in coarse)]
    return tuple(map(jnp.asarray, shrink(whole, sizes))), tuple(map(jnp.asarray, trusts))


def kernel_of_support(
    photos: Planes, trusts: Planes, support: int, *, largest: int, noise: float = 0.0
) -> np.ndarray:
    """Return the kernel `[largest, largest]`, zero outside a central square of side `support`.

    Args:
        photos: from `pyramid`.
        trusts: from `pyramid`.
        support: odd, at most `largest`.
        largest: side of the array, which one compiled program a scale works on.
        noise: standard deviation of the photo's noise.
    """
    scales = scale_count(support)
    least = max(WEAKEST, NOISY_WEIGHT * noise)
    ridge = np.float32(max(RIDGE, NOISY_RIDGE * noise))
    kernel = _line(odd_side(largest * 2 ** (-(scales - 1) / 2)))
    for number, scale in enumerate(reversed(range(scales))):
        side = odd_side(largest * 2 ** (-scale / 2))
        width = min(odd_side(support * 2 ** (-scale / 2)), side)
        kernel = resized(kernel, side, 2**0.5) if number else kernel
        powers = np.arange(number * ROUNDS, (number + 1) * ROUNDS)
        weights = np.maximum(STRONGEST / DECAY**powers, least).astype(np.float32)
        smallest = np.float32(SMALL_PIECE if scale else SMALL_LAST_PIECE)
        kernel = refine_at_scale(
            photos[scale], trusts[scale], kernel, np.int32(width), weights, ridge, smallest
        )
    return np.asarray(kernel)


def _line(side: int) -> np.ndarray:
    """Return two equal pixels side by side: the kernel that the coarsest scale starts from."""
    middle = side // 2
    kernel = np.zeros((side, side), np.float32)
    kernel[middle, middle - 1 : middle + 1] = 0.5
    return kernel
