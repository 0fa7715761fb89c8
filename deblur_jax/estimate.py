"""Which blur does a photo have? Arrays only."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.estimate import estimate_kernel
from deblur_jax.models.blur_estimate import SMALLEST_SIDE, BlurEstimate
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.pretrained import Pretrained, load
from deblur_jax.typing import Array, Image, typechecked


BLIND = "blind"


@dataclasses.dataclass(frozen=True)
class BlindEstimator:
    """Estimates one kernel for the whole photo by optimisation, with the method of the networks."""

    def estimate_blur(self, variables: Any, photo: Array) -> BlurEstimate:
        """Returns the estimated kernel of a photo `[h, w, 3]` as a `UniformBlur`."""
        del variables
        found = estimate_kernel(np.asarray(photo, np.float32))
        return BlurEstimate(UniformBlur(jnp.asarray(found.kernel)), reason=found.reason)


def find_estimator(model: str | Pretrained) -> Pretrained:
    """Returns what a name stands for: "blind", shipped weights, or a `.safetensors` file."""
    if not isinstance(model, str):
        return model
    return Pretrained(BLIND, BlindEstimator(), {}, {}) if model == BLIND else load(model)


def estimate_blur(photo: Array, model: str | Pretrained) -> BlurEstimate:
    """Estimates the blur of a photo.

    Args:
        photo: `[h, w, 3]` in [0, 1], display values.
        model: "blind" for one kernel found by optimisation; or a network that estimates motion or
            kernels: a name or path for `pretrained.load`, or a loaded network.

    Returns:
        The blur and the options of `restore` that belong to it.

    Raises:
        TypeError: if `photo` is not a float array `[h, w, c]`.
        ValueError: if the photo cannot be restored (see `check_photo`), or the network does not
            estimate blur.

    Example:
        >>> from skimage import data
        >>> photo = data.astronaut()[:64, :80].astype(np.float32) / 255
        >>> estimate_blur(photo, "motion-context").blur.flow.shape
        (64, 80, 2)
    """
    check_photo(photo, "estimate_blur: photo")
    network = find_estimator(model)
    if not hasattr(network.model, "estimate_blur"):
        raise ValueError(
            f"{network.name} holds a {type(network.model).__name__}, expected a network that "
            "estimates blur; use deblur_video for one that restores directly"
        )
    return network.model.estimate_blur(network.variables, jnp.asarray(photo))


@typechecked
def check_photo(photo: Image, name: str) -> None:
    """Raises an error that calls the photo `name` unless it can be restored.

    Args:
        photo: `[h, w, c]`.
        name: for the message.

    Raises:
        TypeError: if `photo` is not a float array `[h, w, c]`.
        ValueError: if it does not have 3 channels, is smaller than 32 pixels a side, or holds
            values that are not finite or outside [0, 1].
    """
    height, width, channels = photo.shape
    if channels != 3:
        raise ValueError(
            f"{name} must have 3 channels, got {channels}; repeat a grey one, drop alpha"
        )
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"{name} must have at least {SMALLEST_SIDE} pixels a side, got {width}x{height}; "
            "its blur cannot be estimated from so few pixels"
        )
    lowest, highest = float(np.min(photo)), float(np.max(photo))
    if not (lowest >= 0 and highest <= 1):
        raise ValueError(
            f"{name} must be finite and in [0, 1], got values from {lowest:g} to "
            f"{highest:g}; scale or clip it first"
        )
