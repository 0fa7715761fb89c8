"""Spatially varying blur as a per-pixel mixture of a few shared kernels.

    gather    out[p] = sum_k mixing[p, k] * sum_d kernels[k, d] * image[p + d]
    scatter   out[p] = sum_k sum_d kernels[k, d] * mixing[p + d, k] * image[p + d]

`gather` mixes after the filtering: `mixing[p]` names the kernel with which output pixel `p`
collects light. `scatter` mixes before: `mixing[q]` names how the light of pixel `q` is spread.
They are different operators, and the adjoint of one has the form of the other with its kernels
turned by 180 degrees.
"""

import jax
import jax.numpy as jnp

from deblur_jax.ops import fourier
from deblur_jax.ops.boundary import check_padding, pad
from deblur_jax.typing import Image, Kernels, Mixing, typechecked


ORDERS = ("gather", "scatter")
METHODS = ("auto", "fft")


@typechecked
def basis_blur(
    image: Image,
    kernels: Kernels,
    mixing: Mixing,
    *,
    order: str = "gather",
    padding: str = "reflect",
    method: str = "auto",
    precision: str = "highest",
) -> jax.Array:
    """Blurs `image` with the kernel field spanned by `kernels` and `mixing`.

    This is correlation, as in the papers: in `gather` order a point of light under one kernel
    is drawn as that kernel turned by 180 degrees. The result is linear in each array argument
    and never clipped.

    Args:
        image: `[h, w, c]`.
        kernels: `[k, s, s]` with `s` odd; the centre tap is the pixel itself. Each should be
            non-negative and sum to one, which keeps the mean brightness; not checked.
        mixing: `[h, w, k]`, the weight of each kernel at each pixel. Should sum to one over
            `k`; not checked.
        order: "gather" filters, then mixes; "scatter" mixes, then filters.
        padding: how pixels outside the frame are made, see `deblur_jax.ops.boundary`; in
            scatter order it is the mixed images that are padded.
        method: how it is computed; the numbers agree.
        precision: of the matrix multiplications of the methods that use them.

    Returns:
        The blurred image, `[h, w, c]`.

    Raises:
        ValueError: if `s` is even, or an option unknown.

    Source:
        Carbajal et al., "Non-uniform Motion Blur Kernel Estimation via Adaptive Decomposition",
        arXiv:2102.01026, eq. 2 (gather order).
    """
    check_padding("basis_blur", padding)
    if order not in ORDERS:
        raise ValueError(f"basis_blur: order must be one of {list(ORDERS)}, got {order!r}")
    if method not in METHODS:
        raise ValueError(f"basis_blur: method must be one of {list(METHODS)}, got {method!r}")
    side = kernels.shape[-1]
    if side % 2 == 0:
        raise ValueError(
            f"basis_blur: kernels must have odd sides so that a centre tap exists, "
            f"got {side}x{side}; pad them with a row and a column of zeros"
        )
    padded, kernels = pad(image, side // 2, padding), jnp.asarray(kernels)
    if order == "gather":
        return fourier.filter_then_mix(padded, kernels, jnp.asarray(mixing))
    return fourier.mix_then_filter(padded, kernels, pad(mixing, side // 2, padding))
