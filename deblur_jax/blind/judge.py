"""One energy for every blur that is tried on a photo, no blur among them.

    energy = mean (k x - y)^2 + WEIGHT * share of pixels at which x has a gradient

with the latent image x that minimises it for the kernel k. An estimate that ran away needs more
gradients and leaves more over than no blur does. Where energies agree, the ratio of the L1 to the
L2 norm of the latent image's gradients decides: it falls as edges get sharper.
"""

import dataclasses

import jax
import jax.numpy as jnp

from deblur_jax.blind.latent import gradients, sparse_latent
from deblur_jax.ops.periodic import inside_photo, kernel_spectrum


WEIGHT = 1e-3  # of a pixel with a gradient
GRADIENT = 1e-2  # from which a pixel counts as one with a gradient
BORDER = 46  # pixels beside the photo's border that are not judged


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Judgement:
    """How a kernel and its latent image explain a photo.

    Attributes:
        energy: mean squared misfit plus the weighted share of gradients, a scalar.
        misfit: mean squared misfit, a scalar.
        ratio: L1 norm over L2 norm of the latent gradients, 1 where all are equal, a scalar.
    """

    energy: jax.Array
    misfit: jax.Array
    ratio: jax.Array


@jax.jit
def judge(photo: jax.Array, trusted: jax.Array, extent: jax.Array, kernel: jax.Array) -> Judgement:
    """Return the energy of a kernel.

    Args:
        photo: bridged canvas, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        extent: `[2]`, the photo's height and width.
        kernel: correlation kernel, `[s, s]`.
    """
    height, width = photo.shape
    size = (height, width)
    response = kernel_spectrum(kernel, size)
    latent = sparse_latent(jnp.fft.rfft2(photo), response, size, WEIGHT)
    again = jnp.fft.irfft2(response * jnp.fft.rfft2(latent), size)
    border = jnp.minimum(BORDER, jnp.min(extent) // 8)
    inside = inside_photo(size, extent - 2 * border)
    inside = jnp.roll(inside, jnp.stack([border, border]), (0, 1))
    lost = jnp.fft.irfft2(jnp.conj(response) * jnp.fft.rfft2(1 - trusted), size)
    seen = inside * trusted * (lost < 0.01)
    count = jnp.maximum(jnp.sum(seen), 1)
    misfit = jnp.sum(seen * jnp.square(again - photo)) / count
    right, down = gradients(latent)
    square = seen * (jnp.square(right) + jnp.square(down))
    share = jnp.sum(square > GRADIENT**2) / count
    ratio = jnp.sum(jnp.sqrt(square)) / jnp.sqrt(count * jnp.sum(square) + 1e-12)
    return Judgement(misfit + WEIGHT * share, misfit, ratio)
