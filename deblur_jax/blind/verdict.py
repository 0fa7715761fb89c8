"""Which of several blurs does a photo have, and is the restoration better than the photo?

Every hypothesis has one score, a weighted sum of features that compare it with no blur, whose score
is zero. The hypothesis with the highest score is chosen, and the logistic function of its score is
the probability that its restoration is better than the photo. The weights are those of a logistic
regression on simulated photos (`python -m experiments.blind.fit`).
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


WEIGHTS = Path(__file__).with_name("verdict.json")
LIKELY = 0.7  # probability from which a restoration is written
CERTAIN = 0.9  # probability from which it is written at full strength
NAMES = (
    "constant", "energy", "ratio", "misfit", "cells", "sharper_cells", "spread", "border", "pieces",
    "noise", "sharpness", "texture", "network", "windows",
)  # fmt: skip
LEAST_MISFIT = 1e-6  # below which misfits are equal
BLUR_RATIO = 0.4  # typical ratio of norms of a blurred photo
TYPICAL_ENERGY = 6e-4


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """A blur that a photo may have, and how it explains the photo.

    Attributes:
        name: "none", "uniform", "network" or "windows".
        kernels: one correlation kernel for each window, `[n, s, s]`, or one for all, `[1, s, s]`.
        energy: of `judge`, of the whole photo.
        misfit: of the whole photo.
        ratio: of the whole photo.
        energies: energy of each window, `[n]`.
        ratios: ratio of each window, `[n]`.
        pixels: judged pixels of each window, `[n]`.
        border: share of the kernel on the border of its support.
    """

    name: str
    kernels: np.ndarray
    energy: float
    misfit: float
    ratio: float
    energies: np.ndarray
    ratios: np.ndarray
    pixels: np.ndarray
    border: float = 0.0


def features(found: Hypothesis, none: Hypothesis, noise: float) -> np.ndarray:
    """Return what the score of a hypothesis is computed from, in the order of `NAMES`.

    Args:
        found: the hypothesis.
        none: no blur.
        noise: standard deviation of the photo's noise.
    """
    share = found.pixels / max(found.pixels.sum(), 1)
    mean = found.kernels.mean(0)
    return np.asarray([
        1.0,
        10 * np.log(found.energy / none.energy),
        4 * np.log(found.ratio / none.ratio),
        np.log((found.misfit + LEAST_MISFIT) / (none.misfit + LEAST_MISFIT)),
        share[found.energies < none.energies].sum(),
        share[found.ratios < none.ratios].sum(),
        np.log1p(spread(mean)),
        np.log1p(100 * found.border),
        np.log(np.count_nonzero(mean > 0.05 * mean.max())),
        np.log(noise + 1e-3) + 5,
        4 * np.log(none.ratio / BLUR_RATIO),
        2 * np.log(none.energy / TYPICAL_ENERGY),
        found.name == "network",
        found.name == "windows",
    ])  # fmt: skip


def spread(kernel: np.ndarray) -> float:
    """Return the root mean square distance of a kernel from its centre of mass, in pixels."""
    place = np.indices(kernel.shape)
    total = max(kernel.sum(), 1e-12)
    middle = (place * kernel).sum((1, 2)) / total
    square = np.square(place - middle[:, None, None]).sum(0)
    return float(np.sqrt((square * kernel).sum() / total))


def scores(hypotheses: Sequence[Hypothesis], noise: float) -> list[float]:
    """Return the score of each hypothesis, of which the first is no blur."""
    none, *others = hypotheses
    weights = np.asarray(json.loads(WEIGHTS.read_text())["weights"])
    return [0.0, *(float(features(each, none, noise) @ weights) for each in others)]


def probability(score: float) -> float:
    """Return the probability that a restoration is better than the photo."""
    return float(1 / (1 + np.exp(-score)))
