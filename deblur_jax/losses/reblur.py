"""The re-blur loss: does the estimated blur of the sharp photo give the blurry one?

    sum_p weights[p] sum_c (R(blur(sharp))[p, c] - blurry[p, c])^2

over the pixels whose kernels fit into the sharp image, so that no light from outside has to be
guessed. R is the sensor: black stays black, and bright light saturates softly.
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
    sharp: Float[Array, "rows columns c"],
    blurry: Image,
    kernels: Kernels,
    mixing: Mixing,
    weights: Float[Array, "h w"],
    *,
    respond: Callable[[Array], jax.Array] = soft_sensor,
) -> jax.Array:
    """Returns the weighted sum over pixels and channels of the squared re-blur error.

    Args:
        sharp: light in [0, 1]: of the frame of `blurry`, or with
            the same border all around it. With a border of `s // 2` pixels every pixel of `blurry`
            is compared; without one the pixels near its edge are left out.
        blurry: `[h, w, c]`, light in [0, 1].
        kernels: `[k, s, s]`, the estimated basis.
        mixing: `[h, w, k]`, the estimated mixing coefficients.
        weights: `[h, w]`, weights of the pixels. The reciprocal size of a pixel's segment gives all
            segments the same weight; `1 / (h * w * c)` everywhere gives a mean.
        respond: pointwise response of the sensor to light.

    Raises:
        ValueError: if no pixel is as far from the edge as the kernels reach, or the border is not
            the same on all sides.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2; the response is that of the authors' code.
        As theirs, the sharp photo may be larger than the blurry one.
    """
    radius = kernels.shape[-1] // 2
    height, width = blurry.shape[:2]
    border, other = ((sharp.shape[axis] - blurry.shape[axis]) / 2 for axis in (0, 1))
    if border != other or border < 0 or border % 1:
        raise ValueError(
            "reblur_error: sharp must have the same border around blurry on all sides, got "
            f"{sharp.shape[0]}x{sharp.shape[1]} around {height}x{width}"
        )
    border = int(border)
    if min(height, width) + 2 * border <= 2 * radius:
        side = kernels.shape[-1]
        raise ValueError(
            f"reblur_error: images must be at least as large as the kernels, {side}x{side}, "
            f"got {width}x{height}"
        )
    frame = (slice(border, border + height), slice(border, border + width))
    mixing = jnp.pad(mixing, ((border, border), (border, border), (0, 0)))
    cut = max(radius - border, 0)  # pixels whose kernels reach beyond `sharp`
    inside = (slice(cut, height - cut), slice(cut, width - cut))
    blurred = basis_blur(jnp.asarray(sharp), kernels, mixing)[frame][inside]
    error = respond(blurred) - jnp.asarray(blurry)[inside]
    return jnp.sum(weights[inside] * jnp.sum(jnp.square(error), axis=-1))
