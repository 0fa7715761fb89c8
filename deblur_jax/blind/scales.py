"""The rounds of blind estimation at one scale: latent image, kernel, latent image, and so on."""

import jax
import jax.numpy as jnp

from deblur_jax.blind.kernel_fit import fit_kernel, normal_equations
from deblur_jax.blind.kernel_shape import centred, clean, support_mask
from deblur_jax.blind.latent import gradient_response, gradients, sparse_latent
from deblur_jax.ops.periodic import kernel_spectrum


COVERED = 0.01  # share of a pixel's light from untrusted pixels at which it leaves the fit


@jax.jit
def refine_at_scale(
    photo: jax.Array,
    trusted: jax.Array,
    kernel: jax.Array,
    support: jax.Array,
    weights: jax.Array,
    ridge: jax.Array,
    smallest: jax.Array,
) -> jax.Array:
    """Return the kernel `[s, s]` after one round for each of the `weights`.

    A latent pixel that contributes to an untrusted one is left out of the kernel's least squares,
    and what it contributes is subtracted from the photo with the kernel of the round before.
    Untrusted pixels are replaced by the latent image, blurred again.

    Args:
        photo: periodic plane, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        kernel: the kernel to start from, `[s, s]`.
        support: side of the central square outside of which the kernel is zero.
        weights: L0 weight of each round.
        ridge: of the kernel's least squares.
        smallest: share of the sum that a piece of the kernel must have, see `clean`.
    """
    height, width = photo.shape
    size = (height, width)
    inner = support_mask(kernel.shape[-1], support).astype(photo.dtype)
    known = known_gradients(trusted)
    unknown = jnp.fft.rfft2(1 - known)

    def refine(state, weight):
        kernel, filled = state
        latent, _, (matrix, right) = equations(filled, known, unknown, kernel, weight)
        kernel = fit_kernel(matrix, right, inner, ridge)
        kernel = centred(clean(kernel, smallest=smallest))
        again = jnp.fft.irfft2(kernel_spectrum(kernel, size) * latent, size)
        return (kernel, jnp.where(trusted > 0, photo, again)), None

    return jax.lax.scan(refine, (kernel, photo), weights)[0][0]


def known_gradients(trusted: jax.Array) -> jax.Array:
    """Return one where a pixel's gradients are of trusted pixels, else zero, `[..., h, w]`."""
    return trusted * jnp.roll(trusted, -1, -1) * jnp.roll(trusted, -1, -2)


def equations(
    filled: jax.Array,
    known: jax.Array,
    unknown: jax.Array,
    kernel: jax.Array,
    weight: jax.Array,
) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
    """Return the latent image of a kernel, and the normal equations for the next kernel.

    Args:
        filled: periodic plane, `[h, w]`, the photo with untrusted pixels replaced.
        known: from `known_gradients`.
        unknown: spectrum of `1 - known`.
        kernel: `[s, s]`.
        weight: L0 weight of the latent image.

    Returns:
        The spectra of the latent image and of the kernel, and `normal_equations`.
    """
    height, width = filled.shape
    size = (height, width)
    response, photo = kernel_spectrum(kernel, size), jnp.fft.rfft2(filled)
    image = sparse_latent(photo, response, size, weight)
    latent = jnp.fft.rfft2(image)
    lost = jnp.fft.irfft2(jnp.conj(response) * unknown, size)
    counted = known * (lost < COVERED).astype(known.dtype)
    right, down = (jnp.fft.rfft2(counted * edge) for edge in gradients(image))
    # The photo's gradients less those of what is left out of the fit, blurred.
    x, y = (
        slope * photo - response * (slope * latent - kept)
        for slope, kept in zip(gradient_response(size, response.dtype), (right, down), strict=True)
    )
    return latent, response, normal_equations((right, down), (x, y), size, kernel.shape[-1])
