"""Basis blur by fast Fourier transforms, one basis kernel at a time.

Both functions take arrays that are padded already and return the pixels whose window lies
inside, so a circular transform of the padded size is exact. The scan over the basis bounds the
memory by a few images, and its body is recomputed in the backward pass instead of kept.
"""

import jax
import jax.numpy as jnp
from jax import lax


def fast_size(size: int) -> int:
    """Returns the smallest even number of the form 2^a 3^b 5^c 7^d that is at least `size`."""
    candidate = size + size % 2
    while True:
        rest = candidate
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return candidate
        candidate += 2


def filter_then_mix(padded: jax.Array, kernels: jax.Array, mixing: jax.Array) -> jax.Array:
    """Filters with every kernel, then mixes.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.

    Returns:
        `[h, w, c]`.
    """
    height, width, _ = mixing.shape
    sizes = tuple(fast_size(size) for size in padded.shape[:2])
    spectrum = jnp.fft.rfft2(jnp.moveaxis(padded, 2, 0), sizes)

    @jax.checkpoint
    def add_kernel(blurred, inputs):
        kernel, weights = inputs
        transfer = jnp.conj(jnp.fft.rfft2(kernel, sizes))
        filtered = jnp.fft.irfft2(spectrum * transfer[None], sizes)[:, :height, :width]
        return blurred + weights[None] * filtered, None

    blank = jnp.zeros((padded.shape[2], height, width), jnp.result_type(padded, kernels, mixing))
    blurred, _ = lax.scan(add_kernel, blank, (kernels, jnp.moveaxis(mixing, 2, 0)))
    return jnp.moveaxis(blurred, 0, 2)


def mix_then_filter(padded: jax.Array, kernels: jax.Array, mixing: jax.Array) -> jax.Array:
    """Mixes with every map, then filters.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h + s - 1, w + s - 1, k]`, padded like the image.

    Returns:
        `[h, w, c]`.
    """
    reach = kernels.shape[-1] - 1
    height, width = padded.shape[0] - reach, padded.shape[1] - reach
    sizes = tuple(fast_size(size) for size in padded.shape[:2])
    channels = jnp.moveaxis(padded, 2, 0)

    @jax.checkpoint
    def add_kernel(spectrum, inputs):
        kernel, weights = inputs
        transfer = jnp.conj(jnp.fft.rfft2(kernel, sizes))
        return spectrum + transfer[None] * jnp.fft.rfft2(weights[None] * channels, sizes), None

    blank = jnp.zeros_like(jnp.fft.rfft2(channels, sizes))
    spectrum, _ = lax.scan(add_kernel, blank, (kernels, jnp.moveaxis(mixing, 2, 0)))
    return jnp.moveaxis(jnp.fft.irfft2(spectrum, sizes)[:, :height, :width], 0, 2)
