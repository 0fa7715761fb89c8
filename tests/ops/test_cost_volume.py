"""The cost volume: reference, position of the best match, transformations."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax import adjoint
from deblur_jax.ops.cost_volume import cost_volume
from deblur_jax.ops.linear import inner
from tests.reference import cost_volume as reference


correlate = jax.jit(cost_volume, static_argnames="reach")


def sample(key, height=6, width=7, channels=3):
    first, second = jax.random.normal(key, (2, height, width, channels))
    return first, second


@pytest.mark.parametrize("reach", [0, 1, 4])
@pytest.mark.parametrize("size", [(6, 7), (3, 9)])
def test_equals_the_equation_also_beyond_the_frame(key, reach, size):
    first, second = sample(key, *size)
    expected = reference.cost_volume(np.asarray(first), np.asarray(second), reach)
    np.testing.assert_allclose(correlate(first, second, reach=reach), expected, atol=1e-12)


def test_the_best_match_is_the_displacement(key):
    first, _ = sample(key, 9, 9, 64)
    second = jnp.roll(first, (1, -2), axis=(0, 1))  # one down, two to the left
    best = jnp.argmax(correlate(first, second, reach=2), axis=-1)
    down, right = best // 5 - 2, best % 5 - 2
    np.testing.assert_array_equal(down[:-1, 2:], 1)
    np.testing.assert_array_equal(right[:-1, 2:], -2)


def test_adjoint_passes_the_dot_test(key):
    first, second = sample(key)
    volume = jax.random.normal(jax.random.fold_in(key, 1), (6, 7, 9))
    for operator in (
        partial(correlate, second=second, reach=1),
        lambda x: correlate(first, x, reach=1),
    ):
        forward = inner(operator(first), volume)
        np.testing.assert_allclose(forward, inner(first, adjoint(operator, first)(volume)))


def test_gradients_match_finite_differences(key):
    arrays = sample(key, 4, 5, 2)
    check_grads(jax.jit(partial(correlate, reach=1)), arrays, order=1, modes=("fwd", "rev"))


def test_vmap_equals_a_loop(key):
    firsts, seconds = jax.random.normal(key, (2, 3, 6, 7, 3))
    batched = jax.vmap(partial(cost_volume, reach=1))(firsts, seconds)
    looped = [correlate(*pair, reach=1) for pair in zip(firsts, seconds, strict=True)]
    np.testing.assert_allclose(batched, jnp.stack(looped), atol=1e-12)


def test_half_precision_is_summed_in_single_precision():
    ones = jnp.ones((2, 2, 1000), jnp.bfloat16)
    volume = correlate(ones, ones, reach=0)
    assert volume.dtype == jnp.bfloat16
    np.testing.assert_array_equal(volume, 1)  # a bfloat16 sum would stop at 256


def test_a_negative_reach_and_maps_of_two_sizes_are_refused(key):
    first, second = sample(key)
    with pytest.raises(ValueError, match="reach must not be negative, got -1"):
        cost_volume(first, second, reach=-1)
    with pytest.raises(TypeError, match="cost_volume: second must be a float array"):
        cost_volume(first, second[:-1], reach=1)
