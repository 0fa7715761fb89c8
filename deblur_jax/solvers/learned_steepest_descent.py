"""Plug-and-play steepest descent with learned steps.

The parameters are the schedule of `steepest_descent`: the size of every gradient step, the
relaxation and the noise level of every denoising. They are unconstrained numbers; `schedule`
converts any of them to a valid schedule. `initial_parameters` represent the fixed schedule, so
training starts from it. The gradient passes through the whole solve and into the blur, so an
estimator of the blur can be trained as well.

Unrolled optimisation follows Gregor and LeCun, "Learning Fast Approximations of Sparse Coding",
2010.
"""

import jax
import jax.numpy as jnp

from deblur_jax.solvers.frame import MARGIN, Extendable, Response
from deblur_jax.solvers.schedules import carbajal_sigmas
from deblur_jax.solvers.steepest_descent import RELAXATION, STEP_SIZE, steepest_descent
from deblur_jax.typing import Array, Denoiser, Image, typechecked


Parameters = dict[str, jax.Array]


def initial_parameters(
    *, denoising_steps: int = 15, gradient_steps: int = 2, dtype: jnp.dtype | type = jnp.float32
) -> Parameters:
    """Returns the parameters of the fixed schedule.

    Args:
        denoising_steps: number of denoiser calls.
        gradient_steps: gradient steps before each denoising.
        dtype: dtype of the parameters.
    """
    relaxation = jnp.full(denoising_steps, RELAXATION, dtype)
    return {
        "log_step_sizes": jnp.log(jnp.full((denoising_steps, gradient_steps), STEP_SIZE, dtype)),
        "relaxation_logits": jnp.log(relaxation) - jnp.log1p(-relaxation),
        "log_sigmas": jnp.log(carbajal_sigmas(denoising_steps, dtype)),
    }


def schedule(params: Parameters) -> dict[str, jax.Array]:
    """Converts parameters to the schedule of `steepest_descent`."""
    return {
        "step_size": jnp.exp(params["log_step_sizes"]),
        "relaxation": jax.nn.sigmoid(params["relaxation_logits"]),
        "sigmas": jnp.minimum(jnp.exp(params["log_sigmas"]), 1),
    }


@typechecked
def learned_steepest_descent(
    blur: Extendable,
    observed: Image,
    denoise: Denoiser,
    *,
    params: Parameters,
    margin: int = MARGIN,
    weights: Array | None = None,
    respond: Response | None = None,
    remat: bool = True,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restores the sharp image behind `observed = respond(blur(sharp)) + noise`.

    Args:
        blur: the blur, known or estimated.
        observed: the blurry image, `[h, w, c]` in [0, 1].
        denoise: maps `(image, sigma)` to a denoised image.
        params: parameters like `initial_parameters`; their shapes set the numbers of steps.
        margin: width in pixels of the unknown frame around the photo.
        weights: weights of the pixels in the misfit, `[h, w, 1]` or `[h, w, c]`; None weighs all
            pixels equally.
        respond: the pointwise response of the sensor to light; None if it is linear.
        remat: whether the gradient recomputes the steps instead of storing them.

    Returns:
        The restored image `[h, w, c]`, not clipped, and the trace of `steepest_descent`.

    Raises:
        ValueError: if an argument does not fit the image or is out of range.

    Example:
        >>> from deblur_jax.solvers.learned_steepest_descent import initial_parameters
        >>> params = initial_parameters(denoising_steps=3)  # to be trained
        >>> blur, photo = LineBlur(jnp.full((12, 16, 2), 2.0)), jnp.full((12, 16, 3), 0.5)
        >>> restored, _ = learned_steepest_descent(
        ...     blur, photo, lambda image, sigma: image, params=params, margin=2)
        >>> restored.shape
        (12, 16, 3)
    """
    steps = schedule(params)
    return steepest_descent(
        blur,
        observed,
        denoise,
        sigmas=steps["sigmas"],
        step_size=steps["step_size"],
        relaxation=steps["relaxation"],
        gradient_steps=params["log_step_sizes"].shape[1],
        margin=margin,
        weights=weights,
        respond=respond,
        remat=remat,
    )
