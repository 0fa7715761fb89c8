"""Schedules of noise levels and penalties."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from deblur_jax.typing import Array, is_traced


def log_spaced(
    first: float | Array, last: float | Array, count: int, dtype: DTypeLike = jnp.float32
) -> jax.Array:
    """Returns `count` positive numbers from `first` to `last` in equal ratios.

    Values are checked only outside `jit` and `vmap`.
    """
    if not all(is_traced(end) or end > 0 for end in (first, last)):
        raise ValueError(f"log_spaced: first and last must be positive, got {first} and {last}")
    return jnp.exp(jnp.linspace(jnp.log(first), jnp.log(last), count, dtype=dtype))


def carbajal_sigmas(count: int = 15, dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Returns the denoiser's noise levels of Carbajal et al. 2021, on images in [0, 1].

    They fall from 49 to 7.65 on the 8-bit scale in equal ratios; the authors' code halves them.
    """
    return log_spaced(49 / 255 / 2, 7.65 / 255 / 2, count, dtype)


def gong_penalties(dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Returns the penalties of Gong et al. 2017 for EPLL: 50 to 800, each twice the last."""
    return 50 * 2 ** jnp.arange(5, dtype=dtype)


def zhang_sigmas(
    noise: float | Array, *, steps: int = 8, dtype: DTypeLike = jnp.float32
) -> jax.Array:
    """Returns the denoiser's noise levels of Zhang et al. 2021, on images in [0, 1].

    They fall from 49 on the 8-bit scale to the noise of the photo in equal ratios.

    Args:
        noise: standard deviation of the photo's noise, above 0.
        steps: number of denoising steps.
        dtype: dtype of the result.

    Example:
        >>> print(jnp.round(255 * zhang_sigmas(1 / 255, steps=3)))
        [49.  7.  1.]
    """
    return log_spaced(49 / 255, noise, steps, dtype)
