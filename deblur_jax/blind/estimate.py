"""A uniform blur kernel from one photo.

Kernels of growing support are estimated from coarse to fine, each is judged by the same energy as
no blur, and one is chosen. Every array has a size from a short list, so that the second photo of a
similar size compiles nothing.
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.choice import Candidate, choose, settled
from deblur_jax.blind.coarse_to_fine import kernel_of_support, odd_side, pyramid, scale_count
from deblur_jax.blind.judge import judge
from deblur_jax.blind.kernel_shape import border_mass, in_side, resized
from deblur_jax.ops.periodic import canvas_side, lay_on_canvas
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.ops.windows import windows_of
from deblur_jax.solvers.diagnosis import noise_level
from deblur_jax.solvers.frame import saturation_weights
from deblur_jax.typing import Array, Image, typechecked


SUPPORTS = (11, 15, 21, 31, 43, 61, 87, 123)  # pixels at the working size
PIXELS = 1_000_000  # a larger photo is shrunk to about this
SMALLEST_SIDE = 32  # pixels
SHORTEST = 2.5  # the photo's shorter side, in units of the largest support
LUMA = (0.299, 0.587, 0.114)
ONLY_NOISE = 1.25  # root mean square of the gradients over that of white noise of the same level
TOO_SMALL = "the photo is too small for the smallest support"
NO_BLUR = "no blur explains the photo as well as any kernel"

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class WorkingPhoto:
    """A photo as its blur is estimated from: grey, at most about a megapixel.

    Attributes:
        grey: brightness, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        noise: standard deviation of the noise of `grey`'s original channels, at this size.
        shrunk: side of this photo over that of the original, at most 1.
        supports: sides of the kernels that are tried, in pixels of this photo.
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


@dataclasses.dataclass(frozen=True)
class Planes:
    """A photo and the trust in its pixels on a periodic canvas, at each scale, the finest first."""

    photos: tuple[jax.Array, ...]
    trusts: tuple[jax.Array, ...]
    largest: int


@dataclasses.dataclass(frozen=True)
class BlindEstimate:
    """A blur kernel and how it was found.

    Attributes:
        kernel: correlation kernel, `[s, s]`, at the photo's full size; one pixel for no blur.
        support: of the chosen candidate at the working size; 1 for no blur.
        energy: of the chosen candidate.
        candidates: all that were judged, no blur first, at the working size.
        noise: standard deviation of the photo's noise.
        shrunk: side of the working size over that of the photo, at most 1.
        reason: why there is no blur, or an empty string.
    """

    kernel: np.ndarray
    support: int
    energy: float
    candidates: tuple[Candidate, ...]
    noise: float
    shrunk: float
    reason: str


@typechecked
def estimate_kernel(
    photo: Image,
    *,
    transfer: Transfer = "linear",
    supports: Sequence[int] = SUPPORTS,
    progress: Progress | None = None,
) -> BlindEstimate:
    """Estimate the uniform blur kernel of a photo.

    Args:
        photo: `[h, w, 1]` or `[h, w, 3]` in [0, 1].
        transfer: from the photo's values to those in which the blur is linear; "linear" fits the
            values as they are.
        supports: odd sides of the kernels to try, in pixels of the working size, growing. Those
            above 1/2.5 of the photo's shorter side are left out.
        progress: called after each support as `progress(done, all)`.

    Raises:
        ValueError: if the photo is smaller than 32 pixels, or has values outside [0, 1] or not
            finite, or if the supports are not odd and growing.
    """
    work = working_photo(photo, transfer=transfer, supports=supports)
    noise = work.noise / work.shrunk
    if work.reason:
        still = np.ones((1, 1), np.float32)
        return BlindEstimate(still, 1, 0.0, (), noise, work.shrunk, work.reason)
    candidates = find_candidates(work, planes_of(work), progress)
    chosen = choose(candidates)
    reason = NO_BLUR if chosen.support == 1 else ""
    kernel = full_size(chosen.kernel, work.shrunk)
    return BlindEstimate(
        kernel, chosen.support, chosen.energy, tuple(candidates), noise, work.shrunk, reason
    )


def working_photo(
    photo: Array, *, transfer: Transfer = "linear", supports: Sequence[int] = SUPPORTS
) -> WorkingPhoto:
    """Return the photo at the size at which its blur is estimated; see `estimate_kernel`."""
    _check_photo(photo)
    _check_supports(supports)
    values = np.asarray(photo, np.float32)
    noise = float(noise_level(values))
    light = np.asarray(to_light(values, transfer), np.float32)
    grey = light @ np.asarray(LUMA, np.float32) if light.shape[-1] == 3 else light[..., 0]
    trusted = np.asarray(saturation_weights(values))[..., 0]
    shrunk = min(1.0, (PIXELS / grey.size) ** 0.5)
    if shrunk < 1:
        grey = smaller(grey, shrunk)
        trusted = (smaller(trusted, shrunk) > 0.9).astype(np.float32)
    tried = tuple(side for side in supports if SHORTEST * side <= min(grey.shape))
    reason = _nothing_to_see(grey, trusted, noise) or ("" if tried else TOO_SMALL)
    return WorkingPhoto(grey, trusted, noise * shrunk, shrunk, tried, reason)


def smaller(photo: np.ndarray, ratio: float) -> np.ndarray:
    """Return a photo `[h, w, ...]` shrunk by averaging."""
    size = (round(photo.shape[1] * ratio), round(photo.shape[0] * ratio))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def full_size(kernel: np.ndarray, shrunk: float) -> np.ndarray:
    """Return a kernel `[s, s]` of the working size as one of the original photo's size."""
    if shrunk == 1 or kernel.shape[0] == 1:
        return kernel
    side = odd_side(kernel.shape[0] / shrunk) + 2
    return np.asarray(resized(jnp.asarray(kernel), side, 1 / shrunk))


def planes_of(work: WorkingPhoto) -> Planes:
    """Return the photo on a canvas with room for the largest support, at all scales."""
    largest = work.supports[-1]
    height, width = work.grey.shape
    size = (canvas_side(height + largest), canvas_side(width + largest))
    trust = 1 - lay_on_canvas(1 - work.trusted, size)
    photos, trusts = pyramid(
        lay_on_canvas(work.grey, size), trust, work.extent, scales=scale_count(largest)
    )
    return Planes(photos, trusts, largest)


def find_candidates(
    work: WorkingPhoto, planes: Planes, progress: Progress | None = None
) -> list[Candidate]:
    """Return no blur and the kernels of growing supports, until larger ones gain nothing."""
    largest = planes.largest
    still = np.zeros((largest, largest), np.float32)
    still[largest // 2, largest // 2] = 1

    size = planes.photos[0].shape
    windows = windows_of((size[0], size[1]), 1)

    def judged(kernel, support: int) -> Candidate:
        whole, parts = judge(
            planes.photos[0], planes.trusts[0], work.extent, kernel, windows=windows
        )
        border = float(border_mass(kernel, support)) if support > 1 else 0.0
        return Candidate(support, in_side(kernel, support), border, whole, parts)

    candidates = [judged(still, 1)]
    for done, support in enumerate(work.supports):
        kernel = kernel_of_support(
            planes.photos, planes.trusts, support, largest=largest, noise=work.noise
        )
        candidates.append(judged(kernel, support))
        if progress is not None:
            progress(done + 1, len(work.supports))
        if settled(candidates):
            break
    return candidates


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
