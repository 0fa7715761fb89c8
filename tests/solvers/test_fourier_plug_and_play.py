"""Deconvolution of a uniform blur by division of spectra, also with missing pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.periodic import kernel_spectrum
from deblur_jax.ops.windows import windows_of
from deblur_jax.solvers.conjugate_gradient import conjugate_gradient
from deblur_jax.solvers.fourier_plug_and_play import blurred_plane, fourier_plug_and_play
from deblur_jax.solvers.plug_and_play import COUPLING


def keep(image, sigma):
    del sigma
    return image


def problem(key):
    first, second = jax.random.split(key)
    kernel = jax.random.uniform(first, (3, 3))
    return kernel / jnp.sum(kernel), jax.random.uniform(second, (8, 9, 2))


def blur_with(kernel):
    def blur(image):
        moved = [
            kernel[i, j] * jnp.roll(image, (1 - i, 1 - j), (0, 1))
            for i in range(3)
            for j in range(3)
        ]
        return sum(moved)

    return blur


def test_the_division_equals_conjugate_gradients_on_the_same_objective(key):
    kernel, observed = problem(key)
    blur = blur_with(kernel)
    transpose = jax.linear_transpose(blur, observed)
    penalty = COUPLING * (0.05 / 0.1) ** 2
    expected = conjugate_gradient(
        lambda x: transpose(blur(x))[0] + penalty * x,
        transpose(observed)[0] + penalty * observed,
        jnp.zeros_like(observed),
        steps=160,
    )
    restored, trace = fourier_plug_and_play(
        kernel, observed, keep, sigmas=jnp.asarray([0.1]), noise=0.05
    )
    np.testing.assert_allclose(restored, expected, atol=1e-9)
    misfit = jnp.mean(jnp.square(blur(expected) - observed))
    np.testing.assert_allclose(trace["misfit"][0], misfit, rtol=1e-6)


def test_missing_pixels_are_filled_until_they_fit(key):
    kernel = jnp.asarray([[0.0, 0.1, 0.0], [0.1, 0.6, 0.1], [0.0, 0.1, 0.0]])
    sharp = problem(key)[1]
    known = jnp.ones((8, 9, 1)).at[3:5, 4:6].set(0)
    spoilt = jnp.where(known > 0, blur_with(kernel)(sharp), 0.5)
    sigmas = jnp.full(400, 0.1)
    restored, _ = fourier_plug_and_play(
        kernel, spoilt, keep, sigmas=sigmas, noise=0.01, known=known
    )
    np.testing.assert_allclose(known * blur_with(kernel)(restored), known * spoilt, atol=2e-3)
    other, _ = fourier_plug_and_play(
        kernel, jnp.where(known > 0, spoilt, 0.2), keep, sigmas=sigmas, noise=0.01, known=known
    )
    far = jnp.zeros((8, 9)).at[2:6, 3:7].set(1)[..., None] == 0
    np.testing.assert_allclose(jnp.where(far, other, 0), jnp.where(far, restored, 0), atol=0.05)


def test_a_saturated_pixel_never_falls_below_its_floor(key):
    kernel, observed = problem(key)
    known = jnp.ones((8, 9, 1)).at[3, 4].set(0)
    floor = jnp.full_like(observed, -jnp.inf).at[3, 4].set(2.0)
    sigmas = jnp.full(60, 0.1)
    restored, _ = fourier_plug_and_play(
        kernel, observed, keep, sigmas=sigmas, noise=0.01, known=known, floor=floor
    )
    free, _ = fourier_plug_and_play(kernel, observed, keep, sigmas=sigmas, noise=0.01, known=known)
    lit, unlit = (blur_with(kernel)(image)[3, 4] for image in (restored, free))
    assert bool(jnp.all(lit > unlit + 0.5))


def test_windows_of_equal_kernels_are_one_kernel(key):
    kernel, _ = problem(key)
    windows = windows_of((192, 48), 3)
    assert windows.number == 2
    plane = jax.random.uniform(jax.random.fold_in(key, 1), (192, 48, 1))
    kernels = jnp.broadcast_to(kernel, (2, 3, 3))
    several = blurred_plane(kernels, plane, windows=windows)
    np.testing.assert_allclose(several, blur_with(kernel)(plane), atol=1e-6)
    np.testing.assert_allclose(blurred_plane(kernel, plane), several, atol=1e-6)
    options = {"sigmas": jnp.asarray([0.1, 0.1]), "noise": 0.1}
    whole, trace = fourier_plug_and_play(kernel, several, keep, **options)
    parts, other = fourier_plug_and_play(kernels, several, keep, windows=windows, **options)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    np.testing.assert_allclose(other["misfit"], trace["misfit"], rtol=1e-3)


@pytest.mark.parametrize(("side", "size"), [(4, 8), (9, 8)])
def test_a_kernel_that_does_not_fit_is_refused(side, size):
    with pytest.raises(ValueError, match=f"an odd side no larger than the image, got {side} for"):
        fourier_plug_and_play(
            jnp.ones((side, side)), jnp.zeros((size, size, 1)), keep, sigmas=jnp.asarray([0.1])
        )


def test_the_response_of_a_point_is_one():
    point = jnp.zeros((3, 3)).at[1, 1].set(1)
    np.testing.assert_allclose(kernel_spectrum(point, (6, 7)), np.ones((6, 4)), atol=1e-12)
