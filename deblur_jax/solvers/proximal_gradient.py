"""Deconvolution with a total variation prior, which needs no trained weights.

    minimise  sum weights (A x - y)^2 / 2 + weight TV(x)

by accelerated proximal gradients: a gradient step on the misfit, total variation denoising and an
extrapolation. A result with a higher objective than the previous estimate is rejected, so the
objective never rises.

Source: Beck and Teboulle, "Fast Gradient-Based Algorithms for Constrained Total Variation Image
Denoising and Deblurring Problems", 2009, section 5 (monotone variant, without the constraint).
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.solvers.frame import (
    MARGIN,
    Extendable,
    check_range,
    put_in_frame,
    safe_step_size,
)
from deblur_jax.solvers.total_variation import denoise_total_variation, momenta, total_variation
from deblur_jax.typing import Array, Image, Scalar, typechecked


STEPS = 60


@typechecked
def proximal_gradient(
    blur: Extendable,
    observed: Image,
    weight: Scalar,
    *,
    steps: int = STEPS,
    denoising_steps: int = 10,
    step_size: float | Array | None = None,
    margin: int = MARGIN,
    weights: Array | None = None,
    remat: bool = False,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restores the sharp image behind `observed = blur(sharp) + noise`.

    Half precision is computed in float32. Values are checked only outside `jit` and `vmap`.

    Args:
        blur: the known linear blur.
        observed: the blurry image, `[h, w, c]` in [0, 1].
        weight: weight of the total variation, from 0 to 1.
        steps: gradient steps, each followed by a denoising.
        denoising_steps: iterations of each denoising.
        step_size: size of the gradient steps; up to `1 / |A|^2` is safe, not checked. None measures
            `|A|` first, which costs ten steps.
        margin: width in pixels of the unknown frame around the photo; 0 uses the blur's padding.
        weights: weights of the pixels in the misfit, `[h, w, 1]` or `[h, w, c]`, at most 1 for the
            default step size; None weighs all pixels equally.
        remat: whether the gradient recomputes the steps instead of storing them.

    Returns:
        The restored image `[h, w, c]`, not clipped, in the dtype of `observed`, and a trace:
        `"misfit"`, the mean of `(A x - y)^2`, and `"objective"`, the equation of the module, both
        after each step.

    Raises:
        ValueError: if an argument does not fit the image or is out of range.

    Example:
        >>> sharp = jnp.zeros((12, 16, 3)).at[4:8, 5:11].set(1.0)
        >>> blur = LineBlur(jnp.full((12, 16, 2), 2.0))
        >>> restored, _ = proximal_gradient(blur, blur(sharp), 0.001, steps=5, margin=2)
        >>> bool(psnr(restored, sharp) > psnr(blur(sharp), sharp))
        True
    """
    framed = put_in_frame("proximal_gradient", blur, observed, margin=margin, weights=weights)
    check_range("proximal_gradient", "weight", weight, 0, 1)
    canvas = framed.canvas()
    if step_size is None:
        step_size = safe_step_size(framed)
    weight, step_size = (jnp.asarray(x, canvas.dtype) for x in (weight, step_size))

    def cost(image, light):
        return framed.misfit_sum(light) + weight * total_variation(image)

    def step(state, momentum):
        best, best_light, best_cost, ahead, ahead_light = state
        moved = ahead - step_size * framed.transpose()(framed.slope(ahead_light))
        found = denoise_total_variation(moved, step_size * weight, steps=denoising_steps)
        light = framed.expose(found)
        found_cost = cost(found, light)
        better = found_cost <= best_cost
        kept, kept_light = (
            jnp.where(better, new, old) for new, old in ((found, best), (light, best_light))
        )

        def extrapolate(found, kept, best):
            leap, pull = momentum["leap"], momentum["pull"]
            return kept + pull * (found - kept) + leap * (kept - best)

        ahead = extrapolate(found, kept, best)
        ahead_light = extrapolate(light, kept_light, best_light)  # the blur is linear
        kept_cost = jnp.where(better, found_cost, best_cost)
        row = {"misfit": framed.misfit(kept_light), "objective": kept_cost}
        return (kept, kept_light, kept_cost, ahead, ahead_light), row

    light = framed.expose(canvas)
    state = (canvas, light, cost(canvas, light), canvas, light)
    leaps, pulls = momenta(steps)
    schedule = {"leap": jnp.asarray(leaps, canvas.dtype), "pull": jnp.asarray(pulls, canvas.dtype)}
    (canvas, *_), trace = lax.scan(jax.checkpoint(step) if remat else step, state, schedule)
    return framed.result(canvas), trace
