"""All blurs that a photo may have, judged alike, and the choice between them.

The hypotheses are no blur, uniform kernels of several supports, the blur that a network estimates,
and kernels of the windows, refined from the best of the others. All of them are kernels of windows,
so that `judge_windows` gives them one energy.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.choice import Candidate
from deblur_jax.blind.judge import Judgement, judge_windows
from deblur_jax.blind.kernel_shape import centred_exactly, identity_kernel, in_side
from deblur_jax.blind.local_kernels import window_kernels
from deblur_jax.blind.search import REFINING, Planes, Progress, covers, search_supports
from deblur_jax.blind.trust import expectation
from deblur_jax.blind.verdict import Hypothesis, preference, probability, score
from deblur_jax.blind.window_fit import refine_windows
from deblur_jax.blind.working_photo import WorkingPhoto, full_size
from deblur_jax.ops.operators import Blur, LineBlur, UniformBlur, WindowedBlur
from deblur_jax.ops.windows import CLASSES, Windows, centres, windows_of
from deblur_jax.threads import in_order


WINDOWS = dataclasses.replace(REFINING, ridge=1.0, noisy_ridge=100.0)
TIE = 0.3  # see `refine_windows`
SATURATED = "too few pixels are away from saturated lights"

EstimateMotion = Callable[[], LineBlur]
Foresee = Callable[[Hypothesis, Windows], float]


@dataclasses.dataclass(frozen=True)
class Choice:
    """The blur that was chosen for a photo.

    Attributes:
        blur: at the photo's full size; a kernel of one pixel for no blur.
        likely: probability that the restoration is better than the photo.
        reason: why there is no blur, or an empty string.
    """

    blur: Blur
    likely: float
    reason: str


@dataclasses.dataclass(frozen=True)
class Found:
    """All judged hypotheses except no blur, and which of them is chosen.

    Attributes:
        hypotheses: with kernels at the working size; none where too few pixels could be judged.
        windows: of their kernels.
        chosen: number of the chosen hypothesis.
    """

    hypotheses: list[Hypothesis]
    windows: Windows
    chosen: int = 0


def choose_blur(
    work: WorkingPhoto,
    estimate_motion: EstimateMotion | None = None,
    foresee: Foresee | None = None,
    progress: Progress | None = None,
) -> Choice:
    """Return the most likely blur of a photo.

    Args:
        work: the photo, from `working_photo`.
        estimate_motion: see `find_hypotheses`.
        foresee: see `find_hypotheses`.
        progress: called as `progress(done, all)` as hypotheses are found.
    """
    if work.reason:
        return Choice(UniformBlur(jnp.ones((1, 1))), 0.0, work.reason)
    found = find_hypotheses(work, estimate_motion, foresee, progress)
    if not found.hypotheses:
        return Choice(UniformBlur(jnp.ones((1, 1))), 0.0, SATURATED)
    chosen = found.hypotheses[found.chosen]
    likely = probability(score(chosen, work.noise / work.shrunk))
    return Choice(blur_of(chosen, found.windows, work), likely, "")


def find_hypotheses(
    work: WorkingPhoto,
    estimate_motion: EstimateMotion | None = None,
    foresee: Foresee | None = None,
    progress: Progress | None = None,
) -> Found:
    """Return all judged hypotheses except no blur, and the choice between them.

    The best of the uniform kernels and the network's motion is refined window by window.

    Args:
        work: the photo, from `working_photo`.
        estimate_motion: returns the motion that a network estimates, at the working size. It runs
            beside the search for kernels.
        foresee: returns how much of the photo the restoration by a hypothesis changes where it is
            trusted, called with it and its windows. The hypothesis of the highest `expectation` is
            chosen. If None, that of the highest `preference` is.
        progress: called as `progress(done, all)` as hypotheses are found.
    """
    steps, noise = len(work.supports) + 2, work.noise / work.shrunk
    report = progress or (lambda done, steps: None)

    def search() -> tuple[Planes, list[Candidate]]:
        return search_supports(work, lambda done, _: report(done, steps))

    (planes, (none, *uniform)), network = in_order(
        lambda find: find(), (search, estimate_motion or (lambda: None))
    )
    longest = max((c.support for c in uniform), default=1)
    if network is not None:
        longest = max(longest, int(np.percentile(np.linalg.norm(network.flow, axis=-1), 95)) + 3)
    side = next((c[0] for c in CLASSES if c[0] >= longest), CLASSES[-1][0])
    hypotheses = [
        Hypothesis(
            "uniform", in_side(c.kernel, side)[None], c.whole, c.parts, none.whole, none.parts,
            c.border,
        )
        for c in uniform
    ]  # fmt: skip
    size = planes.photos[0].shape
    windows = windows_of((size[0], size[1]), side)

    def value(hypothesis: Hypothesis) -> float:
        if foresee is None:
            return preference(hypothesis, noise)
        explained = probability(score(hypothesis, noise))
        return expectation(hypothesis.name, explained, foresee(hypothesis, windows))

    if windows.number == 1:
        return Found(hypotheses, windows, _best(list(in_order(value, hypotheses))))

    bare = windows_of(windows.canvas, side, ramp=0)
    known = (planes.photos[0], planes.trusts[0])
    still = np.broadcast_to(identity_kernel(side), (windows.number, side, side))

    def judged(kernels: np.ndarray) -> tuple[Judgement, Judgement]:
        return jax.block_until_ready(judge_windows(*known, work.extent, kernels, windows=bare))

    given = [still]
    if network is not None:
        size = (work.grey.shape[0], work.grey.shape[1])
        drawn = window_kernels(network.limited(side - 3), size, windows, side)
        given.append(np.asarray(drawn))
    none, *seen = in_order(judged, given)

    def add(name: str, kernels: np.ndarray, found: tuple[Judgement, Judgement]) -> None:
        if covers(found[0], none[0]):
            hypotheses.append(Hypothesis(name, kernels, *found, *none))

    for kernels, found in zip(given[1:], seen, strict=True):
        add("network", kernels, found)
    if not hypotheses:
        return Found([], windows)
    values = list(in_order(value, hypotheses))
    start = hypotheses[_best(values)]
    report(steps - 1, steps)
    kernels = np.broadcast_to(start.kernels, (windows.number, side, side))
    weights, ridge = WINDOWS.weights(0, work.noise), WINDOWS.ridge_for(work.noise)
    refined = refine_windows(
        *known, kernels, np.int32(side), weights, ridge, np.float32(WINDOWS.piece), np.float32(TIE),
        windows=bare,
    )  # fmt: skip
    kernels = np.asarray(refined)
    before = len(hypotheses)
    add("windows", kernels, judged(kernels))
    values += in_order(value, hypotheses[before:])
    report(steps, steps)
    return Found(hypotheses, windows, _best(values))


def _best(values: Sequence[float]) -> int:
    """Return the number of the highest value, 0 if there is none."""
    return int(np.argmax(values)) if values else 0


def blur_of(hypothesis: Hypothesis, windows: Windows, work: WorkingPhoto) -> Blur:
    """Return the operator of a hypothesis for the photo at its full size."""
    kernels = [
        full_size(centred_exactly(kernel), work.shrunk)
        for kernel in _without_margin(hypothesis.kernels)
    ]
    if len(kernels) == 1:
        return UniformBlur(jnp.asarray(kernels[0]))
    rows, columns = (jnp.asarray(c / work.shrunk, jnp.float32) for c in centres(windows))
    lattice = jnp.asarray(np.stack(kernels)).reshape(*windows.counts, *kernels[0].shape)
    return WindowedBlur(lattice, rows, columns)


def _without_margin(kernels: np.ndarray) -> np.ndarray:
    """Return kernels `[n, s, s]` without the zeros around all of them."""
    rows, columns = np.nonzero(kernels.max(0) > 0)
    middle = kernels.shape[-1] // 2
    reach = int(max(np.abs(rows - middle).max(), np.abs(columns - middle).max(), 1))
    return in_side(kernels, 2 * reach + 1)
