"""A uniform blur kernel from one photo: found by `search`, chosen by `choice`."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from deblur_jax.blind.choice import Candidate, choose
from deblur_jax.blind.kernel_shape import identity_kernel
from deblur_jax.blind.search import Progress, search_supports
from deblur_jax.blind.working_photo import SUPPORTS, full_size, working_photo
from deblur_jax.ops.sensor import Transfer
from deblur_jax.typing import Image, typechecked


NO_BLUR = "no blur explains the photo as well as any kernel"


@dataclasses.dataclass(frozen=True)
class BlindEstimate:
    """A blur kernel and how it was found.

    Attributes:
        kernel: correlation kernel, `[s, s]`, at the photo's full size; one pixel for no blur.
        support: of the chosen candidate at the working size; 1 for no blur.
        energy: of the chosen candidate.
        candidates: no blur and the best kernels, at the working size.
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
        supports: odd sides of the kernels to try, growing, in pixels of the size at which they
            are tried. Those above 1/2.5 of the photo's shorter side there are left out.
        progress: called after each support as `progress(done, all)`.

    Raises:
        ValueError: if the photo is smaller than 32 pixels, or has values outside [0, 1] or not
            finite, or if the supports are not odd and growing.
    """
    work = working_photo(photo, transfer=transfer, supports=supports)
    noise = work.noise / work.shrunk
    if work.reason:
        return BlindEstimate(identity_kernel(1), 1, 0.0, (), noise, work.shrunk, work.reason)
    _, candidates = search_supports(work, progress)
    chosen = choose(candidates)
    reason = NO_BLUR if chosen.support == 1 else ""
    kernel = full_size(chosen.kernel, work.shrunk)
    return BlindEstimate(
        kernel, chosen.support, chosen.energy, tuple(candidates), noise, work.shrunk, reason
    )
