"""The choice between kernels of several supports and no blur.

Every candidate has one score, `energy * ratio**SHARPNESS`, and the lowest one wins: the energy
decides, and where energies agree, the ratio of norms does. A larger support is taken only if it
lowers the score by a per cent.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from deblur_jax.blind.judge import Judgement


SHARPNESS = 0.15  # exponent of the ratio of norms
CLOSE = 1.01  # scores within this factor are equal, and the smaller support wins
TRUNCATED = 0.02  # share of a kernel on the border of its support that calls for a larger one
HOPELESS = 1.05  # a truncated kernel is kept only if all larger ones score worse by this factor
FAILURES = 2  # supports in a row that do not lower the score, after which none is tried


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A kernel and how it explains the photo.

    Attributes:
        support: side of the square that the kernel was estimated on; 1 for no blur.
        kernel: correlation kernel, `[s, s]`.
        border: share of the kernel on the border of its support.
        whole: how it explains the photo.
        parts: how it explains each cell, `[n]`.
    """

    support: int
    kernel: np.ndarray
    border: float
    whole: Judgement
    parts: Judgement

    @property
    def energy(self) -> float:
        """The energy of `judge`."""
        return float(self.whole.energy)

    @property
    def ratio(self) -> float:
        """L1 over L2 norm of the latent gradients; lower is sharper."""
        return float(self.whole.ratio)

    @property
    def score(self) -> float:
        """What the choice is by; lower is better."""
        return self.energy * self.ratio**SHARPNESS


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate to be used.

    Args:
        candidates: no blur first, then in the order of their supports.
    """
    able = [c for index, c in enumerate(candidates) if not _cut_off(c, candidates[index + 1 :])]
    least = min(c.score for c in able)
    return next(c for c in able if c.score <= CLOSE * least)


def settled(candidates: Sequence[Candidate]) -> bool:
    """Return whether larger supports than those of `candidates` need not be tried.

    That is so after two supports in a row that were not truncated and did not lower the score at
    all: long blurs often lower it little by little.
    """
    if len(candidates) <= FAILURES:
        return False
    before, last = candidates[:-FAILURES], candidates[-FAILURES:]
    best = min(c.score for c in before)
    return all(c.border <= TRUNCATED and c.score >= best for c in last)


def _cut_off(candidate: Candidate, larger: Sequence[Candidate]) -> bool:
    """Return whether a kernel is truncated and a larger support explains the photo as well."""
    if candidate.border <= TRUNCATED:
        return False
    return any(c.score <= HOPELESS * candidate.score for c in larger)
