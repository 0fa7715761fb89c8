"""Hybrid steepest descent: its objective, fixed points and transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import BasisBlur, LineBlur
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation


solve = jax.jit(steepest_descent, static_argnames=("denoise", "margin"))


def keep(image, sigma):
    del sigma
    return image


def denoise(image, sigma):
    return denoise_total_variation(image, 0.1 * sigma, steps=5)


def line_problem(key, side=14):
    image = jax.random.uniform(key, (side, side, 2))
    blur = LineBlur(jnp.full((side, side, 2), 2.5))
    return blur, blur(image), image


def basis_problem(key, side=14):
    keys = jax.random.split(key, 3)
    kernels = jax.nn.softmax(2 * jax.random.normal(keys[0], (2, 9))).reshape(2, 3, 3)
    mixing = jax.nn.softmax(jax.random.normal(keys[1], (side, side, 2)))
    blur = BasisBlur(kernels, mixing)
    image = jax.random.uniform(keys[2], (side, side, 2))
    return blur, blur(image), image


PROBLEMS = pytest.mark.parametrize(
    "problem", [basis_problem, pytest.param(line_problem, marks=pytest.mark.slow)]
)


@PROBLEMS
def test_the_misfit_falls_without_a_prior(key, problem):
    blur, observed, _ = problem(key)
    _, trace = solve(blur, observed, denoise=keep, sigmas=jnp.ones(8), margin=4)
    assert np.all(np.diff(trace["misfit"]) < 0)


@PROBLEMS
def test_the_misfit_returned_is_that_of_the_image_returned(key, problem):
    blur, observed, _ = problem(key)
    restored, trace = solve(blur, observed, denoise=denoise, sigmas=jnp.ones(3), margin=0)
    np.testing.assert_allclose(trace["misfit"][-1], jnp.mean(jnp.square(blur(restored) - observed)))


@PROBLEMS
def test_restoring_comes_closer_to_the_sharp_image(key, problem):
    blur, observed, image = problem(key)
    restored, _ = solve(blur, observed, denoise=keep, sigmas=jnp.ones(20), margin=4)
    inside = slice(4, -4)
    before = jnp.mean(jnp.square(observed - image)[inside, inside])
    after = jnp.mean(jnp.square(restored - image)[inside, inside])
    assert after < 0.5 * before


@pytest.mark.parametrize("margin", [4, pytest.param(0, marks=pytest.mark.slow)])
def test_no_blur_and_no_prior_return_the_image(key, margin):
    image = jax.random.uniform(key, (10, 11, 3))
    blur = LineBlur(jnp.zeros((10, 11, 2)))
    restored, trace = solve(blur, image, denoise=keep, sigmas=jnp.ones(2), margin=margin)
    np.testing.assert_allclose(restored, image, atol=1e-12)
    np.testing.assert_allclose(trace["misfit"], 0, atol=1e-24)


def test_one_iteration_is_two_gradient_steps_and_a_step_to_the_denoised(key):
    blur, observed, _ = basis_problem(key)

    def dim(image, sigma):
        return image * sigma

    restored, _ = steepest_descent(
        blur, observed, dim, sigmas=jnp.asarray([0.5]), margin=0, relaxation=0.9
    )
    x = observed
    for _ in range(2):
        x = x - 2 / 3 * blur.adjoint(blur(x) - observed)
    np.testing.assert_allclose(restored, 0.1 * x + 0.9 * 0.5 * x, rtol=1e-10)


@pytest.mark.slow
def test_the_solve_can_be_differentiated_with_respect_to_the_motion(key):
    _, observed, image = line_problem(key, side=8)
    observed, image = observed[..., :1], image[..., :1]

    @jax.jit
    def error(scale):
        blur = LineBlur(scale * jnp.full((8, 8, 2), 2.5))
        restored, _ = steepest_descent(
            blur, observed, denoise=denoise, sigmas=jnp.ones(2), margin=2
        )
        return jnp.mean(jnp.square(restored - image))

    slope = jax.jit(jax.grad(error))(0.9)
    expected = (error(0.9 + 1e-6) - error(0.9 - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope, expected, rtol=1e-4)


@pytest.mark.parametrize("margin", [-1, 14])
def test_a_margin_that_does_not_fit_is_refused(key, margin):
    blur, observed, _ = line_problem(key)
    with pytest.raises(ValueError, match=f"margin must be from 0 .* got {margin} for 14x14"):
        steepest_descent(blur, observed, denoise=keep, sigmas=jnp.ones(1), margin=margin)
