"""The reblur loss, against the equation in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.losses.reblur import reblur_error, soft_sensor
from tests.reference.basis_blur import basis_blur


@pytest.fixture
def example(key):
    keys = jax.random.split(key, 5)
    return (
        jax.random.uniform(keys[0], (9, 10, 2)),
        jax.random.uniform(keys[1], (9, 10, 2)),
        jax.random.uniform(keys[2], (2, 3, 3)) / 4.5,
        jax.random.uniform(keys[3], (9, 10, 2)),
        jax.random.uniform(keys[4], (9, 10)),
    )


def test_it_is_the_weighted_squared_error_where_kernels_fit_into_the_frame(example):
    sharp, blurry, kernels, mixing, weights = map(np.asarray, example)
    light = basis_blur(sharp, kernels, mixing, order="gather", padding="reflect")
    seen = light - np.log(1 + np.exp(50 * (light - 1))) / 50
    error = weights[..., None] * (np.maximum(seen, 0) - blurry) ** 2
    expected = error[1:-1, 1:-1].sum()
    np.testing.assert_allclose(jax.jit(reblur_error)(*example), expected, rtol=1e-9)


def test_with_a_border_every_pixel_is_compared(example):
    sharp, blurry, kernels, mixing, weights = example
    wide = jnp.pad(sharp, ((1, 1), (1, 1), (0, 0)), constant_values=0.3)
    wide_mixing = np.pad(np.asarray(mixing), ((1, 1), (1, 1), (0, 0)))
    light = basis_blur(
        np.asarray(wide), np.asarray(kernels), wide_mixing, order="gather", padding="reflect"
    )[1:-1, 1:-1]
    seen = light - np.log(1 + np.exp(50 * (light - 1))) / 50
    error = np.asarray(weights)[..., None] * (np.maximum(seen, 0) - np.asarray(blurry)) ** 2
    found = jax.jit(reblur_error)(wide, blurry, kernels, mixing, weights)
    np.testing.assert_allclose(found, error.sum(), rtol=1e-9)
    with pytest.raises(ValueError, match="the same border around blurry on all sides, got 12x10"):
        reblur_error(jnp.ones((12, 10, 2)), blurry, kernels, mixing, weights)


def test_gradients_match_finite_differences(example):
    sharp, blurry, kernels, mixing, weights = example
    error = jax.jit(lambda k, m: reblur_error(sharp, blurry, k, m, weights))
    check_grads(jax.jit(error), (kernels, mixing), order=1, modes=("rev",))


def test_the_sensor_keeps_black_and_grey_and_saturates():
    light = jnp.asarray([-1.0, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(soft_sensor(light), [0, 0, 0.5, 1], atol=1e-9)


def test_images_below_the_kernels_are_refused(example):
    sharp, blurry, _, _, weights = example
    wide = jnp.ones((2, 11, 11)) / 121
    with pytest.raises(ValueError, match="at least as large as the kernels, 11x11, got 10x9"):
        reblur_error(sharp, blurry, wide, jnp.ones((9, 10, 2)), weights)
