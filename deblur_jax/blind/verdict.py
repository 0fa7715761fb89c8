"""Which of several blurs does a photo have, and is the restoration better than the photo?

Features compare a hypothesis with no blur, and two weighted sums of them answer the two questions:
the hypothesis with the highest `preference` is chosen, and the logistic function of its `score` is
the probability that its restoration is better than the photo. The weights are those of logistic
regressions on simulated photos (`python -m experiments.blind.fit`).
"""

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np

from deblur_jax.blind.judge import Judgement


WEIGHTS = Path(__file__).with_name("verdict.json")
LIKELY = 0.92  # probability from which a restoration is written
CERTAIN = 0.95  # probability from which it is written at full strength
NAMES = (
    "constant", "energy", "ratio", "misfit", "cells", "sharper_cells", "spread", "border", "pieces",
    "noise", "sharpness", "texture", "network", "windows",
)  # fmt: skip
LEAST_MISFIT = 1e-6  # below which misfits are equal
BLUR_RATIO = 0.4  # typical ratio of norms of a blurred photo
TYPICAL_ENERGY = 6e-4


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """A blur that a photo may have, and how it and no blur explain the photo.

    Attributes:
        name: "uniform", "network" or "windows".
        kernels: one correlation kernel for each window, `[n, s, s]`, or one for all, `[1, s, s]`.
        whole: judgement of the whole photo.
        parts: judgement of each cell.
        none: judgement of the whole photo without blur, by the same function.
        none_parts: that of each cell.
        border: share of the kernel on the border of its support.
    """

    name: str
    kernels: np.ndarray
    whole: Judgement
    parts: Judgement
    none: Judgement
    none_parts: Judgement
    border: float = 0.0


def features(found: Hypothesis, noise: float) -> np.ndarray:
    """Return what preference and score are computed from, in the order of `NAMES`.

    Args:
        found: the hypothesis.
        noise: standard deviation of the photo's noise.
    """
    whole, none = found.whole, found.none
    pixels = np.asarray(found.parts.pixels)
    share = pixels / max(pixels.sum(), 1)
    mean = found.kernels.mean(0)
    return np.asarray([
        1.0,
        10 * np.log(float(whole.energy / none.energy)),
        4 * np.log(float(whole.ratio / none.ratio)),
        np.log((float(whole.misfit) + LEAST_MISFIT) / (float(none.misfit) + LEAST_MISFIT)),
        share[np.asarray(found.parts.energy < found.none_parts.energy)].sum(),
        share[np.asarray(found.parts.ratio < found.none_parts.ratio)].sum(),
        np.log1p(spread(mean)),
        np.log1p(100 * found.border),
        np.log(np.count_nonzero(mean > 0.05 * mean.max())),
        np.log(noise + 1e-3) + 5,
        4 * np.log(float(none.ratio) / BLUR_RATIO),
        2 * np.log(float(none.energy) / TYPICAL_ENERGY),
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


def preference(found: Hypothesis, noise: float) -> float:
    """Return what hypotheses of one photo are compared by; higher is better."""
    return float(features(found, noise) @ np.asarray(shipped_weights("choice")))


def score(found: Hypothesis, noise: float) -> float:
    """Return the log odds that the restoration by a hypothesis is better than the photo."""
    return float(features(found, noise) @ np.asarray(shipped_weights("weights")))


@functools.cache
def shipped_weights(group: str) -> tuple[float, ...]:
    """Return the weights of the features, in the order of `NAMES`.

    Args:
        group: "choice" for those of `preference`, "weights" for those of `score`.
    """
    weights = json.loads(WEIGHTS.read_text())[group]
    return tuple(weights.get(name, 0.0) for name in NAMES)


def probability(score: float) -> float:
    """Return the probability that a restoration is better than the photo."""
    return float(1 / (1 + np.exp(-score)))
