"""Restoration of a photo whose blur was estimated, in closed form."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from deblur_jax.blind.kernel_shape import in_side
from deblur_jax.blind.working_photo import measured_noise, trusted_pixels
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.ops.periodic import bridge, canvas_side, inside_photo
from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.ops.windows import RAMP, Windows, centres, windows_of
from deblur_jax.solvers.fourier_plug_and_play import blurred_plane, fourier_plug_and_play
from deblur_jax.solvers.frame import check_range
from deblur_jax.solvers.schedules import zhang_sigmas
from deblur_jax.typing import Array, Denoiser, Image, typechecked


STEPS = 8
ESTIMATED_STEPS = 4  # with an estimated kernel: more of them amplify its error
KERNEL_ERROR = 0.0105  # standard deviation of the noise that a kernel's error counts as
# Kernels are padded to one of these sides: few programs are compiled.
SIDES = (31, 63, 127, 191, 255, 383, 511)


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
    level = effective_noise(np.asarray(photo), noise=noise, kernel_error=kernel_error)
    blur = UniformBlur(jnp.asarray(kernel))
    return restore_closed(photo, blur, denoise=denoise, noise=level, steps=steps)[0]


def restore_closed(
    photo: Array,
    blur: Any,
    *,
    denoise: Denoiser,
    noise: Array | float,
    steps: int = STEPS,
    start: np.ndarray | None = None,
    last: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Restore a photo whose blur is uniform, or nearly so in each window.

    Args:
        photo: `[h, w, c]` in [0, 1].
        blur: a `UniformBlur` or a `WindowedBlur`.
        denoise: the prior.
        noise: standard deviation of the noise, from `effective_noise`.
        steps: of the restoration.
        start: a first estimate of the restored photo, `[h, w, c]`; the photo if None.
        last: how many of the steps are taken, the last ones; all if None.

    Returns:
        The restored photo, clipped to [0, 1], and the residual `blur(restored) - photo`.

    Raises:
        ValueError: if the photo has values outside [0, 1], or a kernel is larger than the photo.
    """
    check_range("restore_closed", "photo", photo, 0, 1)
    height, width, _ = photo.shape
    kernels, side = getattr(blur, "kernel", None), side_of(blur)
    if side % 2 == 0 or side > min(height, width):
        raise ValueError(
            "restore_closed: kernel must have an odd side no larger than the photo, got "
            f"{side} for {height}x{width}"
        )
    values = np.asarray(photo, np.float32)
    reach, room = padded_side(side), room_of(blur)
    size = (canvas_side(height + room), canvas_side(width + room))
    windows = None
    if kernels is None:
        windows = windows_of(size, side, spacing=_spacing(blur))
        kernels = blur.at(*(places - RAMP // 2 for places in centres(windows)))
    gaps = ((0, size[0] - height), (0, size[1] - width), (0, 0))
    weights = np.pad(np.asarray(trusted_pixels(values)), gaps, constant_values=1)
    extent = np.asarray((height, width), np.int32)
    first = values if start is None else start
    restored, again = _restore(
        in_side(kernels, reach), np.pad(values, gaps), weights, extent, np.float32(noise),
        np.pad(first, gaps), denoise=denoise, steps=steps, last=min(last or steps, steps),
        windows=windows,
    )  # fmt: skip
    part = (slice(height), slice(width))
    return np.asarray(restored)[part], np.asarray(again)[part] - values


def padded_side(side: int) -> int:
    """Return the side of `SIDES` that a kernel is padded to; its own if it is larger than all."""
    return next((each for each in SIDES if each >= side), side)


def room_of(blur: Any) -> int:
    """Return how many pixels the canvas has at least beside a photo with this blur."""
    reach = padded_side(side_of(blur))
    return reach if hasattr(blur, "kernel") else max(reach, RAMP)


def _spacing(blur: Any) -> float:
    """Return the least distance between two neighbouring kernels of a `WindowedBlur`."""
    return min(float(np.min(np.diff(each), initial=np.inf)) for each in (blur.rows, blur.columns))


def side_of(blur: Any) -> int:
    """Return the side of the blur's kernels."""
    return jax.tree.leaves(blur)[0].shape[-1]


def effective_noise(
    photo: np.ndarray, *, noise: float | None = None, kernel_error: float = KERNEL_ERROR
) -> float:
    """Return the standard deviation of the photo's noise and of the kernel's error together.

    Args:
        photo: `[h, w, c]`.
        noise: standard deviation of the photo's noise; measured if None.
        kernel_error: noise that the kernel's error counts as.
    """
    measured = measured_noise(photo) if noise is None else noise
    together = (measured**2 + kernel_error**2) ** 0.5
    return min(1.0, max(together, QUANTISATION_NOISE))


@functools.partial(jax.jit, static_argnames=("denoise", "steps", "last", "windows"))
def _restore(
    kernel: Array,
    canvas: Array,
    known: Array,
    extent: Array,
    noise: Array,
    start: Array,
    *,
    denoise: Denoiser,
    steps: int,
    last: int,
    windows: Windows | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Return the restored canvas, clipped, and the same blurred again."""
    filled = bridge(jnp.asarray(canvas), extent)
    inside = inside_photo(canvas.shape[:2], extent)[..., None]  # pyright: ignore[reportArgumentType]
    floor = jnp.where(inside, canvas, -jnp.inf)
    inside = inside.astype(known.dtype)
    # Opposite borders of the canvas fade into each other: in the middle of a gap, not in the photo.
    moved = 0 if windows is None else RAMP // 2
    first = bridge(jnp.asarray(start), extent)
    filled, seen, floor, first = (
        jnp.roll(each, (moved, moved), (0, 1)) for each in (filled, known * inside, floor, first)
    )
    restored, _ = fourier_plug_and_play(
        kernel, filled, denoise, sigmas=zhang_sigmas(noise, steps=steps)[-last:], noise=noise,
        known=seen, floor=floor, start=first, windows=windows,
    )  # fmt: skip
    restored = jnp.clip(restored, 0, 1)
    again = blurred_plane(kernel, restored, windows=windows)
    return jnp.roll(restored, (-moved, -moved), (0, 1)), jnp.roll(again, (-moved, -moved), (0, 1))
