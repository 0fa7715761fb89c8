"""Plug-and-play deconvolution of a uniform or windowed blur: data steps are divisions of spectra.

The splitting is that of `plug_and_play`. If one kernel blurs a whole periodic plane, the linear
system of the data step,

    (A^T A + penalty) x = A^T y + penalty z,

is diagonal in the Fourier domain. A photo covers only a part of such a plane, and a saturated
pixel is no linear measurement. Both are treated as missing data: after each step, the pixels
outside the photo and the saturated ones are replaced by the current restoration, blurred.

Source: Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", TPAMI 2021,
section 4.2.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.periodic import filtered, kernel_spectrum
from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.ops.windows import (
    BATCH,
    Windows,
    blend_windows,
    blur_windows,
    cut_windows,
    on_planes,
    window_responses,
)
from deblur_jax.solvers.frame import check_range, check_sigmas
from deblur_jax.solvers.plug_and_play import COUPLING
from deblur_jax.typing import Array, Image, Scalar, typechecked


Fit = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
Blurred = Callable[[jax.Array], jax.Array]


@typechecked
def fourier_plug_and_play(
    kernel: Array,
    observed: Image,
    denoise: Callable[[Image, Scalar], jax.Array],
    *,
    windows: Windows | None = None,
    sigmas: Float[Array, " steps"],
    noise: float | Array = QUANTISATION_NOISE,
    coupling: float | Array = COUPLING,
    known: Array | None = None,
    floor: Array | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Restore the sharp plane behind a periodic plane that one kernel has blurred.

    Values are checked only outside of `jit` and `vmap`.

    Args:
        kernel: correlation kernel, `[s, s]`, no larger than the plane; or one for each window,
            `[n, s, s]`.
        observed: the blurred plane, `[h, w, c]`. Where pixels are missing, the start of their
            estimate.
        denoise: maps `(image, sigma)` to a cleaner image.
        windows: of the plane, if each has a kernel of its own. The data step is then solved window
            by window, and its solutions are blended.
        sigmas: noise level of each denoising, usually falling to `noise`; above 0, at most 1.
        noise: standard deviation of the photo's noise, above 0 and at most 1. The error of an
            estimated kernel counts as noise.
        coupling: how much the denoised image counts, at least 0.
        known: one where a pixel was measured, zero where it is missing, `[h, w, 1]` or
            `[h, w, c]`; all are measured if None.
        floor: `[h, w, c]`, what a missing pixel is at least, such as the values of saturated ones.

    Returns:
        The restored plane `[h, w, c]`, not clipped, and a trace: `"misfit"`, the mean squared
        misfit at the known pixels after each denoising.

    Raises:
        ValueError: if an argument does not fit the plane or is out of range.
    """
    height, width, _ = observed.shape
    _check_kernel(kernel, (height, width))
    check_range("fourier_plug_and_play", "coupling", coupling, 0, float("inf"))
    check_sigmas("fourier_plug_and_play", sigmas)
    check_sigmas("fourier_plug_and_play", noise, name="noise")
    observed = jnp.asarray(observed)
    dtype = observed.dtype
    fit, blurred = _fit_and_blur(jnp.asarray(kernel, dtype), (height, width), windows)
    sigmas = jnp.asarray(sigmas, dtype)
    pull = jnp.asarray(coupling, dtype) * jnp.square(jnp.asarray(noise, dtype))
    mask = jnp.ones((height, width, 1), dtype) if known is None else jnp.asarray(known, dtype)
    mask = jnp.broadcast_to(mask, observed.shape)
    least = jnp.full_like(observed, -jnp.inf) if floor is None else jnp.asarray(floor, dtype)

    def step(state, entry):
        estimate, filled = state
        sigma, penalty = entry
        estimate = denoise(fit(filled, estimate, penalty), sigma)
        again = blurred(estimate)
        misfit = jnp.sum(mask * jnp.square(again - observed)) / jnp.sum(mask)
        filled = mask * observed + (1 - mask) * jnp.maximum(again, least)
        return (estimate, filled), {"misfit": misfit}

    entries = (sigmas, pull / jnp.square(sigmas))
    (estimate, _), trace = lax.scan(step, (observed, observed), entries)
    return estimate, trace


def blurred_plane(kernel: Array, plane: jax.Array, *, windows: Windows | None = None) -> jax.Array:
    """Return a periodic plane `[h, w, c]` blurred by a kernel, or by one for each window."""
    height, width, _ = plane.shape
    return _fit_and_blur(jnp.asarray(kernel, plane.dtype), (height, width), windows)[1](plane)


def _fit_and_blur(
    kernel: jax.Array, size: tuple[int, int], windows: Windows | None
) -> tuple[Fit, Blurred]:
    return _on_one_plane(kernel, size) if windows is None else _on_windows(kernel, windows)


def _on_one_plane(kernel: jax.Array, size: tuple[int, int]) -> tuple[Fit, Blurred]:
    """Return the data step and the blur of a periodic plane `[h, w, c]`."""
    response = kernel_spectrum(kernel, size)[..., None]
    return functools.partial(_divided, response), functools.partial(filtered, response)


def _on_windows(kernels: jax.Array, windows: Windows) -> tuple[Fit, Blurred]:
    """Return the data step and the blur of a plane `[h, w, c]` whose windows have kernels."""
    responses = window_responses(kernels, windows)

    def fit(observed: jax.Array, estimate: jax.Array, penalty: jax.Array) -> jax.Array:
        planes = (on_planes(cut_windows(each, windows), windows) for each in (observed, estimate))

        def solve(entry):
            response, known, start = entry
            return _divided(response, known, start, penalty)

        return blend_windows(jax.lax.map(solve, (responses, *planes), batch_size=BATCH), windows)

    return fit, lambda image: blur_windows(image, responses, windows)


def _divided(
    response: jax.Array, observed: jax.Array, estimate: jax.Array, penalty: jax.Array
) -> jax.Array:
    """Return the plane `x` that minimises `|k x - observed|^2 + penalty |x - estimate|^2`."""
    power = jnp.square(response.real) + jnp.square(response.imag)
    spectrum = jnp.conj(response) * jnp.fft.rfft2(observed, axes=(0, 1))
    spectrum += jnp.fft.rfft2(penalty * estimate, axes=(0, 1))
    spectrum /= (power + penalty).astype(spectrum.dtype)
    return jnp.fft.irfft2(spectrum, observed.shape[:2], axes=(0, 1))


def _check_kernel(kernel: Array, size: tuple[int, int]) -> None:
    side = kernel.shape[-1]
    if side % 2 == 0 or side > min(size):
        raise ValueError(
            f"fourier_plug_and_play: kernel must have an odd side no larger than the image, got "
            f"{side} for {size[0]}x{size[1]}"
        )
