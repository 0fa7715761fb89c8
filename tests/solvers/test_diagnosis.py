"""Diagnosis: noise is found, the right blur explains, the wrong one does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.diagnosis import _window_mean, diagnose, noise_level, verdict


measure = jax.jit(noise_level)


@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_the_noise_is_found_beside_edges(key, sigma):
    steps = jnp.where(jnp.arange(40)[:, None, None] < 17, 0.2, 0.7) * jnp.ones((40, 48, 3))
    noisy = steps + sigma * jax.random.normal(key, steps.shape)
    np.testing.assert_allclose(measure(noisy), sigma, rtol=0.1)


def test_the_right_blur_explains_and_a_wrong_one_does_not(key):
    image = jnp.kron(jax.random.uniform(key, (6, 6)), jnp.ones((8, 8)))[..., None]
    blur = LineBlur(jnp.full((48, 48, 2), 6.0))
    photo = blur(image) + 0.01 * jax.random.normal(key, image.shape)
    right = diagnose(blur, image, photo)
    assert right.explained > 0.99
    assert 0.5 < right.energy < 1.5
    wrong = diagnose(LineBlur(jnp.zeros((48, 48, 2))), image, photo)
    assert wrong.explained < 0.5
    assert wrong.energy > 10
    np.testing.assert_allclose(wrong.residual, image - photo)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.943, "the blur explains 94 % of the photo to within its noise"),
        (0.75, "doubtful: the blur explains only 75 % of the photo"),
        (0.2, "the estimated blur explains only 20 % of the photo (70 % is required)"),
    ],
)
def test_the_verdict_is_in_words(share, words):
    assert verdict(share) == words


def test_a_window_at_the_border_counts_the_pixels_inside(key):
    values = jax.random.uniform(key, (9, 5))
    expected = [
        [values[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4].mean() for x in range(5)]
        for y in range(9)
    ]
    np.testing.assert_allclose(_window_mean(values), expected, rtol=1e-12)
