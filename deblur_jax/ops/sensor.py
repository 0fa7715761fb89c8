"""Camera sensor model: transfer curve, saturation, noise and quantisation.

Blur is linear in light, and files store display values: call `to_light` before a blur and
`to_display` after it. All functions are pointwise, accept any shape, and keep shape and dtype.
"""

import jax
import jax.numpy as jnp

from deblur_jax.transfer import Transfer, display_from_light, light_from_display, safe_power
from deblur_jax.typing import Array, compute_dtype


QUANTISATION_NOISE = 1 / 255 / 12**0.5  # standard deviation of rounding to 8 bits


def to_light(display: Array, transfer: Transfer) -> jax.Array:
    """Returns the light behind display values.

    Args:
        display: display values, nominally in [0, 1].
        transfer: "srgb" (IEC 61966-2-1), "linear" (the identity), or a gamma such as 2.2: light is
            then `display ** gamma`, and zero for negative values.
    """
    dtype, display = display.dtype, jnp.asarray(display, compute_dtype(display))
    return light_from_display(display, transfer).astype(dtype)


def to_display(light: Array, transfer: Transfer) -> jax.Array:
    """Returns the display values of `light`, the inverse of `to_light`.

    The slope of a plain gamma is infinite at zero; its gradient there is defined as zero.

    Args:
        light: light, nominally in [0, 1].
        transfer: as for `to_light`.
    """
    dtype, light = light.dtype, jnp.asarray(light, compute_dtype(light))
    return display_from_light(light, transfer).astype(dtype)


def saturate(light: Array, *, limit: float = 1.0, sharpness: float = 50.0) -> jax.Array:
    """Clips bright light softly: `R(x) = x - log(1 + exp(a (x - m))) / a`.

    Computed as `m - log(1 + exp(a (m - x))) / a`, which is equal and stays accurate for light far
    above the limit. The derivative is `1 / (1 + exp(a (x - m)))`.

    Args:
        light: light of any range.
        limit: m, the largest value that the sensor returns.
        sharpness: a, the inverse width of the bend.

    Source:
        Whyte et al. 2014, as used by Carbajal et al., arXiv:2102.01026.
    """
    return limit - jax.nn.softplus(sharpness * (limit - jnp.asarray(light))) / sharpness


def add_noise(
    key: jax.Array,
    image: Array,
    *,
    sigma: float | Array = 0.0,
    shot: float | Array = 0.0,
    proportional: float | Array = 0.0,
) -> jax.Array:
    """Returns `image` with Gaussian noise of variance `sigma^2 + shot x + (proportional x)^2`.

    Args:
        key: a JAX key.
        image: values of any range; negative ones get the noise of zero.
        sigma: standard deviation of the signal-independent noise.
        shot: variance of the photon noise at a signal of one.
        proportional: standard deviation of the gain noise at a signal of one.
    """
    image = jnp.asarray(image)
    signal = jnp.maximum(image, 0.0)
    variance = jnp.asarray(sigma**2 + shot * signal + (proportional * signal) ** 2)
    noise = jax.random.normal(key, image.shape, image.dtype)
    return image + (safe_power(variance, 0.5) * noise).astype(image.dtype)


def quantize(image: Array, *, levels: int = 256) -> jax.Array:
    """Returns `image` clipped to [0, 1] and rounded to the nearest of `levels` values.

    The gradient ignores the rounding, so that a simulated camera can be part of a training step.
    It is zero for clipped pixels.
    """
    if levels < 2:
        raise ValueError(f"quantize: levels must be at least 2, got {levels}")
    steps = levels - 1
    clipped = jnp.clip(jnp.asarray(image, compute_dtype(image)), 0.0, 1.0)
    return _replace_value(clipped, jnp.round(clipped * steps) / steps).astype(image.dtype)


@jax.custom_jvp
def _replace_value(image: jax.Array, value: jax.Array) -> jax.Array:
    """Returns `value` with the derivative of `image`."""
    return value


_replace_value.defjvps(lambda tangent, *_: tangent, None)
