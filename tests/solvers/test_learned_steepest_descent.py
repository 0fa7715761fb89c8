"""The unrolled solver: it starts as the fixed one, and its parameters can be trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.learned_steepest_descent import (
    initial_parameters,
    learned_steepest_descent,
    schedule,
)
from deblur_jax.solvers.schedules import carbajal_sigmas
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation


def denoise(image, sigma):
    return denoise_total_variation(image, 0.2 * sigma, steps=2)


def problem(key):
    image = jax.random.uniform(key, (10, 11, 1))
    blur = LineBlur(jnp.full((10, 11, 2), 2.5))
    return blur, blur(image), image


@pytest.mark.slow
def test_at_the_beginning_it_is_the_fixed_schedule(key):
    blur, observed, _ = problem(key)
    params = initial_parameters(denoising_steps=3, dtype=jnp.float64)
    restored = jax.jit(
        lambda p: learned_steepest_descent(blur, observed, denoise, params=p, margin=3)[0]
    )(params)
    sigmas = carbajal_sigmas(3, jnp.float64)
    expected = jax.jit(lambda s: steepest_descent(blur, observed, denoise, sigmas=s, margin=3)[0])(
        sigmas
    )
    np.testing.assert_allclose(restored, expected, rtol=1e-9)


def test_a_step_along_the_gradient_restores_better_and_reaches_the_blur(key):
    blur, observed, image = problem(key)
    params = initial_parameters(denoising_steps=2, dtype=jnp.float64)

    @jax.jit
    @jax.value_and_grad
    def error(free):
        turned = LineBlur(blur.flow * free["stretch"])
        restored, _ = learned_steepest_descent(
            turned, observed, denoise, params=free["params"], margin=3
        )
        return jnp.mean(jnp.square(restored - image))

    free = {"params": params, "stretch": jnp.asarray(0.9)}
    before, slopes = error(free)
    assert all(jnp.any(slope != 0) for slope in jax.tree.leaves(slopes))
    after, _ = error(jax.tree.map(lambda x, slope: x - 0.1 * slope, free, slopes))
    assert after < before


def test_any_parameters_make_a_valid_schedule():
    params = {k: 100 * jnp.ones_like(x) for k, x in initial_parameters(dtype=jnp.float64).items()}
    made = schedule(params)
    assert jnp.all(made["sigmas"] <= 1)
    assert jnp.all(made["relaxation"] <= 1)
