"""Restoration of a photo whose uniform blur kernel was estimated."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from deblur_jax.ops.periodic import bridge, canvas_side, inside_photo
from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.ops.windows import Windows
from deblur_jax.solvers.diagnosis import noise_level
from deblur_jax.solvers.fourier_plug_and_play import fourier_plug_and_play
from deblur_jax.solvers.frame import check_range, saturation_weights
from deblur_jax.solvers.schedules import zhang_sigmas
from deblur_jax.typing import Array, Denoiser, Image, typechecked


STEPS = 8
KERNEL_ERROR = 0.01  # standard deviation of the noise that a kernel's error counts as
SIDES = (31, 63, 127, 255, 511)  # kernels are padded to one of these: few programs are compiled


@typechecked
def restore_uniform(
    photo: Image,
    kernel: Float[Array, "s s"],
    *,
    denoise: Denoiser,
    noise: float | None = None,
    kernel_error: float = KERNEL_ERROR,
    steps: int = STEPS,
) -> np.ndarray:
    """Restore a photo with a known or estimated uniform kernel.

    Args:
        photo: `[h, w, c]` in [0, 1].
        kernel: correlation kernel, `[s, s]`, from `estimate_kernel`.
        denoise: the prior, such as `load_denoiser()`. The same function for every photo shares
            the compiled program.
        noise: standard deviation of the photo's noise; measured if None.
        kernel_error: noise that the kernel's error counts as; 0 for an exact kernel.
        steps: of the restoration.

    Returns:
        The restored photo `[h, w, c]`, clipped to [0, 1].

    Raises:
        ValueError: if the photo has values outside [0, 1], or the kernel is larger than the photo.
    """
    check_range("restore_uniform", "photo", photo, 0, 1)
    height, width, _ = photo.shape
    side = kernel.shape[0]
    if side % 2 == 0 or side > min(height, width):
        raise ValueError(
            "restore_uniform: kernel must have an odd side no larger than the photo, got "
            f"{side} for {height}x{width}"
        )
    values = np.asarray(photo, np.float32)
    level = effective_noise(values, noise=noise, kernel_error=kernel_error)
    taps = padded(kernel)
    size = (canvas_side(height + len(taps)), canvas_side(width + len(taps)))
    gaps = ((0, size[0] - height), (0, size[1] - width), (0, 0))
    weights = np.pad(np.asarray(saturation_weights(values)), gaps, constant_values=1)
    extent = np.asarray((height, width), np.int32)
    restored = _restore(
        taps, np.pad(values, gaps), weights, extent, level, denoise=denoise, steps=steps
    )
    return np.clip(np.asarray(restored)[:height, :width], 0, 1)


def padded(kernel: Array) -> np.ndarray:
    """Return the kernel with zeros around it, so that its side is one of `SIDES` if possible."""
    side = kernel.shape[0]
    reach = next((each for each in SIDES if each >= side), side)
    return np.pad(np.asarray(kernel, np.float32), (reach - side) // 2)


def effective_noise(
    photo: np.ndarray, *, noise: float | None = None, kernel_error: float = KERNEL_ERROR
) -> np.float32:
    """Return the standard deviation of the photo's noise and of the kernel's error together.

    Args:
        photo: `[h, w, c]`.
        noise: standard deviation of the photo's noise; measured if None.
        kernel_error: noise that the kernel's error counts as.
    """
    measured = float(noise_level(photo)) if noise is None else noise
    together = (measured**2 + kernel_error**2) ** 0.5
    return np.float32(min(1.0, max(together, QUANTISATION_NOISE)))


def restore_traced(
    kernel: Array, noise: Array, photo: Array, *, denoise: Denoiser, steps: int = STEPS
) -> jax.Array:
    """Restore a photo without checks, for use inside `jit`; the result is not clipped.

    Args:
        kernel: correlation kernel, `[s, s]`, from `padded`.
        noise: see `effective_noise`.
        photo: `[h, w, c]` in [0, 1].
        denoise: the prior.
        steps: of the restoration.
    """
    height, width, _ = photo.shape
    size = (canvas_side(height + kernel.shape[0]), canvas_side(width + kernel.shape[0]))
    gaps = ((0, size[0] - height), (0, size[1] - width), (0, 0))
    weights = jnp.pad(saturation_weights(photo), gaps, constant_values=1)
    return _restore(
        jnp.asarray(kernel), jnp.pad(jnp.asarray(photo), gaps), weights,
        jnp.asarray((height, width), jnp.int32), jnp.asarray(noise), denoise=denoise, steps=steps,
    )[:height, :width]  # fmt: skip


@functools.partial(jax.jit, static_argnames=("denoise", "steps", "windows"))
def _restore(
    kernel: Array,
    canvas: Array,
    known: Array,
    extent: Array,
    noise: Array,
    *,
    denoise: Denoiser,
    steps: int,
    windows: Windows | None = None,
) -> jax.Array:
    filled = bridge(jnp.asarray(canvas), extent)
    inside = inside_photo(canvas.shape[:2], extent)[..., None]  # pyright: ignore[reportArgumentType]
    floor = jnp.where(inside, canvas, -jnp.inf)
    restored, _ = fourier_plug_and_play(
        kernel, filled, denoise, sigmas=zhang_sigmas(noise, steps=steps), noise=noise,
        known=known * inside, floor=floor, windows=windows,
    )  # fmt: skip
    return restored
