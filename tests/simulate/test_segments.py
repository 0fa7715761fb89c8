from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.sensor import to_display, to_light
from deblur_jax.simulate.develop import Camera
from deblur_jax.simulate.segments import (
    draw_lights,
    draw_segment_blur,
    draw_segments,
    segment_blur,
    segment_weights,
)
from tests.reference import segment_blur as reference


blur = jax.jit(segment_blur)


def sample(key, count=3, side=5):
    keys = jax.random.split(key, 3)
    image = jax.random.uniform(keys[0], (14, 16, 3))
    kernels = jax.random.uniform(keys[1], (count, side, side))
    kernels = kernels / jnp.sum(kernels, axis=(1, 2), keepdims=True)
    segments = jax.random.randint(keys[2], (14, 16), 0, count)
    return image, segments, kernels


def test_equals_the_definition(key):
    arrays = sample(key)
    result = blur(*arrays)
    blurry, mixing = reference.segment_blur(*map(np.asarray, arrays))
    np.testing.assert_allclose(result.mixing, mixing, atol=1e-5)
    np.testing.assert_allclose(result.blurry, blurry, atol=1e-5)


def test_shares_are_not_negative_and_sum_to_one(key):
    mixing = blur(*sample(key)).mixing
    assert mixing.min() >= 0
    np.testing.assert_allclose(mixing.sum(axis=-1), 1, rtol=1e-5)


def test_delta_kernels_blur_nothing_and_keep_the_masks_hard(key):
    image, segments, kernels = sample(key)
    result = blur(image, segments, jnp.zeros_like(kernels).at[:, 2, 2].set(1))
    np.testing.assert_allclose(result.blurry, image[2:-2, 2:-2], atol=1e-5)
    np.testing.assert_allclose(result.sharp, image[2:-2, 2:-2])
    np.testing.assert_allclose(result.mixing, jax.nn.one_hot(segments[2:-2, 2:-2], 3), atol=1e-5)


def test_labels_without_a_kernel_are_background(key):
    image, segments, kernels = sample(key)
    odd = segments.at[3:7, 3:9].set(7).at[8, 8].set(-1)
    plain = segments.at[3:7, 3:9].set(0).at[8, 8].set(0)
    np.testing.assert_array_equal(
        blur(image, odd, kernels).blurry, blur(image, plain, kernels).blurry
    )


def test_a_pixel_that_no_kernel_attributes_belongs_to_its_own_segment():
    """Left of the border the kernels look at the other's segment, each across the border."""
    segments = jnp.tile(jnp.arange(16) >= 8, (12, 1)).astype(int)
    kernels = jnp.zeros((2, 5, 5)).at[0, 2, 4].set(1).at[1, 2, 0].set(1)
    result = blur(jnp.ones((12, 16, 1)), segments, kernels)
    np.testing.assert_allclose(result.mixing, jax.nn.one_hot(segments[2:-2, 2:-2], 2), atol=1e-5)


def test_every_segment_weighs_one_in_total(key):
    mixing = jax.nn.one_hot(jax.random.randint(key, (9, 11), 0, 3), 3)
    weights = segment_weights(mixing)
    for segment in range(3):
        np.testing.assert_allclose(jnp.sum(weights * mixing[..., segment]), 1, rtol=1e-5)


def test_an_image_smaller_than_the_kernels_is_refused(key):
    image, segments, kernels = sample(key)
    with pytest.raises(ValueError, match="image must be at least as large as the kernels, 5x5"):
        segment_blur(image[:4], segments[:4], kernels)


def test_segments_of_another_size_are_refused(key):
    image, segments, kernels = sample(key)
    with pytest.raises(TypeError, match="segment_blur: segments must be"):
        segment_blur(image, segments[:-1], kernels)


LABELS = np.repeat(np.array([4, 9, 2, 300, 7, 5]), [10, 2, 9, 30, 40, 9])[:, None].repeat(10, 1)


@pytest.mark.parametrize("objects", [1, 3, 5])
def test_objects_are_distinct_segments_that_are_large_enough(key, objects):
    draw = jax.jit(partial(draw_segments, objects=objects, least=50))
    seen = set()
    for k in jax.random.split(key, 20):
        segments = np.asarray(draw(k, LABELS))
        names = [set(LABELS[segments == number]) for number in range(1, objects + 1)]
        chosen = [name.pop() for name in names if len(name) == 1]
        assert all(not name for name in names)  # one label for each object, or none
        assert len(set(chosen)) == len(chosen) == min(objects, 4)
        seen |= set(chosen)
    assert seen == {4, 2, 7, 5}  # 9 is too small, 300 too large a label


def test_lights_are_small_and_as_many_as_drawn(key):
    draw = partial(draw_lights, height=200, width=300, counts=(3, 5), size=(2, 4))
    lights = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(key, 20)))
    area = np.sum(lights > 0, axis=(1, 2, 3))
    assert lights.shape == (20, 200, 300, 1)
    assert lights.min() == 0
    assert area.min() > 0
    assert area.max() <= 5 * 8


SIZE = (14, 16)
SMALL = {
    "draw_kernel": lambda key, side: jnp.full((side, side), 1 / side**2),
    "side": 5,
    "objects": 2,
}


@jax.jit
def draw(key, image, segments, sigma):
    camera = Camera(transfer=2.2, sigma=(sigma, sigma))
    return draw_segment_blur(key, image, segments, camera=camera, **SMALL)


@jax.jit
def draw_bright(key, image, lights):
    camera = Camera(transfer=2.2, sigma=(0.0, 0.0))
    return draw_segment_blur(key, image, camera=camera, brighten=2.0, lights=lights, **SMALL)


def test_blur_is_made_in_light(key):
    image, nothing = jax.random.uniform(key, (*SIZE, 3)), jnp.zeros(SIZE, int)
    result = draw(key, image, nothing, 0.0)
    same = blur(to_light(image, 2.2), nothing, jnp.full((3, 5, 5), 1 / 25))
    np.testing.assert_allclose(result.blurry, to_display(same.blurry, 2.2), atol=1e-4)
    np.testing.assert_allclose(result.sharp, image[2:-2, 2:-2], atol=1e-5)


def test_noise_is_in_the_blurry_picture_alone(key):
    result = draw(key, np.full((*SIZE, 3), 0.5, np.float32), jnp.zeros(SIZE, int), 0.05)
    np.testing.assert_allclose(result.sharp, 0.5, atol=1e-5)
    np.testing.assert_allclose(np.std(result.blurry), 0.05, rtol=0.2)


@pytest.mark.slow
def test_brightened_pictures_saturate_and_random_shapes_stand_in_for_segments(key):
    results = [
        draw_bright(each, np.full((*SIZE, 3), 0.9, np.float32), 0.0)
        for each in jax.random.split(key, 40)
    ]
    blurry, sharp, mixing = (
        np.stack([getattr(result, name) for result in results])
        for name in ("blurry", "sharp", "mixing")
    )
    assert blurry.max() <= 1
    assert blurry.min() > 0.9 - 1e-5
    assert np.mean(blurry > 1 - 1e-5) > 0.6  # a gain of 1.26 is enough
    np.testing.assert_allclose(sharp, blurry, atol=1e-5)
    assert mixing[..., 1:].sum() > 0


def test_lights_are_in_both_pictures(key):
    result = draw_bright(key, np.zeros((*SIZE, 3), np.float32), 1.0)
    assert result.sharp.max() > 0.5
    assert np.mean(result.blurry > 0.01) > np.mean(result.sharp > 0.01)


def test_given_segments_are_used_and_vmap_equals_a_loop(key):
    images = jax.random.uniform(key, (2, *SIZE, 3))
    segments = jax.random.randint(key, (2, *SIZE), 0, 3)
    keys = jax.random.split(key, 2)
    batch = jax.vmap(draw, in_axes=(0, 0, 0, None))(keys, images, segments, 0.0)
    for index in range(2):
        single = draw(keys[index], images[index], segments[index], 0.0)
        jax.tree.map(
            lambda batched, one: np.testing.assert_allclose(batched[index], one, atol=1e-5),  # noqa: B023
            batch,
            single,
        )
    kernel = np.full((5, 5), 1 / 25)
    _, mixing = reference.segment_blur(
        np.asarray(images[0]), np.asarray(segments[0]), np.stack([kernel] * 3)
    )
    np.testing.assert_allclose(batch.mixing[0], mixing, atol=1e-5)
