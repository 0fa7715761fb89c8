"""Plug-and-play deconvolution by hybrid steepest descent.

Minimises `|A x - y|^2` over the images that a denoiser leaves unchanged: a few gradient steps on
the misfit, then a step towards the denoised image,

    x <- x - step_size * A* (A x - y)          `gradient_steps` times
    x <- (1 - relaxation) x + relaxation * denoise(x, sigma)

with a noise level that falls from one denoising to the next.

Source: Carbajal et al., "Non-uniform Motion Blur Kernel Estimation via Adaptive Decomposition",
arXiv:2102.01026, section 4.1.1, with the constants of the authors' code.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.solvers.frame import (
    MARGIN,
    Extendable,
    Response,
    check_range,
    check_sigmas,
    put_in_frame,
    safe_step_size,
)
from deblur_jax.typing import Array, Denoiser, Image, typechecked


STEP_SIZE = 2 / 3  # below 2 / |A|^2, and |A| is about one where kernels sum to one
RELAXATION = 0.9


@typechecked
def steepest_descent(
    blur: Extendable,
    observed: Image,
    denoise: Denoiser,
    *,
    sigmas: Float[Array, " steps"],
    gradient_steps: int = 2,
    step_size: float | Array | None = STEP_SIZE,
    relaxation: float | Array = RELAXATION,
    margin: int = MARGIN,
    weights: Array | None = None,
    respond: Response | None = None,
    remat: bool = False,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restores the sharp image behind `observed = respond(blur(sharp)) + noise`.

    Half precision is computed in float32. Values are checked only outside `jit` and `vmap`.

    Args:
        blur: the known linear blur.
        observed: the blurry image, `[h, w, c]` in [0, 1].
        denoise: maps `(image, sigma)` to a denoised image; sigma is the standard deviation of the
            noise to remove, on the scale of the image.
        sigmas: the noise level of each denoising, above 0 and at most 1, usually falling.
        gradient_steps: gradient steps before each denoising.
        step_size: size of the gradient steps: a number, one for each denoising, or
            `[steps, gradient_steps]`. Below `2 / |A|^2` the steps cannot diverge; not checked.
            None measures `|A|` first, which costs ten steps, and takes the same fraction of the
            bound as the default does for `|A| = 1`: use it if the blur changes the brightness.
        relaxation: fraction of the step towards the denoised image, in [0, 1]: a number or one for
            each denoising.
        margin: width in pixels of the unknown frame around the photo; 0 uses the blur's padding.
        weights: weights of the pixels in the misfit, `[h, w, 1]` or `[h, w, c]`, such as
            `saturation_weights(observed)`; None weighs all pixels equally.
        respond: the pointwise response of the sensor to light, such as `ops.sensor.saturate`; None
            if it is linear.
        remat: whether the gradient recomputes the steps instead of storing them.

    Returns:
        The restored image `[h, w, c]`, not clipped, in the dtype of `observed`, and a trace:
        `"misfit"`, the mean of `(respond(A x) - y)^2` after each denoising; plot it if a
        restoration looks wrong.

    Raises:
        ValueError: if an argument does not fit the image or is out of range.

    Example:
        >>> sharp = jax.random.uniform(jax.random.key(0), (12, 16, 3))
        >>> blur = LineBlur(jnp.full((12, 16, 2), 2.0))
        >>> restored, trace = steepest_descent(
        ...     blur, blur(sharp), lambda image, sigma: image, sigmas=jnp.ones(5), margin=2)
        >>> restored.shape, bool(psnr(restored, sharp) > psnr(blur(sharp), sharp))
        ((12, 16, 3), True)
    """
    framed = put_in_frame(
        "steepest_descent", blur, observed, margin=margin, weights=weights, respond=respond
    )
    check_sigmas("steepest_descent", sigmas)
    check_range("steepest_descent", "relaxation", relaxation, 0, 1)
    canvas = framed.canvas()
    if step_size is None:
        step_size = STEP_SIZE * safe_step_size(framed)
    schedule = {
        "sigma": jnp.asarray(sigmas, canvas.dtype),
        "step_size": _every("step_size", step_size, (len(sigmas), gradient_steps), canvas.dtype),
        "relaxation": _every("relaxation", relaxation, (len(sigmas),), canvas.dtype),
    }

    def step(state, entry):
        estimate, light = state
        transpose = framed.transpose()
        for index in range(gradient_steps):
            if index:
                light = framed.expose(estimate)
            estimate = estimate - entry["step_size"][index] * transpose(framed.slope(light))
        cleaner = denoise(estimate, entry["sigma"]).astype(estimate.dtype)
        estimate = estimate + entry["relaxation"] * (cleaner - estimate)
        light = framed.expose(estimate)  # also for the next gradient step
        return (estimate, light), {"misfit": framed.misfit(light)}

    state = (canvas, framed.expose(canvas))
    (canvas, _), trace = lax.scan(jax.checkpoint(step) if remat else step, state, schedule)
    return framed.result(canvas), trace


def _every(name: str, value: float | Array, shape: tuple[int, ...], dtype) -> jax.Array:
    """Broadcasts `value`, a number, one for each iteration or all values, to `shape`."""
    value = jnp.asarray(value, dtype)
    if value.ndim and value.shape not in (shape[:1], shape):
        raise ValueError(
            f"steepest_descent: {name} must be a number, {list(shape[:1])} or {list(shape)}, got "
            f"{list(value.shape)}"
        )
    if value.ndim == 1 and len(shape) == 2:
        value = value[:, None]
    return jnp.broadcast_to(value, shape)
