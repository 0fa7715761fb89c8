"""How wrong a restored photo is at several sizes at once.

    sum_i |restored_i - shrink(sharp)|^2 / (h w c)

Each size's squared error is summed over its own pixels, so the full size counts sixteen times as
much as a quarter of it; the number of values of the sharp photo divides them all.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.ops.resample import resize_area
from deblur_jax.typing import Array, Image, typechecked


@typechecked
def multiscale_error(restored: Sequence[Float[Array, "_ _ c"]], sharp: Image) -> jax.Array:
    """Returns the squared errors of all sizes over the number of values of the largest.

    Args:
        restored: images `[_, _, c]` whose sides divide those of `sharp`.
        sharp: `[h, w, c]`.

    Raises:
        ValueError: if a size does not divide that of `sharp`.

    Source:
        Noroozi et al., "Motion Deblurring in the Wild", GCPR 2017, equation 1, whose sum is taken
        per value here, so that learning rates do not depend on the crop.
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
