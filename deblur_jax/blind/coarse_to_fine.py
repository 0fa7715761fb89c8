"""A kernel of one support, from the coarsest scale to the finest."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.kernel_shape import resized
from deblur_jax.blind.scales import refine_at_scale
from deblur_jax.ops.periodic import bridge, scale_sizes, shrink


COARSEST = 5.0  # pixels, least support at the coarsest scale

Planes = tuple[jax.Array, ...]

_bridge = jax.jit(bridge)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The weights of the rounds in which a kernel is estimated.

    Attributes:
        rounds: at each scale.
        strongest: L0 weight of the first round of all.
        decay: divisor of the L0 weight from each round to the next.
        weakest: least L0 weight.
        ridge: of the kernel's least squares.
        noisy_weight: least L0 weight, in units of the noise's standard deviation.
        noisy_ridge: least ridge, in units of the noise's standard deviation.
        piece: share of a kernel's sum that each of its pieces has, at the coarser scales.
        last_piece: the same at the finest scale.
    """

    rounds: int = 5
    strongest: float = 4e-3
    decay: float = 1.1
    weakest: float = 1e-4
    ridge: float = 2.0
    noisy_weight: float = 0.1
    noisy_ridge: float = 200.0
    piece: float = 0.05
    last_piece: float = 0.1

    def weights(self, first: int, noise: float) -> np.ndarray:
        """Return the L0 weights of the rounds at one scale, `[rounds]`.

        Args:
            first: number of rounds that were taken at coarser scales.
            noise: standard deviation of the photo's noise.
        """
        weights = self.strongest / self.decay ** np.arange(first, first + self.rounds)
        return np.maximum(weights, max(self.weakest, self.noisy_weight * noise)).astype(np.float32)

    def ridge_for(self, noise: float) -> np.float32:
        """Return the ridge for a photo whose noise has a standard deviation of `noise`."""
        return np.float32(max(self.ridge, self.noisy_ridge * noise))


SCHEDULE = Schedule()


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
    photos: Planes,
    trusts: Planes,
    support: int,
    *,
    largest: int,
    noise: float = 0.0,
    schedule: Schedule = SCHEDULE,
) -> np.ndarray:
    """Return the kernel `[largest, largest]`, zero outside a central square of side `support`.

    Args:
        photos: from `pyramid`.
        trusts: from `pyramid`.
        support: odd, at most `largest`.
        largest: side of the array, which one compiled program a scale works on.
        noise: standard deviation of the photo's noise.
        schedule: of the rounds.
    """
    scales = scale_count(support)
    ridge = schedule.ridge_for(noise)
    kernel = _line(odd_side(largest * 2 ** (-(scales - 1) / 2)))
    for number, scale in enumerate(reversed(range(scales))):
        side = odd_side(largest * 2 ** (-scale / 2))
        width = min(odd_side(support * 2 ** (-scale / 2)), side)
        kernel = resized(kernel, side, 2**0.5) if number else kernel
        weights = schedule.weights(number * schedule.rounds, noise)
        smallest = np.float32(schedule.piece if scale else schedule.last_piece)
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
