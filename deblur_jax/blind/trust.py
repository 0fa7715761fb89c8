"""How far a restoration can be trusted: place by place, and as a whole.

A network compares the restoration with the photo (`models.trust`). The share of the restoration
that it trusts and how well the blur explains the photo together make the probability that the
result is better than the photo.
"""

import functools
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.verdict import WEIGHTS, probability
from deblur_jax.ops.periodic import canvas_side


SURE = 1e-3  # odds beyond this probability count no more
TERMS = ("constant", "explained", "trust")
WORTH_TERMS = ("explained", "change", "trust", "network", "windows")
LEAST_CHANGE = 1e-7  # squared error below which changes are equal


def trust_map(
    model: Any, variables: Any, photo: np.ndarray, restored: np.ndarray, residual: np.ndarray
) -> np.ndarray:
    """Return the share of the restoration that each pixel should get, `[h, w, 1]` in [0, 1].

    Args:
        model: a `TrustNet`.
        variables: its parameters.
        photo: `[h, w, 3]` in [0, 1].
        restored: its restoration, `[h, w, 3]`.
        residual: the restoration blurred again, minus the photo, `[h, w, 3]`.
    """
    height, width, _ = photo.shape
    gaps = ((0, canvas_side(height) - height), (0, canvas_side(width) - width), (0, 0))
    canvases = [np.pad(each, gaps, mode="reflect")[None] for each in (photo, restored, residual)]
    return np.asarray(_apply(model, variables, *canvases))[0, :height, :width, None]


@functools.partial(jax.jit, static_argnums=0)
def _apply(model: Any, variables: Any, *pictures: jax.Array) -> jax.Array:
    return model.apply(variables, *(jnp.asarray(each, jnp.float32) for each in pictures))


def trusted_change(trust: np.ndarray, photo: np.ndarray, restored: np.ndarray) -> float:
    """Return the mean square of what the trusted part of a restoration changes.

    Args:
        trust: `[h, w, 1]`.
        photo: `[h, w, 3]`.
        restored: `[h, w, 3]`.
    """
    return float(np.mean(np.square(trust * (restored - photo)), dtype=np.float32))


def mean_trust(trust: np.ndarray, photo: np.ndarray, restored: np.ndarray) -> float:
    """Return the mean share, each pixel weighted by how much the restoration changes it.

    Args:
        trust: `[h, w, 1]`.
        photo: `[h, w, 3]`.
        restored: `[h, w, 3]`.
    """
    change = np.mean(np.square(restored - photo), axis=-1, keepdims=True, dtype=np.float32)
    return float(np.sum(trust * change) / max(np.sum(change), 1e-9))


def worth_terms(name: str, explained: float, change: float, trust: float) -> np.ndarray:
    """Return what a restoration's worth is a weighted sum of, in the order of `WORTH_TERMS`.

    Args:
        name: of the hypothesis: "uniform", "network" or "windows".
        explained: probability by how well the blur explains the photo, see `verdict`.
        change: from `trusted_change`.
        trust: from `mean_trust`.
    """
    return np.asarray([
        np.log(max(explained, SURE)),
        np.log(change + LEAST_CHANGE),
        _log_odds(trust),
        name == "network",
        name == "windows",
    ])  # fmt: skip


def worth(name: str, explained: float, change: float, trust: float) -> float:
    """Return what restorations of one photo are compared by; higher is better.

    Args: see `worth_terms`.
    """
    weights = _shipped_weights("worth", WORTH_TERMS)
    return float(worth_terms(name, explained, change, trust) @ np.asarray(weights))


def _log_odds(share: float) -> float:
    share = min(max(share, SURE), 1 - SURE)
    return float(np.log(share / (1 - share)))


def terms(explained: float, trust: float) -> np.ndarray:
    """Return what the log odds of the verdict are a weighted sum of, in the order of `TERMS`.

    Args:
        explained: probability by how well the blur explains the photo, see `verdict`.
        trust: from `mean_trust`.
    """
    return np.asarray([1.0, _log_odds(explained), _log_odds(trust)])


def likely_better(explained: float, trust: float) -> float:
    """Return the probability that the photo with its trusted restoration is better than without.

    Args:
        explained: probability by how well the blur explains the photo, see `verdict`.
        trust: from `mean_trust`.
    """
    weights = _shipped_weights("restoration", TERMS)
    return probability(float(terms(explained, trust) @ np.asarray(weights)))


@functools.cache
def _shipped_weights(group: str, names: tuple[str, ...]) -> tuple[float, ...]:
    weights = json.loads(WEIGHTS.read_text())[group]
    return tuple(weights.get(name, 0.0) for name in names)
