"""The latent image of a known blur whose gradients are sparse (L0), on a periodic plane.

Minimises, over the image x,

    |k x - y|^2 + weight * number of pixels at which x has a gradient

by half-quadratic splitting: gradients too small to pay for their count are set to zero, the image
follows them in the Fourier domain, and the penalty that ties the two doubles.

Source: Xu et al., "Image Smoothing via L0 Gradient Minimization", 2011; in blind deconvolution
Xu, Zheng and Jia, CVPR 2013, and Pan et al., CVPR 2014.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from deblur_jax.ops.periodic import power_of


STIFFEST = 1e3  # penalty at which the splitting ends; beyond it little changes
PENALTIES = 18  # steps from twice the weight to the stiffest
SOFTEST = 2.0  # first penalty, in units of the weight


def gradients(image: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return periodic forward differences to the right and down."""
    return jnp.roll(image, -1, 1) - image, jnp.roll(image, -1, 0) - image


def divergence(right: jax.Array, down: jax.Array) -> jax.Array:
    """Return the adjoint of `gradients`."""
    return jnp.roll(right, 1, 1) - right + jnp.roll(down, 1, 0) - down


def gradient_response(
    size: tuple[int, int], dtype: DTypeLike = jnp.complex64
) -> tuple[jax.Array, jax.Array]:
    """Return what a spectrum `[h, w // 2 + 1]` is multiplied with to get those of `gradients`.

    Args:
        size: of the plane.
        dtype: complex.
    """
    rows = np.exp(2j * np.pi * np.arange(size[0]) / size[0]) - 1
    columns = np.exp(2j * np.pi * np.arange(size[1] // 2 + 1) / size[1]) - 1
    return jnp.asarray(columns[None, :], dtype), jnp.asarray(rows[:, None], dtype)


def sparse_latent(
    spectrum: jax.Array, response: jax.Array, size: tuple[int, int], weight: jax.Array | float
) -> jax.Array:
    """Return the latent image `[h, w]` of a blurred plane.

    Args:
        spectrum: of the blurred plane, `[h, w // 2 + 1]`.
        response: of the blur, from `kernel_spectrum`.
        size: of the plane.
        weight: what a pixel with a gradient costs.
    """
    dtype = response.real.dtype
    data = jnp.conj(response) * spectrum
    power = power_of(response)
    laplacian = sum(power_of(each) for each in gradient_response(size, response.dtype))
    weight = jnp.asarray(weight, dtype)
    exponents = jnp.linspace(0, 1, PENALTIES, dtype=dtype)
    first = SOFTEST * weight
    penalties = first * (STIFFEST / first) ** exponents

    def step(image, penalty):
        right, down = gradients(image)
        kept = jnp.square(right) + jnp.square(down) >= weight / penalty
        edges = divergence(jnp.where(kept, right, 0), jnp.where(kept, down, 0))
        pulled = jnp.fft.rfft2(penalty * edges)
        fitted, share = data + pulled, 1 / (power + penalty * laplacian)
        fitted = jax.lax.complex(share * fitted.real, share * fitted.imag)  # no complex division
        return jnp.fft.irfft2(fitted, size), None

    return jax.lax.scan(step, jnp.fft.irfft2(spectrum, size), penalties)[0]
