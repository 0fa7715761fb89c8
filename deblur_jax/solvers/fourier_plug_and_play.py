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

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.periodic import kernel_spectrum, power_of
from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.ops.windows import (
    BATCH,
    Windows,
    blend_windows,
    cut_windows,
    on_planes,
    window_responses,
)
from deblur_jax.solvers.frame import check_range, check_sigmas
from deblur_jax.solvers.plug_and_play import COUPLING
from deblur_jax.typing import Array, Image, Scalar, typechecked


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
    start: Image | None = None,
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
        start: a first estimate of the sharp plane, `[h, w, c]`; `observed` if None. After a good
            one, only the last `sigmas` of a schedule are needed.

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
    plane = _periodic(jnp.asarray(kernel, dtype), (height, width), windows)
    sigmas = jnp.asarray(sigmas, dtype)
    pull = jnp.asarray(coupling, dtype) * jnp.square(jnp.asarray(noise, dtype))
    mask = jnp.ones((height, width, 1), dtype) if known is None else jnp.asarray(known, dtype)
    mask = jnp.broadcast_to(mask, observed.shape)
    least = jnp.full_like(observed, -jnp.inf) if floor is None else jnp.asarray(floor, dtype)

    def step(state, entry):
        _, spectra, filled = state
        sigma, penalty = entry
        estimate = denoise(plane.fit(filled, spectra, penalty), sigma)
        spectra = plane.transform(estimate)
        again = plane.blurred(spectra)
        misfit = jnp.sum(mask * jnp.square(again - observed)) / jnp.sum(mask)
        filled = mask * observed + (1 - mask) * jnp.maximum(again, least)
        return (estimate, spectra, filled), {"misfit": misfit}

    entries = (sigmas, pull / jnp.square(sigmas))
    first = observed if start is None else jnp.asarray(start, dtype)
    state = (first, plane.transform(first), observed)
    (estimate, _, _), trace = lax.scan(step, state, entries)
    return estimate, trace


def blurred_plane(kernel: Array, plane: jax.Array, *, windows: Windows | None = None) -> jax.Array:
    """Return a periodic plane `[h, w, c]` blurred by a kernel, or by one for each window."""
    height, width, _ = plane.shape
    periodic = _periodic(jnp.asarray(kernel, plane.dtype), (height, width), windows)
    return periodic.blurred(periodic.transform(plane))


class _Periodic(NamedTuple):
    """What a solver needs of a blur on a periodic plane `[h, w, c]` or on its windows.

    Attributes:
        transform: from an image to its spectra.
        fit: from the observed image, the spectra of an estimate and a penalty to the image `x` that
            minimises `|k x - observed|^2 + penalty |x - estimate|^2`.
        blurred: from the spectra of an image to the blurred image.
    """

    transform: Callable[[jax.Array], jax.Array]
    fit: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
    blurred: Callable[[jax.Array], jax.Array]


def _periodic(kernel: jax.Array, size: tuple[int, int], windows: Windows | None) -> _Periodic:
    return _on_one_plane(kernel, size) if windows is None else _on_windows(kernel, windows)


def _on_one_plane(kernel: jax.Array, size: tuple[int, int]) -> _Periodic:
    response = kernel_spectrum(kernel, size)[None]

    def transform(image: jax.Array) -> jax.Array:
        return jnp.fft.rfft2(jnp.moveaxis(image, -1, 0))

    def image_of(spectra: jax.Array) -> jax.Array:
        return jnp.moveaxis(jnp.fft.irfft2(spectra, size), 0, -1)

    def fit(observed: jax.Array, spectra: jax.Array, penalty: jax.Array) -> jax.Array:
        return image_of(_divided(response, transform(observed), spectra, penalty))

    return _Periodic(transform, fit, lambda spectra: image_of(response * spectra))


def _on_windows(kernels: jax.Array, windows: Windows) -> _Periodic:
    responses = window_responses(kernels, windows)[:, None, ..., 0]

    def planes_of(image: jax.Array) -> jax.Array:
        return jnp.moveaxis(on_planes(cut_windows(image, windows), windows), -1, 1)

    def transform(image: jax.Array) -> jax.Array:
        return lax.map(jnp.fft.rfft2, planes_of(image), batch_size=BATCH)

    def over_windows(find: Callable[..., jax.Array], *given: jax.Array) -> jax.Array:
        planes = lax.map(
            lambda entry: jnp.fft.irfft2(find(*entry), windows.plane), given, batch_size=BATCH
        )
        return blend_windows(jnp.moveaxis(planes, 1, -1), windows)

    def fit(observed: jax.Array, spectra: jax.Array, penalty: jax.Array) -> jax.Array:
        def solve(response, plane, spectrum):
            return _divided(response, jnp.fft.rfft2(plane), spectrum, penalty)

        return over_windows(solve, responses, planes_of(observed), spectra)

    return _Periodic(transform, fit, lambda spectra: over_windows(jnp.multiply, responses, spectra))


def _divided(
    response: jax.Array, observed: jax.Array, estimate: jax.Array, penalty: jax.Array
) -> jax.Array:
    """Return the spectra of the fit, from those of the observed image and of the estimate."""
    total = jnp.conj(response) * observed + penalty.astype(observed.dtype) * estimate
    share = 1 / (power_of(response) + penalty)
    return lax.complex(share * total.real, share * total.imag)  # faster than a complex division


def _check_kernel(kernel: Array, size: tuple[int, int]) -> None:
    side = kernel.shape[-1]
    if side % 2 == 0 or side > min(size):
        raise ValueError(
            f"fourier_plug_and_play: kernel must have an odd side no larger than the image, got "
            f"{side} for {size[0]}x{size[1]}"
        )
