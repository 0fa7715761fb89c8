"""Spatially varying blur as a per-pixel mixture of a few shared kernels.

    gather    out[p] = sum_k mixing[p, k] * sum_d kernels[k, d] * image[p + d]
    scatter   out[p] = sum_k sum_d kernels[k, d] * mixing[p + d, k] * image[p + d]

`gather` mixes after filtering: `mixing[p]` weighs the kernels with which output pixel `p` collects
light. `scatter` mixes before filtering: `mixing[q]` weighs the kernels that spread the light of
pixel `q`. The two operators differ; the adjoint of one has the form of the other with its kernels
turned by 180 degrees.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from deblur_jax.ops import fourier, pixelwise_form
from deblur_jax.ops.boundary import check_padding, pad
from deblur_jax.typing import Array, Image, Kernels, Mixing, compute_dtype, typechecked


ORDERS = ("gather", "scatter")
METHODS = ("auto", "fft", "pixelwise")
PRECISIONS = ("default", "high", "highest")


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

    The kernels are applied as correlation, as in the papers: in `gather` order, the image of a
    point of light under one kernel is that kernel turned by 180 degrees. The result is linear in
    each array argument and not clipped. Half precision is computed in float32.

    Args:
        image: `[h, w, c]`.
        kernels: `[k, s, s]` with `s` odd; the centre tap is the pixel itself. Each kernel should
            be non-negative and sum to one, which keeps the mean brightness; not checked.
        mixing: `[h, w, k]`, the weight of each kernel at each pixel. The weights should sum to
            one over `k`; not checked.
        order: "gather" filters, then mixes; "scatter" mixes, then filters.
        padding: how pixels outside the frame are made, see `deblur_jax.ops.boundary`. In scatter
            order the mixed images are padded.
        method: the algorithm; the results agree. "fft" transforms tiles, "pixelwise" computes the
            kernel of each pixel, "auto" selects the faster one, see `choose_method`. A NaN in the
            image spoils the pixels whose kernels reach it, with "fft" their whole tile. A NaN in
            the mixing spoils its own pixel.
        precision: precision of matrix products, the name of a `jax.lax.Precision`. "highest" is
            full single precision on every device. "high" and "default" are faster on a GPU or TPU,
            which then rounds every factor to TF32 or bfloat16; the relative error of a blur of
            non-negative light is at most 0.002 or 0.016. All are the same on a CPU. Transforms
            always use full precision.

    Returns:
        The blurred image, `[h, w, c]`.

    Raises:
        ValueError: if `s` is even or an option is unknown.

    Source:
        Carbajal et al., "Non-uniform Motion Blur Kernel Estimation via Adaptive Decomposition",
        arXiv:2102.01026, eq. 2 (gather order).

    Example:
        >>> image = jnp.zeros((5, 6, 1)).at[2, 2].set(1.0)  # a point of light
        >>> still = jnp.zeros((3, 3)).at[1, 1].set(1.0)
        >>> across = jnp.zeros((3, 3)).at[1].set(jnp.asarray([0.25, 0.5, 0.25]))
        >>> mixing = jnp.full((5, 6, 2), 0.5)  # half of each, everywhere
        >>> print(basis_blur(image, jnp.stack([still, across]), mixing)[2, :, 0])
        [0.    0.125 0.75  0.125 0.    0.   ]
    """
    check_options("basis_blur", kernels, order, padding, method, precision)
    dtype = jnp.result_type(image, kernels, mixing)
    compute = compute_dtype(image, kernels, mixing)  # no half-precision FFT in XLA
    image, kernels, mixing = (jnp.asarray(x, compute) for x in (image, kernels, mixing))
    if method == "auto":
        method = choose_method(kernels.shape[-1], kernels.shape[0], jax.default_backend())
    radius = kernels.shape[-1] // 2
    if order == "scatter":
        mixing = pad(mixing, radius, padding)
    blur = padded_blur(order, method, precision)
    return blur(pad(image, radius, padding), kernels, mixing).astype(dtype)


def choose_method(side: int, basis: int, backend: str) -> str:
    """Returns the method that `method="auto"` selects.

    On a CPU, the cost of "pixelwise" grows with the number of taps, and that of "fft" with the
    number of kernels. They are equal where `side ** 2` is `12 * basis + 40`: measured on two cores
    at 256x256 and 720x1280 for sides 5 to 21, with forward, adjoint and gradient together. Other
    devices were not measured and use "fft".
    """
    return "pixelwise" if backend == "cpu" and side**2 <= 12 * basis + 40 else "fft"


def check_options(
    function: str, kernels: Array, order: str, padding: str, method: str, precision: str
) -> None:
    """Raises a ValueError that names `function` if an option is unknown or the side is even."""
    check_padding(function, padding)
    options = (
        ("order", order, ORDERS),
        ("method", method, METHODS),
        ("precision", precision, PRECISIONS),
    )
    for name, value, known in options:
        if value not in known:
            raise ValueError(f"{function}: {name} must be one of {list(known)}, got {value!r}")
    side = kernels.shape[-1]
    if side % 2 == 0:
        raise ValueError(
            f"{function}: kernels must have odd sides so that a centre tap exists, "
            f"got {side}x{side}; pad them with a row and a column of zeros"
        )


def padded_blur(order: str, method: str, precision: str) -> Callable[..., jax.Array]:
    """Returns `blur(padded image, kernels, mixing)`.

    In scatter order the mixing must be padded like the image.
    """
    index = ORDERS.index(order)
    if method == "fft":
        return (fourier.filter_then_mix, fourier.mix_then_filter)[index]
    return functools.partial(
        (pixelwise_form.filter_then_mix, pixelwise_form.mix_then_filter)[index],
        precision=precision,
    )
