"""Blur with a full kernel for every pixel: the slow, simple reference.

    out[p] = sum_d kernels[p, d] * image[p + d]

The 33x33 kernels of a photo of 12 megapixels take 52 GB; use `basis_blur` or `line_blur` for real
photos.
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.ops.boundary import check_padding, pad
from deblur_jax.typing import Image, PixelKernels, compute_dtype, typechecked


@typechecked
def dense_blur(image: Image, kernels: PixelKernels, *, padding: str = "reflect") -> jax.Array:
    """Blurs `image` with a separate kernel for every output pixel.

    The kernels are applied as correlation: `kernels[p, d]` weighs the light that pixel `p` gathers
    from `p + d`. Half precision is summed in float32.

    Args:
        image: `[h, w, c]`.
        kernels: `[h, w, s, s]` with `s` odd; the centre tap is the pixel itself.
        padding: how pixels outside the frame are made, see `deblur_jax.ops.boundary`.

    Returns:
        The blurred image, `[h, w, c]`.

    Raises:
        ValueError: if `s` is even or the padding is unknown.

    Example:
        >>> kernels = jnp.zeros((4, 4, 3, 3)).at[:, :, 1, 2].set(1.0)  # read the right neighbour
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
    dtype, sums = jnp.result_type(image, kernels), compute_dtype(image, kernels)

    def add_tap(blurred, tap):
        row, column = tap // side, tap % side
        seen = lax.dynamic_slice(
            padded, (row, column, jnp.zeros_like(row)), (height, width, image.shape[2])
        )
        tap_weights = jnp.asarray(kernels)[:, :, row, column, None].astype(sums)
        return blurred + tap_weights * seen.astype(sums), None

    taps = jnp.arange(side * side, dtype=jnp.int32)
    return lax.scan(add_tap, jnp.zeros(image.shape, sums), taps)[0].astype(dtype)
