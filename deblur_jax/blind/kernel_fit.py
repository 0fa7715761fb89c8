"""A blur kernel by regularised least squares from the gradients of a photo and its latent image."""

import jax
import jax.numpy as jnp

from deblur_jax.ops.tiling import fast_size


STEPS = 20  # of conjugate gradients

Pair = tuple[jax.Array, jax.Array]


def normal_equations(
    latent: Pair, photo: Pair, size: tuple[int, int], side: int
) -> tuple[jax.Array, jax.Array]:
    """Return matrix and right-hand side of the least-squares fit `latent * kernel = photo`.

    Args:
        latent: spectra of the latent image's gradients, `[h, w // 2 + 1]` each.
        photo: spectra of the photo's gradients.
        size: of the periodic plane.
        side: of the kernel, odd.

    Returns:
        The autocorrelation of the latent gradients, `[2 s - 1, 2 s - 1]`, which stands for the
        matrix (Toeplitz), and their correlation with the photo's, `[s, s]`.
    """
    power = sum(x * jnp.conj(x) for x in latent)
    shared = sum(x * jnp.conj(y) for x, y in zip(latent, photo, strict=True))
    matrix, right = jnp.fft.irfft2(jnp.stack([power, shared]), size)
    return _centre(matrix, 2 * side - 1), _centre(right, side)


def fit_kernel(
    matrix: jax.Array, right: jax.Array, support: jax.Array, ridge: jax.Array, *, steps: int = STEPS
) -> jax.Array:
    """Return the kernel `[s, s]` that minimises the misfit plus `ridge` times its squared norm.

    Args:
        matrix: from `normal_equations`.
        right: right-hand side.
        support: `[s, s]`, one where the kernel may differ from zero, else zero.
        ridge: at least 0.
        steps: of conjugate gradients.
    """
    side = right.shape[-1]
    length = fast_size(2 * side - 1)
    spectrum = jnp.fft.rfft2(matrix, (length, length))

    def apply(kernel):
        product = jnp.fft.irfft2(spectrum * jnp.fft.rfft2(kernel, (length, length)), (length,) * 2)
        return (
            support * (product[side - 1 : 2 * side - 1, side - 1 : 2 * side - 1]) + ridge * kernel
        )

    right = support * right
    kernel = support / jnp.sum(support)
    rest = right - apply(kernel)
    tiny = jnp.finfo(right.dtype).tiny

    def step(state, _):
        kernel, rest, direction, square = state
        moved = apply(direction)
        length = square / jnp.maximum(jnp.vdot(direction, moved), tiny)
        kernel, rest = kernel + length * direction, rest - length * moved
        following = jnp.vdot(rest, rest)
        direction = rest + following / jnp.maximum(square, tiny) * direction
        return (kernel, rest, direction, following), None

    state = (kernel, rest, rest, jnp.vdot(rest, rest))
    return jax.lax.scan(step, state, None, length=steps)[0][0]


def _centre(plane: jax.Array, side: int) -> jax.Array:
    """Return the `side` x `side` values around the origin of a periodic plane."""
    half = side // 2
    return jnp.roll(plane, (half, half), (0, 1))[:side, :side]
