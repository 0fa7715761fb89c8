"""The choice between kernels of several supports and no blur."""

import dataclasses
from collections.abc import Sequence

import numpy as np


CLOSE = 1.02  # energies within this factor of the least are equal
SHARPER = 0.97  # a larger support must lower the ratio of norms to this share to be taken
TRUNCATED = 0.02  # share of a kernel on the border of its support that calls for a larger one
HOPELESS = 1.05  # energies above this multiple of the least count as failures
FAILURES = 2  # in a row, after which larger supports are not tried


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A kernel and how it explains the photo.

    Attributes:
        support: side of the square that the kernel was estimated on; 1 for no blur.
        kernel: correlation kernel, `[s, s]`.
        energy: the energy of `judge`.
        ratio: L1 over L2 norm of the latent gradients; lower is sharper.
        border: share of the kernel on the border of its support.
    """

    support: int
    kernel: np.ndarray
    energy: float
    ratio: float
    border: float


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate to be used.

    An energy not below that of no blur rules a kernel out, and so does a truncated kernel if a
    larger support is left. Among the energies within 2 % of the least, the lowest ratio of norms
    decides; the smallest support within 3 % of that ratio is taken.

    Args:
        candidates: no blur first, then in the order of their supports.
    """
    still = candidates[0]
    able = [still] + [c for c in candidates[1:] if c.energy < still.energy]
    able = [
        c
        for index, c in enumerate(able)
        if c.border <= TRUNCATED or index == len(able) - 1 or all(
            later.energy > HOPELESS * c.energy for later in able[index + 1 :]
        )
    ]
    least = min(c.energy for c in able)
    close = [c for c in able if c.energy <= CLOSE * least]
    lowest = min(c.ratio for c in close)
    return next(c for c in close if SHARPER * c.ratio <= lowest)


def hopeless(candidates: Sequence[Candidate]) -> bool:
    """Return whether larger supports than those of `candidates` need not be tried."""
    least = min(c.energy for c in candidates)
    last = candidates[1:][-FAILURES:]
    return len(last) == FAILURES and all(c.energy > HOPELESS * least for c in last)
