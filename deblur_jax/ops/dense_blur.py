"""Blur with a full kernel for every pixel: the slow and obvious reference.

    out[p] = sum_d kernels[p, d] * image[p + d]

The kernels of a 12-megapixel photo at 33 by 33 are 52 gigabytes; use `basis_blur` or
`line_blur` for work.
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.ops.boundary import check_padding, pad
from deblur_jax.typing import Image, PixelKernels, typechecked


@typechecked
def dense_blur(image: Image, kernels: PixelKernels, *, padding: str = "reflect") -> jax.Array:
    """Blurs `image` with its own kernel at every output pixel.

    This is correlation: `kernels[p, d]` weighs the light that pixel `p` gathers from `p + d`.

    Args:
        image: `[h, w, c]`.
        kernels: `[h, w, s, s]` with `s` odd; the centre tap is the pixel itself.
        padding: how pixels outside the frame are made, see `deblur_jax.ops.boundary`.

    Returns:
        The blurred image, `[h, w, c]`.

    Raises:
        ValueError: if `s` is even or the padding unknown.

    Example:
        >>> kernels = jnp.zeros((4, 4, 3, 3)).at[:, :, 1, 2].set(1.0)  # each looks to its right
        >>> image = jnp.zeros((4, 4, 1)).at[1, 1].set(1.0)
        >>> print(jnp.argwhere(dense_blur(image, kernels)[..., 0]))
        [[1 0]]
    """
    check_padding("dense_blur", padding)
    height, width, side, _ = kernels.shape
    if side % 2 == 0:
        raise ValueError(
            f"dense_blur: kernels must have odd sides so that a centre tap exists, "
            f"got {side}x{side}; pad them with a row and a column of zeros"
        )
    padded = pad(image, side // 2, padding)
    blurred = jnp.zeros(image.shape, jnp.result_type(image, kernels))

    def add_tap(blurred, tap):
        row, column = tap // side, tap % side
        seen = lax.dynamic_slice(padded, (row, column, 0), (height, width, image.shape[2]))
        return blurred + kernels[:, :, row, column, None] * seen, None

    return lax.scan(add_tap, blurred, jnp.arange(side * side))[0]
