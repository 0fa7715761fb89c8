"""Which blur does a photo have? Arrays only."""

import dataclasses
import functools
from typing import Any

import cv2
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.hypotheses import blur_of, choose_blur
from deblur_jax.blind.multiscale import restore_multiscale
from deblur_jax.blind.search import Progress
from deblur_jax.blind.trust import trust_map, trusted_change
from deblur_jax.blind.verdict import Hypothesis
from deblur_jax.blind.working_photo import WorkingPhoto, smaller, working_photo
from deblur_jax.models.blocks import SMALLEST_SIDE
from deblur_jax.models.blur_estimate import BlurEstimate
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import Transfer
from deblur_jax.ops.windows import Windows
from deblur_jax.pretrained import DEFAULT, Pretrained, load, load_denoiser
from deblur_jax.typing import Array, Denoiser, Image, is_traced, typechecked


AUTO, BLIND = "auto", "blind"
FORESEEN = 160_000  # pixels of the photo for the networks and the comparison by restoration
SEARCHES = (
    "estimate_blur: the model {name!r} decides by values and cannot be traced by jit, grad or "
    "vmap; name a network that estimates motion or kernels, such as 'camera-motion', or estimate "
    "the blur outside and undo it by `restore` inside"
)


@dataclasses.dataclass(frozen=True)
class Chooser:
    """Chooses the most likely of several blurs, with the method of the networks.

    Attributes:
        network: name of the weights whose motion is one of the hypotheses; "" for none.
        transfer: from the photo's values to those in which the blur adds up.
    """

    network: str = ""
    transfer: Transfer = "linear"

    def estimate_blur(
        self, variables: Any, photo: Array, progress: Progress | None = None
    ) -> BlurEstimate:
        """Returns the blur of a photo `[h, w, 3]`: a `UniformBlur` or a `WindowedBlur`."""
        del variables
        values = np.asarray(photo, np.float32)
        work = working_photo(values, transfer=self.transfer)
        estimate_motion = None
        if self.network:
            estimate_motion = functools.partial(_estimated_motion, self.network, values, work)
        foresee = functools.partial(_expected_change, values, work, self.transfer)
        found = choose_blur(work, estimate_motion, foresee, progress)
        return BlurEstimate(found.blur, self.transfer, reason=found.reason, likely=found.likely)


def _estimated_motion(name: str, photo: np.ndarray, work: WorkingPhoto) -> LineBlur:
    """Returns the motion that a network estimates on a small photo, at the working size."""
    network = _loaded(name)
    height, width = work.grey.shape
    small = _reduced(photo, work)
    flow = network.model.estimate_blur(network.variables, jnp.asarray(small)).blur.flow
    stretch = np.asarray([width / small.shape[1], height / small.shape[0]], np.float32)
    return LineBlur(jnp.asarray(cv2.resize(np.asarray(flow), (width, height)) * stretch))


def _reduced(photo: np.ndarray, work: WorkingPhoto) -> np.ndarray:
    """Returns the photo with at most about `FORESEEN` pixels."""
    ratio = work.shrunk * min(1.0, (FORESEEN / work.grey.size) ** 0.5)
    return smaller(photo, ratio) if ratio < 1 else photo


def _expected_change(
    photo: np.ndarray,
    work: WorkingPhoto,
    transfer: Transfer,
    hypothesis: Hypothesis,
    windows: Windows,
) -> float:
    """Returns the trusted change of a small photo by the restoration with a hypothesis, squared."""
    small = _reduced(photo, work)
    enlargement = work.grey.shape[0] / small.shape[0]
    blur = blur_of(hypothesis, windows, dataclasses.replace(work, shrunk=enlargement))
    found = restore_multiscale(small, blur, denoise=shipped_denoiser(), transfer=transfer)
    return trusted_change(trusted_share(small, *found), small, found[0])


def trusted_share(photo: np.ndarray, restored: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Returns the share of the restoration that each pixel should get, `[h, w, 1]`.

    The network for trust sees the pictures shrunk to `FORESEEN` pixels.

    Args:
        photo: `[h, w, 3]`.
        restored: its restoration, `[h, w, 3]`.
        residual: the restoration blurred again, minus the photo.
    """
    judge, ratio = _loaded("trust"), (FORESEEN / photo[..., 0].size) ** 0.5
    pictures = (photo, restored, residual)
    return trust_map(judge.model, judge.variables, *pictures, ratio=min(1.0, ratio))


@functools.cache
def shipped_denoiser() -> Denoiser:
    """Returns the shipped denoiser, the same function each time."""
    return load_denoiser()


@functools.cache
def _loaded(name: str) -> Pretrained:
    return load(name)


def find_estimator(model: str | Pretrained) -> Pretrained:
    """Returns what a name stands for: "auto", "blind", shipped weights, a `.safetensors` file."""
    if not isinstance(model, str):
        return model
    if model in (AUTO, BLIND):
        return Pretrained(model, Chooser(DEFAULT if model == AUTO else ""), {}, {})
    return load(model)


def estimate_blur(
    photo: Array,
    model: str | Pretrained = AUTO,
    progress: Progress | None = None,
    *,
    transfer: Transfer | None = None,
) -> BlurEstimate:
    """Estimates the blur of a photo.

    With a network it works under `jit`, `grad` and `vmap`, where values are not checked.

    Args:
        photo: `[h, w, 3]` in [0, 1], display values.
        model: "auto" for the most likely of several hypotheses: no blur, kernels found by
            optimisation, a network's motion, and kernels that vary over the photo; "blind" for the
            same without a network; or a network that estimates motion or kernels: a name or path
            for `pretrained.load`, or a loaded network.
        progress: called as `progress(steps done, all steps)`, for "auto" and "blind", which take
            long.
        transfer: curve from the photo's display values to light, see `ops.sensor`, for "auto" and
            "blind", which then look for a blur of light. If None, the values are taken as they are.

    Returns:
        The blur and the options of `restore` that belong to it.

    Raises:
        TypeError: if `photo` is not a float array `[h, w, c]`.
        ValueError: if the photo cannot be restored (see `check_photo`), the network does not
            estimate blur, or "auto" or "blind" is traced.

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
    if not isinstance(network.model, Chooser):
        return network.model.estimate_blur(network.variables, jnp.asarray(photo))
    if is_traced(photo, jnp.zeros(())):
        raise ValueError(SEARCHES.format(name=network.name))
    chooser = dataclasses.replace(network.model, transfer=transfer or network.model.transfer)
    return chooser.estimate_blur(network.variables, photo, progress)


@typechecked
def check_photo(photo: Image, name: str) -> None:
    """Raises an error that calls the photo `name` unless it can be restored.

    Args:
        photo: `[h, w, c]`; its values are checked only outside `jit`, `grad` and `vmap`.
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
    if is_traced(photo):
        return
    lowest, highest = float(np.min(photo)), float(np.max(photo))
    if not (lowest >= 0 and highest <= 1):
        raise ValueError(
            f"{name} must be finite and in [0, 1], got values from {lowest:g} to "
            f"{highest:g}; scale or clip it first"
        )
