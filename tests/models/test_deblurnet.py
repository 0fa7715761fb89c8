"""Noroozi's network: number of parameters, three scales, and statistics over devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.losses.scales import multiscale_error
from deblur_jax.models.deblurnet import DeblurNet, shrink
from deblur_jax.training.step import count_parameters


TINY = DeblurNet(first_widths=(3, 4, 4, 4, 4, 4), later_widths=(4, 4), axis_name="devices")


def shape(height=32, width=32, channels=3):
    return jax.ShapeDtypeStruct((1, height, width, channels), jnp.float32)


apply = jax.jit(TINY.apply)


@pytest.fixture(scope="module")
def variables():
    return jax.jit(TINY.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def test_it_has_the_papers_number_of_parameters():
    count = {}
    for normalise in (False, True):
        model = DeblurNet(normalise=normalise)
        params = jax.eval_shape(model.init, jax.random.key(0), shape())["params"]
        count[normalise] = count_parameters(params)
        if not normalise:
            stages = [count_parameters(params[name]) for name in ("first", "second", "third")]
            assert stages == [14_764_419, 4_954_627, 4_954_627]
    assert count == {False: 24_673_673, True: 24_673_673 + 7_360}


@pytest.mark.parametrize("size", [(32, 32), (33, 35), (46, 41)])
def test_every_size_is_restored_whole_and_in_two_smaller_sizes(size):
    output, _ = jax.eval_shape(lambda x: TINY.init_with_output(jax.random.key(0), x), shape(*size))
    for image, factor in zip(output, (1, 2, 4), strict=True):
        assert image.shape == (1, -(-size[0] // factor), -(-size[1] // factor), 3)


def test_with_last_layers_of_zero_it_returns_the_photo_at_each_size(variables, key):
    params = {
        stage: {**layers, "last": jax.tree.map(jnp.zeros_like, layers["last"])}
        for stage, layers in variables["params"].items()
    }
    blurry, sharp = jax.random.uniform(key, (2, 1, 32, 32, 3))
    restored = apply({**variables, "params": params}, blurry)
    for image, factor in zip(restored, (1, 2, 4), strict=True):
        np.testing.assert_allclose(image, shrink(blurry, factor), atol=1e-6)
    # The three losses are those of the shrunken blurry photo.
    expected = sum(
        np.sum(np.square(shrink(blurry, factor) - shrink(sharp, factor))) for factor in (1, 2, 4)
    )
    error = multiscale_error([image[0] for image in restored], sharp[0])
    np.testing.assert_allclose(error, expected / sharp.size, rtol=1e-5)


def test_before_training_it_changes_a_photo_little(variables, key):
    blurry = jax.random.uniform(key, (1, 32, 32, 3))
    change = apply(variables, blurry).full - blurry
    assert float(jnp.sqrt(jnp.mean(change**2))) < 0.3


def test_statistics_are_those_of_the_batch_over_all_devices(variables, key):
    photos = jax.random.uniform(key, (2, 1, 32, 32, 3))

    def train(model, photos):
        return model.apply(variables, photos, train=True, mutable=["batch_stats"])

    parted, parted_stats = jax.jit(
        jax.vmap(lambda x: train(TINY, x), axis_name="devices")
    )(photos)  # fmt: skip
    whole, whole_stats = jax.jit(lambda x: train(TINY.clone(axis_name=None), x))(photos[:, 0])
    np.testing.assert_allclose(parted.full[:, 0], whole.full, atol=1e-4)
    for many, one in zip(
        jax.tree.leaves(parted_stats), jax.tree.leaves(whole_stats), strict=True
    ):  # fmt: skip
        np.testing.assert_allclose(many[0], many[-1], atol=1e-5)
        np.testing.assert_allclose(many[0], one, atol=1e-5)
