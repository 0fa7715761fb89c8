"""Diagnosis: noise is found, the right blur explains, the wrong one does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.diagnosis import Diagnosis, diagnose, noise_level


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
    assert right.verdict == "the blur explains 100 % of the photo to within its noise" or (
        "99 %" in right.verdict
    )
    wrong = diagnose(LineBlur(jnp.zeros((48, 48, 2))), image, photo)
    assert wrong.verdict.startswith("looks unexplained")
    assert wrong.energy > 10
    np.testing.assert_allclose(wrong.residual, image - photo)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.943, "the blur explains 94 % of the photo to within its noise"),
        (0.75, "doubtful: the blur explains only 75 % of the photo"),
        (0.2, "looks unexplained: the blur explains only 20 % of the photo"),
    ],
)
def test_the_verdict_is_in_words(share, words):
    assert Diagnosis(np.zeros(1), np.zeros(()), np.zeros(()), np.asarray(share)).verdict == words
