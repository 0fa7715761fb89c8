"""How far a restoration can be trusted: place by place, and as a whole.

A network compares the restoration with the photo (`models.trust`). How much of the photo the
trusted part of the restoration changes, and how well the blur explains the photo, together make the
probability that the result is better than the photo.
"""

import functools
import json
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.verdict import WEIGHTS, probability
from deblur_jax.blind.working_photo import smaller
from deblur_jax.ops.periodic import canvas_side


SURE = 1e-3  # odds beyond this probability count no more
TERMS = ("constant", "explained", "change")
POWER = 0.25  # of the trusted change: best on 135 simulated photos, held out
NETWORK = 1.3  # factor for a network's motion: best on 137 simulated training photos
LEAST_CHANGE = 1e-7  # squared error below which changes are equal


def trust_map(
    model: Any,
    variables: Any,
    photo: np.ndarray,
    restored: np.ndarray,
    residual: np.ndarray,
    *,
    ratio: float = 1.0,
) -> np.ndarray:
    """Return the share of the restoration that each pixel should get, `[h, w, 1]` in [0, 1].

    Args:
        model: a `TrustNet`.
        variables: its parameters.
        photo: `[h, w, 3]` in [0, 1].
        restored: its restoration, `[h, w, 3]`.
        residual: the restoration blurred again, minus the photo, `[h, w, 3]`.
        ratio: at most 1; the network sees the pictures shrunk by it.
    """
    size = photo.shape[:2]
    pictures = (photo, restored, residual)
    if ratio < 1:
        pictures = tuple(smaller(each, ratio) for each in pictures)
    height, width, _ = pictures[0].shape
    gaps = ((0, canvas_side(height) - height), (0, canvas_side(width) - width), (0, 0))
    canvases = [np.pad(each, gaps, mode="reflect")[None] for each in pictures]
    trust = np.asarray(_apply(model, variables, *canvases))[0, :height, :width]
    return cv2.resize(trust, size[::-1])[..., None] if ratio < 1 else trust[..., None]


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


def expectation(name: str, explained: float, change: float) -> float:
    """Return what restorations of one photo are compared by; higher is better.

    Args:
        name: of the hypothesis.
        explained: probability by how well the blur explains the photo, see `verdict`.
        change: from `trusted_change`.
    """
    return (NETWORK if name == "network" else 1.0) * explained * change**POWER


def terms(explained: float, change: float) -> np.ndarray:
    """Return what the log odds of the verdict are a weighted sum of, in the order of `TERMS`.

    Args:
        explained: probability by how well the blur explains the photo, see `verdict`.
        change: from `trusted_change`.
    """
    share = np.clip(explained, SURE, 1 - SURE)
    return np.asarray([1.0, np.log(share / (1 - share)), np.log(change + LEAST_CHANGE)])


def likely_better(explained: float, change: float) -> float:
    """Return the probability that the photo with its trusted restoration is better than without.

    Args:
        explained: probability by how well the blur explains the photo, see `verdict`.
        change: from `trusted_change`.
    """
    return probability(float(terms(explained, change) @ np.asarray(_shipped_weights())))


@functools.cache
def _shipped_weights() -> tuple[float, ...]:
    weights = json.loads(WEIGHTS.read_text())["restoration"]
    return tuple(weights[name] for name in TERMS)
