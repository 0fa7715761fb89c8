"""The re-blur loss: does the estimated blur of the sharp photo give the blurry one?

    sum_p weights[p] sum_c (R(blur(sharp))[p, c] - blurry[p, c])^2

The sum is over the pixels whose kernels lie within the frame, so that the loss does not depend on
the boundary condition. R is the sensor's response: it clips at black and saturates softly.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.sensor import saturate
from deblur_jax.typing import Array, Image, Kernels, Mixing, typechecked


def soft_sensor(light: Array) -> jax.Array:
    """Returns the sensor's response to `light`, clipped at zero and softly clipped at one."""
    return jnp.maximum(saturate(light), 0)


@typechecked
def reblur_error(
    sharp: Image,
    blurry: Image,
    kernels: Kernels,
    mixing: Mixing,
    weights: Float[Array, "h w"],
    *,
    respond: Callable[[Array], jax.Array] = soft_sensor,
) -> jax.Array:
    """Returns the weighted sum over pixels and channels of the squared re-blur error.

    Args:
        sharp: `[h, w, c]`, light in [0, 1].
        blurry: `[h, w, c]`, light in [0, 1], of the same frame.
        kernels: `[k, s, s]`, the estimated basis.
        mixing: `[h, w, k]`, the estimated mixing coefficients.
        weights: `[h, w]`, weights of the pixels. The reciprocal size of a pixel's segment gives all
            segments the same weight; `1 / (h * w * c)` everywhere gives a mean.
        respond: pointwise response of the sensor to light.

    Raises:
        ValueError: if the images are not larger than the kernels.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2; the response is that of the authors' code.
        They blur a sharp photo that is larger than the blurry one. Here both have one frame, and
        the pixels near its edge are excluded.
    """
    radius = kernels.shape[-1] // 2
    height, width = blurry.shape[:2]
    if min(height, width) <= 2 * radius:
        side = kernels.shape[-1]
        raise ValueError(
            f"reblur_error: images must be at least as large as the kernels, {side}x{side}, "
            f"got {width}x{height}"
        )
    inside = (slice(radius, height - radius), slice(radius, width - radius))
    error = respond(basis_blur(sharp, kernels, mixing)[inside]) - jnp.asarray(blurry)[inside]
    return jnp.sum(weights[inside] * jnp.sum(jnp.square(error), axis=-1))
