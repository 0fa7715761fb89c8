"""The multi-scale loss of a restored photo.

    sum_i |restored_i - shrink(sharp)|^2 / (h w c)

The squared errors of each scale are summed over its own pixels, so full resolution has sixteen
times the weight of quarter resolution. All are divided by the number of values of the sharp photo.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.ops.resample import resize_area
from deblur_jax.typing import Array, Image, typechecked


@typechecked
def multiscale_error(restored: Sequence[Float[Array, "_ _ c"]], sharp: Image) -> jax.Array:
    """Returns the sum of squared errors over all scales, divided by the size of `sharp`.

    Args:
        restored: images `[_, _, c]` whose sides divide those of `sharp`.
        sharp: `[h, w, c]`.

    Raises:
        ValueError: if a side does not divide that of `sharp`.

    Source:
        Noroozi et al., "Motion Deblurring in the Wild", GCPR 2017, equation 1. The paper does not
        divide by the size; here learning rates are independent of the crop.
    """
    total = jnp.zeros((), sharp.dtype)
    for image in restored:
        height, width, channels = image.shape
        whole = sharp.shape[0] % height == 0 and sharp.shape[1] % width == 0
        if not whole or channels != sharp.shape[2]:
            raise ValueError(
                f"multiscale_error: the sides of restored must divide those of sharp, "
                f"{list(sharp.shape)}, got {list(image.shape)}"
            )
        total = total + jnp.sum(jnp.square(image - resize_area(sharp, height, width)))
    return total / sharp.size
