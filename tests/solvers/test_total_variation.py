"""Total variation: its value, and denoising by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.ops.linear import adjoint, inner
from deblur_jax.solvers import total_variation as tv


denoise = jax.jit(tv.denoise_total_variation, static_argnames="steps")


def sample(key, height=9, width=8):
    return jax.random.uniform(key, (height, width, 3))


def test_the_value_is_the_sum_of_gradient_lengths(key):
    image = np.asarray(sample(key))
    expected = 0.0
    for row in range(9):
        for column in range(8):
            squared = 0.0
            if row < 8:
                squared += np.sum((image[row + 1, column] - image[row, column]) ** 2)
            if column < 7:
                squared += np.sum((image[row, column + 1] - image[row, column]) ** 2)
            expected += np.sqrt(squared)
    np.testing.assert_allclose(tv.total_variation(image), expected)


def test_the_value_has_a_finite_gradient_on_flat_images(key):
    check_grads(jax.jit(tv.total_variation), (sample(key),), order=1, modes=("rev",))
    assert jnp.all(jax.grad(tv.total_variation)(jnp.ones((4, 4, 1))) == 0)


def test_the_divergence_is_the_adjoint_of_the_gradient(key):
    image = sample(key)
    field = jax.random.normal(key, (2, *image.shape))
    expected = adjoint(tv._gradient, image)(field)
    np.testing.assert_allclose(tv._gradient_adjoint(field), expected, atol=1e-12)
    assert inner(tv._gradient(image), field) != 0


def test_denoising_lowers_its_objective_below_every_neighbour(key):
    image, weight = sample(key), jnp.asarray(0.1)
    best = denoise(image, weight, steps=500)

    def objective(x):
        return jnp.sum(jnp.square(x - image)) / 2 + weight * tv.total_variation(x)

    for seed in range(5):
        step = 0.01 * jax.random.normal(jax.random.fold_in(key, seed), image.shape)
        assert objective(best) < objective(best + step)
    assert objective(best) < objective(image)


def test_no_weight_returns_the_image(key):
    image = sample(key)
    np.testing.assert_allclose(denoise(image, jnp.asarray(0.0)), image, atol=1e-12)


def test_a_large_weight_returns_the_mean(key):
    image = sample(key)
    flat = denoise(image, jnp.asarray(1e3), steps=2000)
    np.testing.assert_allclose(flat, jnp.broadcast_to(image.mean((0, 1)), image.shape), atol=1e-3)


def test_the_mean_of_every_channel_is_kept(key):
    image = sample(key)
    np.testing.assert_allclose(denoise(image, jnp.asarray(0.2)).mean((0, 1)), image.mean((0, 1)))


def test_float_images_keep_their_precision(key):
    image = sample(key).astype(jnp.float32)
    assert denoise(image, jnp.asarray(0.1, jnp.float32)).dtype == jnp.float32


def test_integer_images_are_refused():
    with pytest.raises(TypeError, match="image must be a float array"):
        tv.denoise_total_variation(jnp.ones((4, 4, 3), jnp.int32), jnp.asarray(0.1))
