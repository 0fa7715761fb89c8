"""Shared layers: which pixels they sample, and sizes that their strides do not divide."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.blocks import (
    HE,
    check_images,
    conv,
    crop_like,
    doubling_conv,
    edge_filters,
    max_pool,
    pad_to_multiple,
)


@pytest.mark.parametrize(("size", "stride"), [(7, 2), (5, 2), (3, 2), (3, 1), (5, 4)])
@pytest.mark.parametrize("rows", [12, 13])
def test_a_strided_convolution_samples_the_multiples_of_its_stride(key, size, stride, rows):
    image = jax.random.normal(key, (1, rows, rows, 1))
    middle = jnp.zeros((size, size, 1, 1)).at[size // 2, size // 2].set(1.0)
    sampled = conv(1, size, stride=stride, use_bias=False).apply(
        {"params": {"kernel": middle}}, image
    )
    np.testing.assert_array_equal(sampled, image[:, ::stride, ::stride])


def test_a_dilated_convolution_keeps_the_frame(key):
    image = jax.random.normal(key, (1, 11, 12, 1))
    middle = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    layer = conv(1, 3, dilation=4, use_bias=False)
    np.testing.assert_array_equal(layer.apply({"params": {"kernel": middle}}, image), image)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_a_doubling_convolution_is_the_adjoint_of_the_halving_one(key, size):
    kernel = jax.random.normal(key, (size, size, 1, 1))
    small = jax.random.normal(jax.random.fold_in(key, 1), (1, 6, 5, 1))
    large = jax.random.normal(jax.random.fold_in(key, 2), (1, 12, 10, 1))
    shrink = conv(1, size, stride=2, use_bias=False)
    enlarge = doubling_conv(1, size, use_bias=False)
    turned = {"params": {"kernel": kernel[::-1, ::-1]}}
    shrunk = shrink.apply({"params": {"kernel": kernel}}, large)
    enlarged = enlarge.apply(turned, small)
    assert enlarged.shape == large.shape
    np.testing.assert_allclose(jnp.vdot(shrunk, small), jnp.vdot(large, enlarged), rtol=1e-4)


def test_four_taps_at_stride_two_keep_pixel_centres_in_place():
    taps = jnp.asarray([0.25, 0.75, 0.75, 0.25])
    kernel = (taps[:, None] * taps)[..., None, None]
    ramp = jnp.arange(8.0)[None, :, None, None] * jnp.ones((1, 1, 8, 1))
    large = doubling_conv(1, 4, use_bias=False).apply({"params": {"kernel": kernel}}, ramp)
    expected = (np.arange(16) + 0.5) / 2 - 0.5  # half-pixel alignment
    np.testing.assert_allclose(large[0, 2:-2, 8, 0], expected[2:-2], atol=1e-6)


def test_pooling_keeps_or_drops_an_odd_last_row():
    column = jnp.arange(5.0)[None, :, None, None] * jnp.ones((1, 1, 2, 1))
    np.testing.assert_array_equal(max_pool(column, remainder="keep")[0, :, 0, 0], [1, 3, 4])
    np.testing.assert_array_equal(max_pool(column, remainder="drop")[0, :, 0, 0], [1, 3])
    with pytest.raises(ValueError, match=r"remainder must be one of \['drop', 'keep'\]"):
        max_pool(column, remainder="ceil")


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 65)])
def test_padding_and_cropping_give_the_images_back(key, size):
    images = jax.random.uniform(key, (2, *size, 3))
    padded = pad_to_multiple(images, 32)
    assert padded.shape[1] % 32 == padded.shape[2] % 32 == 0
    np.testing.assert_array_equal(crop_like({"out": padded}, images)["out"], images)
    np.testing.assert_array_equal(padded[:, -1, -1], images[:, -1, -1])
    dark = pad_to_multiple(images, 128, mode="constant")
    assert dark[:, size[0] :].max() == dark[:, :, size[1] :].max() == 0


def test_wrong_channels_and_small_images_are_refused():
    with pytest.raises(ValueError, match="Net: images must have 3 colour channels, got 4"):
        check_images("Net", jnp.zeros((1, 32, 32, 4)))
    with pytest.raises(ValueError, match="1 or 3 colour channels, got 2"):
        check_images("Net", jnp.zeros((1, 32, 32, 2)), channels=(1, 3))
    with pytest.raises(
        ValueError, match="Net: images must have at least 32 pixels a side, got 40x31"
    ):
        check_images("Net", jnp.zeros((1, 31, 40, 3)))


def test_edge_filters_ignore_brightness(key):
    filters = edge_filters(key, (7, 7, 3, 4))
    np.testing.assert_allclose(jnp.sum(filters, axis=(0, 1)), 0, atol=1e-5)
    assert jnp.std(filters) > 2 * jnp.std(HE(key, (7, 7, 3, 4)))
