"""Scores on the photos of Levin et al. 2009: whatever was restored may be shifted a little."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import shift

from deblur_jax.ops.sensor import quantize


FARTHEST = 5  # pixels that the photos are shifted
INNER = 25  # pixels at each edge that are not scored


def crop(image: Any, border: int) -> Any:
    """Returns an image without its border."""
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def shifted_onto(image: np.ndarray, sharp: np.ndarray) -> jax.Array:
    """Returns a grey image, shifted to where its error is least, by eighths of a pixel."""
    truth = crop(sharp, INNER)[..., 0]

    def moved(offset: np.ndarray) -> np.ndarray:
        order = 3 if np.any(offset % 1) else 0
        return shift(image[..., 0], offset, order=order, mode="nearest")

    best = np.zeros(2)
    for reach, step in ((FARTHEST, 1.0), (1, 0.5), (1, 0.25), (1, 0.125)):
        steps = step * np.arange(-reach, reach + 1)
        tried = [best + np.asarray(offset) for offset in itertools.product(steps, steps)]
        errors = [np.mean((crop(moved(offset), INNER) - truth) ** 2) for offset in tried]
        best = tried[int(np.argmin(errors))]
    return quantize(jnp.asarray(moved(best), jnp.float32))[..., None]
