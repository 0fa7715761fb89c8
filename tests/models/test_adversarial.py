"""The generator and its critic: sizes, initial outputs, separate parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.adversarial import Critic, Generator
from deblur_jax.training.step import count_parameters


TINY = Generator(width=2, blocks=1)


def shape(height=32, width=32, channels=3):
    return jax.ShapeDtypeStruct((1, height, width, channels), jnp.float32)


def test_both_have_the_size_of_the_published_networks():
    # 9 residual blocks of 256 channels; a critic with a receptive field of 70x70.
    for network, parameters in ((Generator(), 11_378_179), (Critic(), 2_764_737)):
        variables = jax.eval_shape(network.init, jax.random.key(0), shape())
        assert count_parameters(variables["params"]) == parameters


@pytest.mark.parametrize("size", [(32, 32), (33, 50)])
def test_every_size_is_restored(size):
    restored, _ = jax.eval_shape(
        lambda x: TINY.init_with_output(jax.random.key(0), x), shape(*size)
    )
    assert restored.shape == (1, *size, 3)


@pytest.mark.slow  # to compile
def test_the_generator_starts_near_the_photo_and_keeps_to_the_range(key):
    photos = jax.random.uniform(key, (2, 32, 36, 3))
    variables = jax.jit(TINY.init)(key, photos[:1])
    restored = jax.jit(TINY.apply)(variables, photos)
    assert float(jnp.mean(jnp.abs(restored - photos))) < 0.2
    assert 0 <= float(jnp.min(restored)) <= float(jnp.max(restored)) <= 1
    alone = jax.jit(TINY.apply)(variables, photos[1:])
    np.testing.assert_allclose(restored[1:], alone, atol=1e-5)
    dropped = [
        TINY.apply(variables, photos, train=True, rngs={"dropout": jax.random.fold_in(key, i)})
        for i in range(2)
    ]
    assert float(jnp.max(jnp.abs(dropped[0] - dropped[1]))) > 0


@pytest.mark.slow  # to compile
def test_the_critic_scores_patches_of_each_photo_alone(key):
    photos = jax.random.uniform(key, (2, 48, 40, 3))
    critic = Critic(width=2)
    params = critic.init(key, photos)
    scores = critic.apply(params, photos)
    assert scores.shape == (2, 4, 3, 1)
    np.testing.assert_allclose(critic.apply(params, photos[1:]), scores[1:], atol=1e-5)


def test_photos_of_other_channels_are_refused():
    with pytest.raises(ValueError, match="Generator: images must have 3 colour channels, got 4"):
        jax.eval_shape(TINY.init, jax.random.key(0), shape(channels=4))
    with pytest.raises(ValueError, match="Critic: images must have 3 colour channels, got 1"):
        jax.eval_shape(Critic().init, jax.random.key(0), shape(channels=1))
