"""What a camera does to light: transfer curve, saturation, noise, quantisation.

Blur is linear in light, and files hold display values: `to_light` before a blur and `to_display`
after it. All functions are pointwise, keep dtype and shape, and work on any shape.
"""

import jax
import jax.numpy as jnp

from deblur_jax.transfer import Transfer, display_from_light, light_from_display, safe_power
from deblur_jax.typing import Array


def to_light(display: Array, transfer: Transfer) -> jax.Array:
    """Returns the light behind display values.

    Args:
        display: display values, nominally in [0, 1].
        transfer: "srgb" (IEC 61966-2-1), "linear" (nothing to do), or a gamma such as 2.2,
            for which light is `display ** gamma` and negative values are black.
    """
    display = jnp.asarray(display)
    return light_from_display(display, transfer)


def to_display(light: Array, transfer: Transfer) -> jax.Array:
    """Returns the display values of `light`, the inverse of `to_light`.

    The slope of a plain gamma is infinite at black; its gradient there is given as zero.

    Args:
        light: light, nominally in [0, 1].
        transfer: as for `to_light`.
    """
    light = jnp.asarray(light)
    return display_from_light(light, transfer)


def saturate(light: Array, *, limit: float = 1.0, sharpness: float = 50.0) -> jax.Array:
    """Clips bright light softly, `R(x) = x - log(1 + exp(a (x - m))) / a`.

    Evaluated as `m - log(1 + exp(a (m - x))) / a`, which is the same and loses nothing for
    light far above the limit. Its derivative is `1 / (1 + exp(a (x - m)))`.

    Args:
        light: any range.
        limit: m, the value that the sensor does not exceed.
        sharpness: a, the inverse width of the bend.

    Source:
        The response used with Carbajal et al., arXiv:2102.01026, after Whyte et al. 2014.
    """
    return limit - jax.nn.softplus(sharpness * (limit - jnp.asarray(light))) / sharpness


def add_noise(
    image: Array,
    key: jax.Array,
    *,
    sigma: float | Array = 0.0,
    shot: float | Array = 0.0,
    proportional: float | Array = 0.0,
) -> jax.Array:
    """Returns `image` with Gaussian noise of variance `sigma^2 + shot x + (proportional x)^2`.

    Args:
        image: any range; pixels below zero have the noise of zero.
        key: a JAX key.
        sigma: standard deviation of the noise that does not depend on the signal.
        shot: variance of the photon noise at signal one.
        proportional: standard deviation of the gain's variation, at signal one.
    """
    image = jnp.asarray(image)
    signal = jnp.maximum(image, 0.0)
    variance = jnp.asarray(sigma**2 + shot * signal + (proportional * signal) ** 2)
    noise = jax.random.normal(key, image.shape, image.dtype)
    return image + (safe_power(variance, 0.5) * noise).astype(image.dtype)


def quantize(image: Array, *, levels: int = 256) -> jax.Array:
    """Returns `image` clipped to [0, 1] and rounded to the nearest of `levels` values.

    The gradient ignores the rounding, so that a simulated camera can stand inside a training
    step; it is zero for clipped pixels.
    """
    if levels < 2:
        raise ValueError(f"quantize: levels must be at least 2, got {levels}")
    steps = levels - 1
    clipped = jnp.clip(jnp.asarray(image), 0.0, 1.0)
    return _replace_value(clipped, jnp.round(clipped * steps) / steps)


@jax.custom_jvp
def _replace_value(image: jax.Array, value: jax.Array) -> jax.Array:
    """Returns `value` with the derivative of `image`."""
    return value


_replace_value.defjvps(lambda tangent, *_: tangent, None)
