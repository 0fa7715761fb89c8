"""From a blurred photo to a sharp one: estimate the motion, undo it, say how well that fits.

Arrays only; files are `cli.deblur`'s.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.operators import LineBlur
from deblur_jax.pretrained import Pretrained
from deblur_jax.solvers.schedules import carbajal_sigmas
from deblur_jax.solvers.steepest_descent import MARGIN, steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation
from deblur_jax.typing import Array, Flow, Image, Scalar, typechecked


SMALLEST_SIDE = 32  # pixels
DENOISINGS = 15
ESTIMATION_PIXELS = 400_000  # a larger photo is shrunk to this before its motion is estimated


@dataclasses.dataclass(frozen=True)
class Result:
    """A restored photo and what there is to judge it by.

    Attributes:
        image: the restored photo `[h, w, c]` in [0, 1].
        flow: the estimated motion `[h, w, 2]` in pixels.
        reblur_error: root mean square of `blur(image) - photo`, in image values.
    """

    image: np.ndarray
    flow: np.ndarray
    reblur_error: float


@functools.partial(jax.jit, static_argnames=("denoisings", "margin"))
@typechecked
def restore_line_blur(
    blurry: Image,
    flow: Flow,
    *,
    strength: float | Array = 0.25,
    denoisings: int = DENOISINGS,
    margin: int = MARGIN,
) -> tuple[Image, Scalar]:
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

    def denoise(image: jax.Array, sigma: jax.Array) -> jax.Array:
        return denoise_total_variation(image, strength * sigma, num_steps=10)

    sigmas = carbajal_sigmas(denoisings, dtype=blurry.dtype)
    blur = LineBlur(flow)
    restored, _ = steepest_descent(blur, blurry, denoise, sigmas=sigmas, margin=margin)
    restored = jnp.clip(restored, 0, 1)
    return restored, jnp.sqrt(jnp.mean(jnp.square(blur(restored) - blurry)))
