"""Whether an estimated blur, applied to the sharp photo, gives the blurry one.

    sum_p weights[p] sum_c (R(blur(sharp))[p, c] - blurry[p, c])^2

over the pixels whose kernels fit into the frame, so that no light from outside has to be guessed.
R is the sensor: black stays black, and bright light saturates softly.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.sensor import saturate
from deblur_jax.typing import Array, Image, Kernels, Mixing, typechecked


def soft_sensor(light: Array) -> jax.Array:
    """Returns what a sensor makes of `light`: clipped at zero, and softly at one."""
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
    """Returns the weighted sum over pixels and channels of the squared error of the blur.

    Args:
        sharp: `[h, w, c]` in the domain in which light adds up, in [0, 1].
        blurry: likewise, of the same frame.
        kernels: `[k, s, s]`, the estimated basis.
        mixing: `[h, w, k]`, the estimated share of each at each pixel.
        weights: `[h, w]`, of the pixels. One over the size of a pixel's segment lets every segment
            count alike; `1 / (h * w * c)` everywhere gives a mean.
        respond: what the sensor does to light, on each value.

    Raises:
        ValueError: if no pixel is as far from the frame as the kernels reach.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2; the response is that of the authors' code.
        They blur a sharp photo that is larger than the blurry one; here both have one frame, and
        the pixels near its edge do not count.
    """
    radius = kernels.shape[-1] // 2
    height, width = blurry.shape[:2]
    if min(height, width) <= 2 * radius:
        side = kernels.shape[-1]
        raise ValueError(
            f"reblur_error: images must be at least as large as the kernels, {side}x{side}, "
            f"got {height}x{width}"
        )
    inside = (slice(radius, height - radius), slice(radius, width - radius))
    error = respond(basis_blur(sharp, kernels, mixing)[inside]) - jnp.asarray(blurry)[inside]
    return jnp.sum(weights[inside] * jnp.sum(jnp.square(error), axis=-1))
