"""From a blurred photo to a sharp one: estimate the motion, undo it, say how well that fits.

Arrays only; files are `cli.deblur`'s.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.operators import LineBlur
from deblur_jax.pretrained import DEFAULT, Pretrained, load
from deblur_jax.solvers.diagnosis import Diagnosis, diagnose
from deblur_jax.solvers.frame import MARGIN
from deblur_jax.solvers.schedules import carbajal_sigmas
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.tiles import restore_tiled
from deblur_jax.solvers.total_variation import denoise_total_variation
from deblur_jax.typing import Array, Flow, Image, typechecked


SMALLEST_SIDE = 32  # pixels
DENOISINGS = 15
WHOLE_PIXELS = 1_500_000  # a larger photo is restored in tiles
TILE = (1024, 1024)  # pixels
HALO = 48  # pixels of a tile's inner edges that are not used
ESTIMATION_PIXELS = 400_000  # a larger photo is shrunk to this before its motion is estimated


@dataclasses.dataclass(frozen=True)
class Result:
    """A restored photo and what there is to judge it by.

    Attributes:
        image: the restored photo `[h, w, c]` in [0, 1].
        flow: the estimated motion `[h, w, 2]` in pixels.
        reblur_error: root mean square of `blur(image) - photo`, in image values.
        residual: `blur(image) - photo`, `[h, w, c]`.
        explained: share of the photo around which the residual is no more than its noise.
        verdict: the same in words, see `solvers.diagnosis`.
    """

    image: np.ndarray
    flow: np.ndarray
    reblur_error: float
    residual: np.ndarray
    explained: float
    verdict: str


def deblur(image: Array, model: str | Pretrained = DEFAULT) -> Result:
    """Estimates the motion in a photo and takes it out.

    Args:
        image: `[h, w, 3]` floats in [0, 1], display values.
        model: a network that estimates motion: a name or path for `pretrained.load`, or one
            already loaded.

    Returns:
        The restored photo, the motion, and how well the two explain the photo.

    Raises:
        TypeError: if `image` is not a float array `[h, w, c]`.
        ValueError: if it has not 3 channels, is smaller than 32 pixels a side, or holds values
            outside [0, 1] or not finite.
    """
    check_photo(image, "deblur: image")
    network = load(model) if isinstance(model, str) else model
    blurry = jnp.asarray(image, jnp.float32)
    flow = estimate_flow(network, blurry)
    if blurry.shape[0] * blurry.shape[1] > WHOLE_PIXELS:
        restored = restore_tiled(
            lambda photo, motion: restore_line_blur(photo, motion)[0],
            np.asarray(blurry),
            np.asarray(flow),
            halo=HALO,
            tile=TILE,
        )
    else:
        restored, _ = restore_line_blur(blurry, flow)
    diagnosis = _diagnose(flow, restored, blurry)
    residual = np.asarray(diagnosis.residual)
    return Result(
        image=np.asarray(restored),
        flow=np.asarray(flow),
        reblur_error=float(np.sqrt(np.mean(np.square(residual)))),
        residual=residual,
        explained=float(diagnosis.explained),
        verdict=diagnosis.verdict,
    )


@typechecked
def check_photo(image: Image, name: str) -> None:
    """Raises a ValueError that calls it `name` unless `image` can be restored."""
    height, width, channels = image.shape
    if channels != 3:
        raise ValueError(
            f"{name} must have 3 channels, got {channels}; repeat a grey one, drop alpha"
        )
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"{name} must have at least {SMALLEST_SIDE} pixels a side, got {width}x"
            f"{height}; there is too little in it to see motion"
        )
    lowest, highest = float(np.min(image)), float(np.max(image))
    if not (lowest >= 0 and highest <= 1):
        raise ValueError(
            f"{name} must be finite and in [0, 1], got values from {lowest:g} to "
            f"{highest:g}; scale or clip it first"
        )


def estimate_flow(network: Pretrained, blurry: jax.Array) -> jax.Array:
    """Returns the motion `[h, w, 2]` in pixels that `network` sees in a photo `[h, w, 3]`.

    A large photo is looked at in a smaller size, where its motion is as many pixels as the network
    knows; the motion is then enlarged with it.
    """
    height, width, _ = blurry.shape
    ratio = min(1.0, (ESTIMATION_PIXELS / (height * width)) ** 0.5)
    small = (max(round(height * ratio), SMALLEST_SIDE), max(round(width * ratio), SMALLEST_SIDE))
    looked_at = jax.image.resize(blurry, (*small, 3), "linear") if ratio < 1 else blurry
    flow = _apply(network.model, network.variables, looked_at)
    if ratio < 1:
        stretch = jnp.asarray([width / small[1], height / small[0]], flow.dtype)
        flow = jax.image.resize(flow, (height, width, 2), "linear") * stretch
    return flow


@jax.jit
def _diagnose(flow: jax.Array, restored: jax.Array, blurry: jax.Array) -> Diagnosis:
    return diagnose(LineBlur(flow), restored, blurry)


@functools.partial(jax.jit, static_argnames="model")
def _apply(model: Any, variables: Any, blurry: jax.Array) -> jax.Array:
    return model.flow(model.apply(variables, blurry[None]))[0]


@functools.partial(jax.jit, static_argnames=("denoisings", "margin"))
@typechecked
def restore_line_blur(
    blurry: Image,
    flow: Flow,
    *,
    strength: float | Array = 0.25,
    denoisings: int = DENOISINGS,
    margin: int = MARGIN,
) -> tuple[jax.Array, jax.Array]:
    """Undoes the blur of a known motion flow by plug-and-play steepest descent.

    The prior is total variation, which needs no weights.

    Args:
        blurry: the photo `[h, w, c]` in [0, 1].
        flow: its motion in pixels.
        strength: how much total variation counts, in units of the denoiser's noise level.
        denoisings: denoiser calls; each follows two gradient steps.
        margin: width of the unknown frame around the photo in pixels.

    Returns:
        The restored photo in [0, 1], and the root mean square of what re-blurring it leaves over.
    """

    def denoise(image: Array, sigma: Array) -> jax.Array:
        return denoise_total_variation(image, strength * sigma, num_steps=10)

    sigmas = carbajal_sigmas(denoisings, dtype=blurry.dtype)
    blur = LineBlur(flow)
    restored, _ = steepest_descent(blur, blurry, denoise, sigmas=sigmas, margin=margin)
    restored = jnp.clip(restored, 0, 1)
    return restored, jnp.sqrt(jnp.mean(jnp.square(blur(restored) - blurry)))
