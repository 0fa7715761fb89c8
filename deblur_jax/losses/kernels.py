"""How wrong an estimated kernel field is, without a kernel for every pixel.

The estimate and the truth are mixtures of a few kernels each, so their difference at a pixel is a
mixture too,

    difference[p] = sum_k mixing[p, k] kernels[k] - sum_j true_mixing[p, j] true_kernels[j]
                  = sum_i c[p, i] a_i

with the estimated and the true kernels side by side in `a`, and `c[p]` the mixing and minus the
true mixing. The weighted sum of squares over all pixels and taps needs the inner products of the
kernels alone, and those of the weights:

    sum_p w[p] |difference[p]|^2 = sum_ij <a_i, a_j> sum_p w[p] c[p, i] c[p, j]

For absolute values there is no such short cut. They are summed over a few thousand pixels at a
time, and made again in the backward pass. At 256x256 pixels and 33x33 taps the kernels of all
pixels would be 285 megabytes a photo.
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

    It sums over the taps, without a root and without dividing by their number. Where the error is
    below a millionth of the kernels' own squares, single precision rounds it, to either side of
    zero.

    Args:
        kernels: `[k, s, s]`, the estimated basis.
        mixing: `[h, w, k]`, the estimated share of each at each pixel.
        true_kernels: `[j, s, s]`.
        true_mixing: `[h, w, j]`.
        weights: `[h, w]`, of the pixels; one over the size of a pixel's segment lets every segment
            count alike.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2 with p = 2.
    """
    taps, shares = _difference(kernels, mixing, true_kernels, true_mixing)
    products = jnp.matmul(taps, taps.T, precision="highest")
    weighted = shares * weights.reshape(-1, 1)
    return jnp.sum(products * jnp.matmul(weighted.T, shares, precision="highest"))


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
        mixing: `[h, w, k]`, the estimated share of each at each pixel.
        true_kernels: `[j, s, s]`.
        true_mixing: `[h, w, j]`.
        weights: `[h, w]`, see `squared_kernel_error`.
        chunk: pixels whose kernels exist at a time.

    Raises:
        ValueError: if `chunk` is below one.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.2 with p = 1.
    """
    if chunk < 1:
        raise ValueError(f"absolute_kernel_error: chunk must be at least 1 pixel, got {chunk}")
    taps, shares = _difference(kernels, mixing, true_kernels, true_mixing)
    flat = jnp.asarray(weights).reshape(-1)
    missing = -flat.size % chunk  # pixels of no weight
    shares = jnp.pad(shares, ((0, missing), (0, 0))).reshape(-1, chunk, taps.shape[0])
    flat = jnp.pad(flat, (0, missing)).reshape(-1, chunk)

    @jax.checkpoint
    def error(some):
        shares, weights = some
        difference = jnp.matmul(shares, taps, precision="highest")
        return jnp.sum(weights * jnp.sum(jnp.abs(difference), axis=-1))

    return jnp.sum(lax.map(error, (shares, flat)))


def _difference(kernels, mixing, true_kernels, true_mixing) -> tuple[jax.Array, jax.Array]:
    """Returns all kernels `[i, s * s]`, and the share `[h * w, i]` of each in the difference."""
    taps = jnp.concatenate([jnp.asarray(kernels), jnp.asarray(true_kernels)])
    shares = jnp.concatenate([jnp.asarray(mixing), -jnp.asarray(true_mixing)], axis=-1)
    return taps.reshape(taps.shape[0], -1), shares.reshape(-1, shares.shape[-1])
