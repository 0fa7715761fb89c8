"""Richardson-Lucy deconvolution with total variation, for light that may saturate.

The misfit is the likelihood of Poisson noise, and light stays positive. For light `x`, observed
light `y` and a sensor response `R`,

    minimise  sum weights (R(A x) - y log R(A x)) + weight TV(x)

    ratio = y R'(A x) / R(A x) + 1 - R'(A x)
    x    <- x A*(weights ratio) / (A* weights + weight dTV(x))

where `dTV` is minus the divergence of the unit gradient. Without a response the ratio is `y / A x`.
To keep the ringing of saturated light from spreading, dark light can be updated by unsaturated
pixels only, and bright light by all.

Source: Richardson 1972 and Lucy 1974; total variation after Dey et al. 2006; saturation after
Whyte et al., "Deblurring Shaken and Partially Saturated Images", 2014, as Carbajal et al. use it,
but with the exact adjoint.
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.solvers.frame import (
    MARGIN,
    Extendable,
    Framed,
    Response,
    check_range,
    put_in_frame,
    saturation_weights,
)
from deblur_jax.solvers.total_variation import total_variation
from deblur_jax.typing import Array, Image, Scalar, typechecked


STEPS = 30
DARKEST = 1e-6  # light is clamped to this value before divisions


@typechecked
def richardson_lucy(
    blur: Extendable,
    observed: Image,
    weight: Scalar,
    *,
    steps: int = STEPS,
    limit: float | None = None,
    margin: int = MARGIN,
    weights: Array | None = None,
    respond: Response | None = None,
    remat: bool = False,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restores the sharp light behind `observed = respond(blur(sharp))` with photon noise.

    Half precision is computed in float32. Values are checked only outside `jit` and `vmap`.

    Args:
        blur: the known linear blur; non-negative, with a positive weight for every pixel.
        observed: the blurry photo in light, `[h, w, c]` in [0, 1]; convert display values with
            `ops.sensor.to_light`.
        weight: weight of the total variation of the light, from 0 to 1; Carbajal et al. use 1e-3.
            The solver can diverge beyond about 0.1.
        steps: number of updates.
        limit: light from which a pixel counts as saturated; dark light is then updated by
            unsaturated pixels only. None updates all light by all pixels.
        margin: width in pixels of the unknown frame around the photo; 0 uses the blur's padding.
        weights: weights of the pixels in the misfit, `[h, w, 1]` or `[h, w, c]`; None weighs all
            pixels equally.
        respond: the pointwise response of the sensor to light, such as `ops.sensor.saturate`; None
            if it is linear.
        remat: whether the gradient recomputes the steps instead of storing them.

    Returns:
        The restored light `[h, w, c]`, not clipped, in the dtype of `observed`, and a trace:
        `"misfit"`, the mean of `(R(A x) - y)^2`, and `"objective"`, the first equation of the
        module, both after each step.

    Raises:
        ValueError: if an argument does not fit the image or is out of range.

    Example:
        >>> sharp = jax.random.uniform(jax.random.key(0), (12, 16, 3))
        >>> blur = LineBlur(jnp.full((12, 16, 2), 2.0))
        >>> restored, _ = richardson_lucy(blur, blur(sharp), 0.001, steps=5, margin=2)
        >>> bool(psnr(restored, sharp) > psnr(blur(sharp), sharp))
        True
    """
    framed = put_in_frame(
        "richardson_lucy", blur, observed, margin=margin, weights=weights, respond=respond
    )
    check_range("richardson_lucy", "weight", weight, 0, 1)
    canvas = jnp.maximum(framed.canvas(), DARKEST)
    dark = None if limit is None else saturation_weights(framed.observed, limit=limit)

    weight = jnp.asarray(weight, canvas.dtype)

    def step(state, _):
        estimate, light = state
        flat = jax.grad(total_variation)(estimate) * weight
        update = _update(framed, light, framed.weigh(jnp.ones_like(light)), flat)
        if dark is not None and limit is not None:
            of_dark = _update(framed, light, framed.weigh(dark * jnp.ones_like(light)), flat)
            update = update + _soften(saturation_weights(estimate, limit=limit)) * (
                of_dark - update
            )
        estimate = jnp.maximum(estimate * update, DARKEST)
        light = framed.expose(estimate)
        objective = _poisson(framed, light) + weight * total_variation(estimate)
        return (estimate, light), {"misfit": framed.misfit(light), "objective": objective}

    step = jax.checkpoint(step) if remat else step
    (canvas, _), trace = lax.scan(step, (canvas, framed.expose(canvas)), length=steps)
    return framed.result(canvas), trace


def _respond(framed: Framed, light: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the response of the sensor to light, and its derivative."""
    light = jnp.maximum(light, DARKEST)  # transforms can return small negative values
    if framed.respond is None:
        return light, jnp.ones_like(light)
    return jax.jvp(framed.respond, (light,), (jnp.ones_like(light),))


def _update(framed: Framed, light: jax.Array, weights: jax.Array, flat: jax.Array) -> jax.Array:
    transpose = framed.transpose()
    shown, slope = _respond(framed, light)
    ratio = framed.observed * slope / jnp.maximum(shown, DARKEST) + 1 - slope
    # Light that reaches no weighted pixel is not updated.
    seen, pull = transpose(weights), transpose(weights * ratio)
    bottom = seen + flat
    trusted = (seen > 1e-3) & (bottom > seen / 2)
    return jnp.where(trusted, jnp.maximum(pull, 0) / jnp.where(trusted, bottom, 1), 1)


def _poisson(framed: Framed, light: jax.Array) -> jax.Array:
    shown, _ = _respond(framed, light)
    shown = jnp.maximum(shown, DARKEST)
    return jnp.sum(framed.weigh(shown - framed.observed * jnp.log(shown)))


def _soften(mask: jax.Array) -> jax.Array:
    """Returns a mask averaged over 3x3 pixels."""
    total = lax.reduce_window(
        mask, jnp.zeros((), mask.dtype), lax.add, (3, 3, 1), (1, 1, 1), "SAME"
    )
    return total / 9
