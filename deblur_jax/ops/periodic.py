"""Periodic canvases: a photo of any size in an array of few sizes, and the canvas at coarse scales.

Fourier transforms take the plane to be periodic, and compiled programs take arrays of one size.
A photo is therefore laid in the top-left corner of a canvas whose sides come from a short list; the
gap between opposite borders is bridged smoothly. Two photos of the same class share all programs.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.tiling import fast_size
from deblur_jax.typing import Array


MANTISSAS = (16, 18, 20, 21, 24, 27, 28, 30)  # of the canvas's sides, times powers of two
RELAXATIONS = 30  # averaging steps that smooth the bridge


def canvas_side(length: int) -> int:
    """Return the smallest side of the list that is at least `length`.

    Example:
        >>> canvas_side(800), canvas_side(860), canvas_side(897)
        (864, 864, 960)
    """
    power = max(0, math.floor(math.log2(max(length, 16) / 16)))
    sides = [m * 2**p for p in (power, power + 1) for m in MANTISSAS]
    return min(side for side in sides if side >= length)


def scale_sizes(size: tuple[int, int], count: int) -> list[tuple[int, int]]:
    """Return the canvas's size at `count` scales, the full one first, each 0.71 times the last."""
    return [
        (fast_size(round(size[0] * 2 ** (-s / 2))), fast_size(round(size[1] * 2 ** (-s / 2))))
        for s in range(count)
    ]


def lay_on_canvas(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return `plane` `[h, w]` in the corner of a canvas of zeros."""
    height, width = plane.shape
    return np.pad(plane, ((0, size[0] - height), (0, size[1] - width)))


def inside_photo(size: tuple[int, int], extent: Array) -> jax.Array:
    """Return whether each pixel of a canvas belongs to the photo, `[h, w]`.

    Args:
        size: of the canvas.
        extent: `[2]`, the photo's height and width in pixels of this canvas.
    """
    extent = jnp.asarray(extent, jnp.int32)
    rows = jnp.arange(size[0], dtype=jnp.int32)[:, None] < extent[0]
    return rows & (jnp.arange(size[1], dtype=jnp.int32)[None, :] < extent[1])


def bridge(canvas: jax.Array, extent: Array, *, relaxations: int = RELAXATIONS) -> jax.Array:
    """Return the canvas `[h, w, ...]` with the gap beside the photo filled smoothly.

    Args:
        canvas: the photo in the corner; other pixels are ignored.
        extent: `[2]`, integers, the photo's height and width; may be traced.
        relaxations: averaging steps; without any, opposite borders are joined by straight lines.
    """
    height, width = canvas.shape[:2]
    inside = inside_photo((height, width), extent).reshape(height, width, *[1] * (canvas.ndim - 2))
    filled = jnp.where(inside, canvas, 0)
    for axis in (1, 0):
        length = canvas.shape[axis]
        end_of_photo = jnp.asarray(extent[axis], jnp.int32) - 1
        place, last = jnp.arange(length, dtype=canvas.dtype), end_of_photo.astype(canvas.dtype)
        share = jnp.clip((place - last) / (length - last), 0, 1)
        share = share.reshape([-1 if a == axis else 1 for a in range(canvas.ndim)])
        end = jnp.take(filled, end_of_photo[None], axis=axis)
        start = jnp.take(filled, jnp.zeros(1, jnp.int32), axis=axis)
        beyond = (place > last).reshape(share.shape)
        filled = jnp.where(beyond, end * (1 - share) + start * share, filled)

    if relaxations == 0:
        return filled

    def relax(filled, _):
        around = sum(jnp.roll(filled, step, axis) for step in (1, -1) for axis in (0, 1)) / 4
        return jnp.where(inside, filled, around), None

    return jax.lax.scan(relax, filled, None, length=relaxations)[0]


def shrink(canvas: np.ndarray, sizes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Return a periodic canvas `[h, w]` at smaller sizes, averaged over the area of their pixels.

    The spectrum is multiplied by that of the larger pixel and cut. Pixel (0, 0) stays in place.
    This runs in NumPy: each size would be a compiled program of its own.

    Args:
        canvas: `[h, w]`.
        sizes: each at most that of the canvas.
    """
    spectrum = np.fft.fft2(canvas)
    return [canvas if size == canvas.shape else _shrunk(spectrum, size) for size in sizes]


def _shrunk(spectrum: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    for axis in (0, 1):
        old, new = spectrum.shape[axis], size[axis]
        frequency = np.fft.fftfreq(new) * new
        response = np.sinc(frequency / new) * (np.abs(frequency) < new / 2) * new / old
        kept = np.take(spectrum, frequency.astype(int) % old, axis=axis)
        spectrum = kept * np.expand_dims(response, 1 - axis).astype(kept.real.dtype)
    return np.fft.ifft2(spectrum).real


def filtered(response: jax.Array, plane: jax.Array) -> jax.Array:
    """Return a periodic plane `[h, w, c]`, its spectrum multiplied by `response`."""
    spectrum = response * jnp.fft.rfft2(plane, axes=(0, 1))
    return jnp.fft.irfft2(spectrum, plane.shape[:2], axes=(0, 1))


def kernel_spectrum(kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Return the spectrum that a periodic plane is multiplied with to correlate it with `kernel`.

    Args:
        kernel: `[s, s]`, a correlation kernel: `out[p] = sum_d kernel[d] image[p + d]`.
        size: of the plane, at least that of the kernel.

    Returns:
        `[h, w // 2 + 1]`, complex.
    """
    side = kernel.shape[-1]
    plane = jnp.zeros(size, kernel.dtype).at[:side, :side].set(kernel)
    plane = jnp.roll(plane, (-(side // 2), -(side // 2)), (0, 1))
    return jnp.conj(jnp.fft.rfft2(plane))


def power_of(spectrum: jax.Array) -> jax.Array:
    """Return the squared modulus of a spectrum."""
    return jnp.square(spectrum.real) + jnp.square(spectrum.imag)
