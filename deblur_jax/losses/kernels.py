"""Losses of an estimated kernel field, without storing a kernel for every pixel.

The estimate and the truth are mixtures of a few kernels each, so their difference at a pixel is a
mixture, too:

    difference[p] = sum_k mixing[p, k] kernels[k] - sum_j true_mixing[p, j] true_kernels[j]
                  = sum_i c[p, i] a_i

where `a` holds the estimated and the true kernels, and `c[p]` the estimated and the negated true
mixing coefficients. The weighted sum of squares over all pixels and taps only needs the inner
products of the kernels and those of the coefficients:

    sum_p w[p] |difference[p]|^2 = sum_ij <a_i, a_j> sum_p w[p] c[p, i] c[p, j]

Absolute values have no such closed form. They are summed over about a thousand pixels at a time and
recomputed in the backward pass. At 256x256 pixels and 33x33 taps the kernels of all pixels would
take 285 megabytes a photo.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.typing import Array, Kernels, Mixing, typechecked


TrueKernels = Float[Array, "j s s"]
TrueMixing = Float[Array, "h w j"]
Weights = Float[Array, "h w"]


@typechecked
def squared_kernel_error(
    kernels: Kernels,
    mixing: Mixing,
    true_kernels: TrueKernels,
    true_mixing: TrueMixing,
    weights: Weights,
) -> jax.Array:
    """Returns the weighted sum over pixels of the squared error of their kernels.

    The error of a pixel is the sum of squares over the taps, neither rooted nor averaged. In single
    precision its rounding error is about a millionth of the kernels' squared norm, so that a
    smaller error may come out negative.

    Args:
        kernels: `[k, s, s]`, the estimated basis.
        mixing: `[h, w, k]`, the estimated mixing coefficients.
        true_kernels: `[j, s, s]`.
        true_mixing: `[h, w, j]`.
        weights: `[h, w]`, weights of the pixels; the reciprocal size of a pixel's segment gives all
            segments the same weight.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2 with p = 2.
    """
    taps, coefficients = _difference(kernels, mixing, true_kernels, true_mixing)
    products = jnp.matmul(taps, taps.T, precision="highest")
    weighted = coefficients * weights.reshape(-1, 1)
    return jnp.sum(products * jnp.matmul(weighted.T, coefficients, precision="highest"))


@typechecked
def absolute_kernel_error(
    kernels: Kernels,
    mixing: Mixing,
    true_kernels: TrueKernels,
    true_mixing: TrueMixing,
    weights: Weights,
    *,
    chunk: int = 1024,
) -> jax.Array:
    """Returns the weighted sum over pixels of the absolute error of their kernels.

    Args:
        kernels: `[k, s, s]`, the estimated basis.
        mixing: `[h, w, k]`, the estimated mixing coefficients.
        true_kernels: `[j, s, s]`.
        true_mixing: `[h, w, j]`.
        weights: `[h, w]`, see `squared_kernel_error`.
        chunk: number of pixels whose kernels are computed at a time.

    Raises:
        ValueError: if `chunk` is below one.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2 with p = 1.
    """
    if chunk < 1:
        raise ValueError(f"absolute_kernel_error: chunk must be at least 1 pixel, got {chunk}")
    taps, coefficients = _difference(kernels, mixing, true_kernels, true_mixing)
    flat = jnp.asarray(weights).reshape(-1)
    missing = -flat.size % chunk  # pixels of zero weight
    coefficients = jnp.pad(coefficients, ((0, missing), (0, 0)))
    flat = jnp.pad(flat, (0, missing)).reshape(-1, chunk)

    @jax.checkpoint
    def chunk_error(some):
        coefficients, weights = some
        difference = jnp.matmul(coefficients, taps, precision="highest")
        return jnp.sum(weights * jnp.sum(jnp.abs(difference), axis=-1))

    return jnp.sum(lax.map(chunk_error, (coefficients.reshape(-1, chunk, taps.shape[0]), flat)))


def _difference(kernels, mixing, true_kernels, true_mixing) -> tuple[jax.Array, jax.Array]:
    """Returns all kernels `[i, s * s]`, and their coefficients in the difference `[h * w, i]`."""
    taps = jnp.concatenate([jnp.asarray(kernels), jnp.asarray(true_kernels)])
    coefficients = jnp.concatenate([jnp.asarray(mixing), -jnp.asarray(true_mixing)], axis=-1)
    return taps.reshape(taps.shape[0], -1), coefficients.reshape(-1, coefficients.shape[-1])
