"""The search for the support of a uniform kernel.

Kernels of growing support are estimated from coarse to fine at a size at which that is cheap, and
each is judged by the same energy as no blur. The best of them are refined at the working size.
Every array has a size from a short list, so that the second photo of a similar size compiles
nothing.
"""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from deblur_jax.blind.choice import Candidate, settled
from deblur_jax.blind.coarse_to_fine import (
    SCHEDULE,
    kernel_of_support,
    odd_side,
    pyramid,
    scale_count,
)
from deblur_jax.blind.judge import Judgement, judge
from deblur_jax.blind.kernel_shape import border_mass, identity_kernel, in_side, resized
from deblur_jax.blind.restoration import padded_side
from deblur_jax.blind.scales import refine_at_scale
from deblur_jax.blind.working_photo import WorkingPhoto, reduced
from deblur_jax.ops.periodic import canvas_side, lay_on_canvas
from deblur_jax.ops.windows import windows_of
from deblur_jax.threads import in_order
from deblur_jax.typing import Array


SEARCHED = 160_000  # pixels: supports are tried on a photo shrunk to about this
STEP = 2.0  # the photo grows by this factor, in pixels, between refinements
SMALL = 43  # pixels: supports up to this are estimated on a smaller canvas
COMPARED = 3  # kernels of the lowest scores that are refined and compared with other hypotheses
COVERED = 0.25  # least share of the pixels that a kernel must be judged on
# Of the rounds that refine a kernel which is nearly right.
REFINING = dataclasses.replace(SCHEDULE, rounds=4, strongest=4e-4)

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Planes:
    """A photo and the trust in its pixels on a periodic canvas, at each scale, the finest first."""

    photos: tuple[jax.Array, ...]
    trusts: tuple[jax.Array, ...]
    largest: int


def search_supports(
    work: WorkingPhoto, progress: Progress | None = None
) -> tuple[Planes, list[Candidate]]:
    """Return the photo on its canvas, no blur, and the best kernels in the order of their supports.

    Args:
        work: the photo, from `working_photo`.
        progress: called after each support as `progress(done, all)`.
    """
    small = reduced(work, SEARCHED)
    if not small.supports:  # too narrow at that size
        small = work
    largest = small.supports[-1]
    planes = planes_of(small, scale_count(largest), largest)
    none, *candidates = find_candidates(small, planes, progress)
    best = sorted(candidates, key=lambda each: each.score)[:COMPARED]
    best.sort(key=lambda each: each.support)
    while small.grey.size < work.grey.size:
        larger = work
        if STEP * STEP**0.5 * small.grey.size < work.grey.size:
            larger = reduced(work, round(STEP * small.grey.size))
        planes, (none, *best) = refine_candidates(
            best, larger.grey.shape[0] / small.grey.shape[0], larger
        )
        small = larger
    return planes, [none, *best]


def planes_of(work: WorkingPhoto, scales: int, largest: int) -> Planes:
    """Return the photo on a canvas with room for kernels of a side `largest`, at all scales."""
    height, width = work.grey.shape
    size = (canvas_side(height + largest), canvas_side(width + largest))
    trust = 1 - lay_on_canvas(1 - work.trusted, size)
    photos, trusts = pyramid(lay_on_canvas(work.grey, size), trust, work.extent, scales=scales)
    return Planes(photos, trusts, largest)


def find_candidates(
    work: WorkingPhoto, planes: Planes, progress: Progress | None = None
) -> list[Candidate]:
    """Return no blur and the kernels of growing supports, until larger ones gain nothing.

    Args:
        work: the photo.
        planes: the same on a canvas with room for the largest support, on which all are judged.
            Small supports are estimated on a smaller canvas.
        progress: called after each support as `progress(done, all)`.
    """
    candidates = [no_blur(work, planes)]
    cramped = planes
    if min(work.supports) <= SMALL < planes.largest:
        cramped = planes_of(work, scale_count(SMALL), SMALL)

    def find(support: int) -> Candidate:
        room = cramped if support <= cramped.largest else planes
        kernel = kernel_of_support(
            room.photos, room.trusts, support, largest=room.largest, noise=work.noise
        )
        return judged(work, planes, in_side(kernel, planes.largest), support)

    for done, found in enumerate(in_order(find, work.supports)):
        if covers(found.whole, candidates[0].whole):
            candidates.append(found)
        if progress is not None:
            progress(done + 1, len(work.supports))
        if settled(candidates):
            break
    return candidates


def refine_candidates(
    candidates: list[Candidate], enlargement: float, work: WorkingPhoto
) -> tuple[Planes, list[Candidate]]:
    """Return the photo on its canvas, no blur, and kernels of a smaller photo brought to its size.

    Args:
        candidates: from `find_candidates` for the smaller photo.
        enlargement: side of the photo over that of the smaller one.
        work: the photo.
    """
    supports = [odd_side(enlargement * each.support) for each in candidates]
    largest = padded_side(max(supports, default=1))
    planes = planes_of(work, 1, largest)
    weights, ridge = REFINING.weights(0, work.noise), REFINING.ridge_for(work.noise)

    def refine(each: Candidate, support: int) -> Candidate:
        kernel = refine_at_scale(
            planes.photos[0], planes.trusts[0],
            resized(each.kernel, largest, enlargement),
            np.int32(support), weights, ridge, np.float32(REFINING.last_piece),
        )  # fmt: skip
        return judged(work, planes, kernel, support)

    none = no_blur(work, planes)
    refined = in_order(refine, candidates, supports)
    return planes, [none, *(each for each in refined if covers(each.whole, none.whole))]


def covers(found: Judgement, none: Judgement) -> bool:
    """Return whether a blur is judged on enough of the pixels that no blur is judged on.

    A pixel is left out where a kernel reaches a saturated one.
    """
    return float(found.pixels) >= COVERED * float(none.pixels)


def no_blur(work: WorkingPhoto, planes: Planes) -> Candidate:
    """Return the candidate that leaves the photo as it is."""
    return judged(work, planes, identity_kernel(planes.largest), 1)


def judged(work: WorkingPhoto, planes: Planes, kernel: Array, support: int) -> Candidate:
    """Return a kernel `[largest, largest]` with its energy."""
    size = planes.photos[0].shape
    windows = windows_of((size[0], size[1]), 1)
    whole, parts = judge(planes.photos[0], planes.trusts[0], work.extent, kernel, windows=windows)
    border = border_mass(kernel, support) if support > 1 else 0.0
    return Candidate(support, in_side(kernel, support), border, whole, parts)
