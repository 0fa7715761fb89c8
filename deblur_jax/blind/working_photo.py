"""A photo as its blur is estimated from: grey, at most about a megapixel."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import cv2
import jax
import numpy as np

from deblur_jax.blind.coarse_to_fine import odd_side
from deblur_jax.blind.kernel_shape import resized
from deblur_jax.models.blocks import SMALLEST_SIDE
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.solvers.diagnosis import HALF_NORMAL
from deblur_jax.solvers.frame import saturation_weights
from deblur_jax.typing import Array


SUPPORTS = (7, 11, 15, 21, 31, 43, 61, 87, 123)  # pixels at the size at which they are tried
PIXELS = 1_000_000  # a larger photo is shrunk to about this
SHORTEST = 2.5  # the photo's shorter side, in units of the largest support
LUMA = (0.299, 0.587, 0.114)
ONLY_NOISE = 1.25  # root mean square of the gradients over that of white noise of the same level
TOO_SMALL = "the photo is too small for the smallest support"

SAMPLED = 1_000_000  # pixels of a large photo in which its noise is measured

# Compiled once for each size of photo, instead of one operation at a time.
trusted_pixels: Callable[[Array], jax.Array] = jax.jit(saturation_weights)


@dataclasses.dataclass(frozen=True)
class WorkingPhoto:
    """A photo as its blur is estimated from: grey, at most about a megapixel.

    Attributes:
        grey: brightness, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        noise: standard deviation of the noise of `grey`'s original channels, at this size.
        shrunk: side of this photo over that of the original, at most 1.
        supports: sides of the kernels that are tried on this photo, in its pixels.
        reason: why there is no blur to see, or an empty string.
    """

    grey: np.ndarray
    trusted: np.ndarray
    noise: float
    shrunk: float
    supports: tuple[int, ...]
    reason: str

    @property
    def extent(self) -> np.ndarray:
        """Height and width, `[2]`."""
        return np.asarray(self.grey.shape, np.int32)


def working_photo(
    photo: Array, *, transfer: Transfer = "linear", supports: Sequence[int] = SUPPORTS
) -> WorkingPhoto:
    """Return the photo at the size at which its blur is estimated; see `estimate_kernel`."""
    _check_photo(photo)
    _check_supports(supports)
    values = np.asarray(photo, np.float32)
    noise = measured_noise(values)
    light = np.asarray(to_light(values, transfer), np.float32)
    grey = light @ np.asarray(LUMA, np.float32) if light.shape[-1] == 3 else light[..., 0]
    trusted = np.asarray(trusted_pixels(values))[..., 0]
    tried = tuple(side for side in supports if SHORTEST * side <= min(grey.shape))
    work = reduced(WorkingPhoto(grey, trusted, noise, 1.0, tried, ""), PIXELS)
    reason = _nothing_to_see(work.grey, work.trusted, noise)
    return dataclasses.replace(work, reason=reason or ("" if work.supports else TOO_SMALL))


def measured_noise(photo: np.ndarray) -> float:
    """Return `solvers.diagnosis.noise_level` of a photo `[h, w, c]`, of some rows of a large one.

    This runs in NumPy: the median by XLA sorts all pixels, which takes seconds.
    """
    height, width, _ = photo.shape
    rows = np.arange(0, height - 1, max(1, height * width // SAMPLED))
    above, below = photo[rows], photo[rows + 1]
    diagonal = (below[:, 1:] + above[:, :-1] - below[:, :-1] - above[:, 1:]) / 2
    return float(np.median(np.abs(diagonal))) / HALF_NORMAL


def smaller(photo: np.ndarray, ratio: float) -> np.ndarray:
    """Return a photo `[h, w, ...]` shrunk by averaging."""
    size = (round(photo.shape[1] * ratio), round(photo.shape[0] * ratio))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def reduced(work: WorkingPhoto, pixels: int) -> WorkingPhoto:
    """Return a working photo shrunk to about `pixels`; the same one if it has no more."""
    ratio = (pixels / work.grey.size) ** 0.5
    if ratio >= 1:
        return work
    grey = smaller(work.grey, ratio)
    return dataclasses.replace(
        work,
        grey=grey,
        trusted=(smaller(work.trusted, ratio) > 0.9).astype(np.float32),
        noise=work.noise * ratio,
        shrunk=work.shrunk * ratio,
        supports=tuple(
            side for side in work.supports if SHORTEST * side <= ratio * min(work.grey.shape)
        ),
    )


def full_size(kernel: np.ndarray, shrunk: float) -> np.ndarray:
    """Return a kernel `[s, s]` of the working size as one of the original photo's size."""
    if shrunk == 1 or kernel.shape[0] == 1:
        return kernel
    side = odd_side(kernel.shape[0] / shrunk) + 2
    return resized(kernel, side, 1 / shrunk)


def _nothing_to_see(grey: np.ndarray, trusted: np.ndarray, noise: float) -> str:
    """Return why a photo tells no blur, or an empty string."""
    if trusted.mean() < 0.1:
        return "nearly all pixels are saturated"
    edges = np.sqrt(np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2))
    if edges < 1e-3:
        return "the photo is flat: it has no edges"
    white = 2 * noise * float(np.sqrt(np.square(LUMA).sum()))
    if edges < ONLY_NOISE * white:
        return "the photo shows noise only"
    return ""


def _check_photo(photo: Array) -> None:
    height, width, channels = photo.shape
    if channels not in (1, 3):
        raise ValueError(f"estimate_kernel: photo must have 1 or 3 channels, got {channels}")
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"estimate_kernel: photo must be at least {SMALLEST_SIDE} pixels on each side, got "
            f"{height}x{width}"
        )
    low, high = float(np.min(photo)), float(np.max(photo))
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"estimate_kernel: photo must be finite and in [0, 1], got values from {low:g} to "
            f"{high:g}; divide 8-bit values by 255"
        )


def _check_supports(supports: Sequence[int]) -> None:
    growing = all(a < b for a, b in itertools.pairwise(supports))
    if not supports or not growing or any(side < 3 or side % 2 == 0 for side in supports):
        raise ValueError(
            "estimate_kernel: supports must be odd sides of at least 3 that grow, got "
            f"{tuple(supports)}"
        )
