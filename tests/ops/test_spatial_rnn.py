"""The four-direction recurrence: equal to the plain loop, its gradients too, at any precision."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.test_util import check_grads

from deblur_jax.ops.spatial_rnn import linear_recurrence, spatial_rnn
from tests.reference import spatial_rnn as reference


run = jax.jit(spatial_rnn)


def sample(key, height=5, width=7, channels=2):
    features = jax.random.normal(key, (height, width, channels))
    weights = jnp.tanh(jax.random.normal(jax.random.fold_in(key, 1), (height, width, 4 * channels)))
    return features, weights


def plain_loop(features, weights):
    """One direction, step after step, differentiable."""

    def step(before, now):
        value = (1 - now[1]) * now[0] + now[1] * before
        return value, value

    return lax.scan(step, jnp.zeros_like(features[0]), (features, weights))[1]


@pytest.mark.parametrize("size", [(5, 7), (8, 8), (1, 6), (13, 1)])
def test_equals_the_plain_loop(key, size):
    arrays = sample(key, *size)
    expected = reference.spatial_rnn(*map(np.asarray, arrays))
    np.testing.assert_allclose(run(*arrays), expected, atol=1e-12)


def test_gradients_equal_those_of_the_plain_loop(key):
    features, weights = sample(key)
    weights = weights[..., :2]
    cotangent = jax.random.normal(jax.random.fold_in(key, 2), features.shape)

    def pulled_back(function):
        arrays = (features, weights)
        return jax.jit(lambda y: jax.vjp(function, *arrays)[1](y))(cotangent)

    scanned = pulled_back(lambda f, p: linear_recurrence(f, p, axis=0))
    chex.assert_trees_all_close(scanned, pulled_back(plain_loop), atol=1e-12)


def test_gradients_match_finite_differences(key):
    check_grads(run, sample(key, 4, 3), order=1, modes=("fwd", "rev"))


def test_zero_weights_copy_the_features_four_times(key):
    features, weights = sample(key)
    np.testing.assert_array_equal(run(features, 0 * weights), jnp.tile(features, (1, 1, 4)))


def test_weights_of_one_carry_the_darkness_from_outside(key):
    features, weights = sample(key)
    np.testing.assert_array_equal(run(features, jnp.ones_like(weights)), 0)


def test_the_orders_of_weights_and_results_are_the_released_networks():
    features = jnp.zeros((5, 5, 1)).at[2, 2, 0].set(1.0)
    reached = []
    for direction in range(4):
        weights = jnp.zeros((5, 5, 4)).at[..., direction].set(0.5)
        result = run(features, weights)
        place = [i for i in range(4) if jnp.sum(result[..., i] > 0) > 1]
        assert len(place) == 1
        reached.append((place[0], tuple(np.argwhere(result[..., place[0]] > 0)[[0, -1]].ravel())))
    assert reached == [
        (0, (2, 2, 2, 4)),  # to the right
        (2, (2, 2, 4, 2)),  # down
        (1, (2, 0, 2, 2)),  # to the left
        (3, (0, 2, 2, 2)),  # up
    ]


def test_half_precision_is_accumulated_in_single_precision(key):
    features, weights = sample(key, 3, 64)
    features = jnp.abs(features).astype(jnp.bfloat16)
    weights = (0.95 + 0.04 * weights).astype(jnp.bfloat16)
    exact = reference.spatial_rnn(*(np.asarray(x, np.float64) for x in (features, weights)))
    result = run(features, weights)
    assert result.dtype == jnp.bfloat16
    np.testing.assert_allclose(result.astype(float), exact, rtol=2**-8)  # the last rounding alone


def test_vmap_equals_a_loop(key):
    samples = [sample(k) for k in jax.random.split(key, 3)]
    batch = [jnp.stack(arrays) for arrays in zip(*samples, strict=True)]
    looped = jnp.stack([run(*arrays) for arrays in samples])
    np.testing.assert_allclose(jax.jit(jax.vmap(spatial_rnn))(*batch), looped, atol=1e-12)


def test_a_wrong_number_of_weights_is_refused(key):
    features, weights = sample(key)
    with pytest.raises(ValueError, match="must have 8 channels, four times those of features, got"):
        spatial_rnn(features, weights[..., :-1])
