"""Plug-and-play deconvolution by half-quadratic splitting.

Minimises `|A x - y|^2` over the images that a denoiser leaves unchanged, by alternating

    x <- argmin_x  |A x - y|^2 / noise^2 + coupling |x - z|^2 / sigma^2
    z <- denoise(x, sigma)

with a noise level that falls to that of the photo. Where `steepest_descent` takes a few gradient
steps, this solver solves the linear system of the first half by conjugate gradients with the exact
adjoint, which restores photos with little noise far better.

Source: Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", TPAMI 2021,
section 4.2. Their blur is uniform, so they solve the first half by Fourier transforms.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.solvers.frame import MARGIN, Extendable, check_range, check_sigmas, put_in_frame
from deblur_jax.typing import Array, Denoiser, Image, typechecked


COUPLING = 0.23  # the authors' lambda
LINEAR_STEPS = 20


@typechecked
def plug_and_play(
    blur: Extendable,
    observed: Image,
    denoise: Denoiser,
    *,
    sigmas: Float[Array, " steps"],
    noise: float | Array = QUANTISATION_NOISE,
    coupling: float | Array = COUPLING,
    linear_steps: int = LINEAR_STEPS,
    margin: int = MARGIN,
    weights: Array | None = None,
    remat: bool = False,
    unroll: bool = False,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restores the sharp image behind `observed = blur(sharp) + noise`.

    Half precision is computed in float32. Values are checked only outside `jit` and `vmap`.

    Args:
        blur: the known linear blur.
        observed: the blurry image, `[h, w, c]` in [0, 1].
        denoise: maps `(image, sigma)` to a denoised image; sigma is the standard deviation of the
            noise to remove, on the scale of the image.
        sigmas: the noise level of each denoising, above 0 and at most 1, usually falling to
            `noise`, such as `schedules.zhang_sigmas(noise)`.
        noise: standard deviation of the photo's noise, above 0 and at most 1. The default is that
            of quantisation to 8 bits. Use more if the blur is estimated.
        coupling: weight of the denoised image, at least 0; a number or `[steps]`.
        linear_steps: conjugate gradient steps for each linear system.
        margin: width in pixels of the unknown frame around the photo; 0 uses the blur's padding.
        weights: weights of the pixels in the misfit, `[h, w, 1]` or `[h, w, c]`; None weighs all
            pixels equally.
        remat: whether the gradient recomputes the steps instead of storing them.
        unroll: whether the loop is unrolled. On a CPU, XLA runs the gradients of convolutions
            inside loops 30 times slower, so unroll to differentiate through a network `denoise`.

    Returns:
        The restored image `[h, w, c]`, not clipped, in the dtype of `observed`, and a trace:
        `"misfit"`, the mean of `(A x - y)^2` after each denoising.

    Raises:
        ValueError: if an argument does not fit the image or is out of range.
    """
    framed = put_in_frame("plug_and_play", blur, observed, margin=margin, weights=weights)
    check_sigmas("plug_and_play", sigmas)
    check_sigmas("plug_and_play", noise, name="noise")
    check_range("plug_and_play", "coupling", coupling, 0, float("inf"))
    canvas = framed.canvas()
    sigmas = jnp.asarray(sigmas, canvas.dtype)
    pull = jnp.asarray(coupling, canvas.dtype) * jnp.square(jnp.asarray(noise, canvas.dtype))

    def step(estimate, entry):
        sigma, penalty = entry
        fitted = framed.fit(penalty, penalty * estimate, estimate, steps=linear_steps)
        estimate = denoise(fitted, sigma).astype(fitted.dtype)
        return estimate, {"misfit": framed.misfit(framed.expose(estimate))}

    entries = (sigmas, pull / jnp.square(sigmas))
    step = jax.checkpoint(step) if remat else step
    canvas, trace = lax.scan(step, canvas, entries, unroll=unroll)
    return framed.result(canvas), trace
