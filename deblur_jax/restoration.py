"""Undo a known blur. Arrays only."""

import functools

import jax
import jax.numpy as jnp

from deblur_jax.ops.operators import Blur
from deblur_jax.ops.sensor import Transfer, saturate, to_display, to_light
from deblur_jax.solvers.frame import MARGIN
from deblur_jax.solvers.schedules import carbajal_sigmas
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation
from deblur_jax.typing import Array, Denoiser, Image, typechecked


STEPS = 15
WEIGHT = 0.25  # of total variation


@functools.partial(jax.jit, static_argnames=("denoise", "steps", "margin", "transfer", "saturates"))
@typechecked
def restore(
    blur: Blur,
    blurry: Image,
    *,
    denoise: Denoiser | None = None,
    weight: float | Array = WEIGHT,
    steps: int = STEPS,
    margin: int = MARGIN,
    transfer: Transfer = "linear",
    saturates: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Undoes a known blur by plug-and-play steepest descent.

    Args:
        blur: a blur of the photo's size, such as `LineBlur` or `BasisBlur`.
        blurry: the photo `[h, w, c]` in [0, 1], display values.
        denoise: the prior, `(image, sigma) -> image`, applied to light; total variation, which
            needs no weights, if None.
        weight: of total variation, in units of the denoiser's noise level.
        steps: number of denoising steps; each follows two gradient steps.
        margin: width in pixels of the unknown border that is restored around the photo.
        transfer: curve from display values to the light in which the blur adds up, see
            `ops.sensor`.
        saturates: whether the sensor clips bright light softly, see `ops.sensor.saturate`.

    Returns:
        The restored photo in [0, 1] and the residual `blur(restored) - blurry`, `[h, w, c]`, both
        in display values.

    Raises:
        TypeError: if `blurry` is not a float array `[h, w, c]`.
        ValueError: if the blur does not have the photo's size, or values are out of range.

    Source:
        Carbajal et al., arXiv:2102.01026, section 4.1.1, where the photo's values count as light.

    Example:
        >>> blur = LineBlur(jnp.full((32, 40, 2), 3.0))
        >>> restored, residual = restore(blur, blur(jnp.full((32, 40, 3), 0.5)))
        >>> restored.shape, bool(jnp.max(jnp.abs(residual)) < 1e-3)
        ((32, 40, 3), True)
    """

    def total_variation(image: Array, sigma: Array) -> jax.Array:
        return denoise_total_variation(image, weight * sigma, steps=10)

    restored, _ = steepest_descent(
        blur,
        to_light(blurry, transfer),
        denoise or total_variation,
        sigmas=carbajal_sigmas(steps, dtype=blurry.dtype),
        margin=margin,
        respond=saturate if saturates else None,
    )
    restored = to_display(jnp.clip(restored, 0, 1), transfer)
    return restored, to_display(blur(to_light(restored, transfer)), transfer) - blurry
