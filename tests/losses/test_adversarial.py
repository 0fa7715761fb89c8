"""Adversarial losses, against critics whose slopes are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.losses.adversarial import (
    critic_distance,
    feature_distance,
    generator_distance,
    gradient_penalty,
)


@pytest.fixture
def photos(key):
    return tuple(jax.random.uniform(key, (2, 3, 4, 5, 2)))


def linear_critic(weights):
    return lambda x: jnp.einsum("bhwc,hwc->b", x, weights)


def test_the_penalty_of_a_linear_score_is_that_of_its_slope(photos, key):
    weights = jax.random.normal(key, (4, 5, 2))
    expected = (np.linalg.norm(np.asarray(weights)) - 1) ** 2
    penalty = gradient_penalty(linear_critic(weights), *photos, key)
    np.testing.assert_allclose(penalty, expected, rtol=1e-12)


def test_the_penalty_is_taken_between_each_restored_and_sharp_photo(photos, key):
    restored, sharp = (np.asarray(x) for x in photos)
    share = np.asarray(jax.random.uniform(key, (3, 1, 1, 1), jnp.float64))
    between = share * sharp + (1 - share) * restored
    # The slope of the mean of x^3 over 40 values is 3 x^2 / 40.
    slopes = np.sqrt(np.sum((3 * between**2 / 40) ** 2, axis=(1, 2, 3)))
    penalty = gradient_penalty(lambda x: x**3, *photos, key)
    np.testing.assert_allclose(penalty, np.mean((slopes - 1) ** 2), rtol=1e-12)


def test_the_distances_are_differences_of_mean_scores(photos, key):
    restored, sharp = photos
    critic = linear_critic(jax.random.normal(key, (4, 5, 2)))
    gap = np.mean(critic(restored)) - np.mean(critic(sharp))
    distance = critic_distance(critic, restored, sharp, key, penalty=3.0)
    penalty = 3 * gradient_penalty(critic, restored, sharp, key)
    np.testing.assert_allclose(distance, gap + penalty, rtol=1e-12)
    np.testing.assert_allclose(generator_distance(critic, restored), -np.mean(critic(restored)))


def test_a_critic_without_slope_has_a_penalty_of_one_and_finite_gradients(photos, key):
    def penalty(scale):
        return gradient_penalty(lambda x: scale * x, *photos, key)

    value, slope = jax.value_and_grad(penalty)(jnp.asarray(0.0))
    np.testing.assert_allclose(value, 1)
    assert jnp.isfinite(slope)


def test_gradients_match_finite_differences(photos, key):
    def distance(scale):
        return critic_distance(lambda x: scale * jnp.sin(2 * x), *photos, key)

    check_grads(distance, (jnp.asarray(0.7),), order=1, modes=("rev",))
    check_grads(
        lambda x: feature_distance(jnp.square, x, photos[1]), (photos[0],), order=1, modes=("rev",)
    )


def test_the_feature_distance_of_photos_themselves_is_the_mean_squared_error(photos):
    restored, sharp = photos
    expected = np.mean((np.asarray(restored) - np.asarray(sharp)) ** 2)
    np.testing.assert_allclose(feature_distance(lambda x: x, restored, sharp), expected)
