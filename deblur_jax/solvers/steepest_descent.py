"""Plug-and-play deconvolution by hybrid steepest descent.

Minimises `|A x - y|^2` over the images that a denoiser leaves alone: a few gradient steps on the
data, then a step towards the denoised image,

    x <- x - step_size * A* (A x - y)          `descents` times
    x <- (1 - relaxation) x + relaxation * denoise(x, sigma)

with a noise level that falls from one denoising to the next. Light from outside the frame is not
guessed by a rule: the image is estimated on a canvas larger than the photo, of which the blur is
seen only inside the frame.

Source: Carbajal et al., "Non-uniform Motion Blur Kernel Estimation via Adaptive Decomposition",
arXiv:2102.01026, section 4.1.1; the numbers are those of the authors' code.
"""

from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.linear import adjoint
from deblur_jax.typing import Array, Image, ImageOperator, Scalar, typechecked


STEP_SIZE = 2 / 3  # below 2 / |A|^2, and |A| is about one where kernels sum to one
RELAXATION = 0.9
MARGIN = 16  # pixels

Denoiser = Callable[[Image, Scalar], jax.Array]


class Extendable(Protocol):
    """A blur of images that can also be had on a larger canvas, like `LineBlur` and `BasisBlur`."""

    def __call__(self, image: Image) -> jax.Array:
        """Blurs an image."""
        ...

    def extended(self, margin: int) -> ImageOperator:
        """Returns the blur of images larger by `margin` pixels on every side."""
        ...


@typechecked
def steepest_descent(
    blur: Extendable,
    observed: Image,
    denoise: Denoiser,
    *,
    sigmas: Float[Array, " steps"],
    descents: int = 2,
    step_size: float = STEP_SIZE,
    relaxation: float = RELAXATION,
    margin: int = MARGIN,
) -> tuple[jax.Array, jax.Array]:
    """Restores the sharp image behind `observed = blur(sharp) + noise`.

    Args:
        blur: the known linear blur.
        observed: the blurry image, `[h, w, c]`.
        denoise: maps `(image, sigma)` to a cleaner image; sigma is the standard deviation of the
            noise to remove, on the image's own scale.
        sigmas: the noise level of each denoising, usually falling.
        descents: gradient steps before each denoising.
        step_size: of the gradient steps; below `2 / |A|^2` they cannot diverge. Not checked.
        relaxation: how far to go towards the denoised image, in [0, 1].
        margin: width in pixels of the unknown frame around the photo. Zero trusts the blur's own
            padding.

    Returns:
        The restored image `[h, w, c]`, not clipped, and the data misfit `mean((A x - y)^2)` after
        each denoising, which is what to plot when a restoration looks wrong.

    Raises:
        ValueError: if `margin` is negative, or not smaller than a side of the image.
    """
    if not 0 <= margin < min(observed.shape[:2]):
        raise ValueError(
            f"steepest_descent: margin must be from 0 to below the shorter side of the image, got "
            f"{margin} for {observed.shape[0]}x{observed.shape[1]}"
        )
    around = ((margin, margin), (margin, margin), (0, 0))
    canvas = jnp.pad(observed, around, mode="reflect")
    blur_canvas = blur.extended(margin) if margin else blur

    def expose(canvas: Array) -> jax.Array:
        blurred = blur_canvas(canvas)
        return blurred[margin : blurred.shape[0] - margin, margin : blurred.shape[1] - margin]

    transpose = adjoint(expose, canvas)

    def iterate(carry, sigma):
        estimate, residual = carry
        for index in range(descents):
            if index:
                residual = expose(estimate) - observed
            estimate = estimate - step_size * transpose(residual)
        estimate = estimate + relaxation * (denoise(estimate, sigma) - estimate)
        residual = expose(estimate) - observed  # also the next descent's first
        return (estimate, residual), jnp.mean(jnp.square(residual))

    start = (canvas, expose(canvas) - observed)
    (canvas, _), misfits = lax.scan(iterate, start, sigmas)
    return canvas[margin : canvas.shape[0] - margin, margin : canvas.shape[1] - margin], misfits
