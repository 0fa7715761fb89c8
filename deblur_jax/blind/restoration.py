"""Restoration of a photo whose uniform blur kernel was estimated."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from deblur_jax.ops.periodic import bridge, canvas_side, inside_photo
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
    measured = float(noise_level(values)) if noise is None else noise
    level = min(1.0, max((measured**2 + kernel_error**2) ** 0.5, 1 / 255 / 12**0.5))
    reach = next((each for each in SIDES if each >= side), side)
    padded = np.pad(np.asarray(kernel, np.float32), (reach - side) // 2)
    size = (canvas_side(height + reach), canvas_side(width + reach))
    gaps = ((0, size[0] - height), (0, size[1] - width), (0, 0))
    known = np.pad(np.asarray(saturation_weights(values)), gaps, constant_values=1)
    extent = np.asarray((height, width), np.int32)
    restored = _restore(
        padded, np.pad(values, gaps), known, extent, np.float32(level),
        denoise=denoise, steps=steps,
    )  # fmt: skip
    return np.clip(np.asarray(restored)[:height, :width], 0, 1)


@functools.partial(jax.jit, static_argnames=("denoise", "steps"))
def _restore(
    kernel: jax.Array,
    canvas: jax.Array,
    known: jax.Array,
    extent: jax.Array,
    noise: jax.Array,
    *,
    denoise: Denoiser,
    steps: int,
) -> jax.Array:
    filled = bridge(canvas, extent)
    inside = inside_photo(canvas.shape[:2], extent)[..., None]  # pyright: ignore[reportArgumentType]
    floor = jnp.where(inside, canvas, -jnp.inf)
    restored, _ = fourier_plug_and_play(
        kernel, filled, denoise, sigmas=zhang_sigmas(noise, steps=steps), noise=noise,
        known=known * inside, floor=floor,
    )  # fmt: skip
    return restored
