import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.sensor import to_light
from deblur_jax.ops.warp import warp_flow
from deblur_jax.simulate.develop import Camera
from deblur_jax.simulate.scenes import (
    LayerMotion,
    _motion_matrix,
    draw_scene,
    render,
    scene_flow,
)


QUIET = Camera(sigma=(0.0, 0.0))
STILL = LayerMotion(0.0, 0.0, 0.0, 0.0, 0.0)
SLIDING = dataclasses.replace(STILL, translation=4.0)
draw = partial(draw_scene, margin=6, subframes=5, camera=QUIET)


def smooth_photos(key, count=3, height=36, width=40):
    """Textures of low frequency, which bilinear interpolation hardly changes."""
    waves = jax.random.normal(key, (count, 3, 4))
    y, x = jnp.mgrid[:height, :width] / 12
    phase = (
        waves[..., 0, None, None] * x + waves[..., 1, None, None] * y + 3 * waves[..., 2:3, None]
    )
    return jnp.moveaxis(0.5 + 0.4 * jnp.sin(phase), 1, -1)


def square(height, width, top, left, side):
    return jnp.zeros((height, width)).at[top : top + side, left : left + side].set(1.0)


def shifts(*offsets):
    return jnp.stack([jnp.eye(3).at[:2, 2].set(jnp.array(offset)) for offset in offsets])


def test_layers_are_painted_from_back_to_front_at_their_places(key):
    photos = jnp.ones((3, 20, 24, 1)) * jnp.array([0.1, 0.5, 0.9])[:, None, None, None]
    masks = jnp.stack([square(20, 24, 0, 0, 0), square(20, 24, 6, 6, 5), square(20, 24, 8, 9, 5)])
    picture = render(photos, masks, shifts([0, 0], [2.0, 1.0], [-1.0, 0.0]), 12, 16)
    expected = np.full((20, 24), 0.1)
    expected[7:12, 8:13] = 0.5
    expected[8:13, 8:13] = 0.9
    np.testing.assert_allclose(picture[..., 0], expected[4:-4, 4:-4], atol=1e-6)


def test_warping_the_last_picture_by_the_flow_gives_the_first_where_visible(key):
    keys = jax.random.split(key, 3)
    photos = smooth_photos(keys[0])
    masks = jnp.stack(
        [square(36, 40, 0, 0, 0), square(36, 40, 4, 6, 14), square(36, 40, 14, 20, 9)]
    )
    draw = jax.vmap(lambda key: 0.05 * jax.random.normal(key, (3, 3)))
    first, last = (
        jnp.eye(3) + draw(jax.random.split(k, 3)) * jnp.array([[1, 1, 40], [1, 1, 40], [0.01] * 3])
        for k in keys[1:]
    )
    size = (30, 34)
    flow, visible = scene_flow(masks, first, last, *size)
    before, after = (render(photos, masks, matrices, *size) for matrices in (first, last))
    # Pixels that an object's edge passes through, in one of the pictures, mix two motions.
    labels = jnp.ones((3, 36, 40, 1)) * jnp.arange(3.0)[:, None, None, None]
    mixed = [
        np.abs(label - np.round(label))[..., 0] > 1e-4
        for label in (
            render(labels, masks, first, *size),
            warp_flow(render(labels, masks, last, *size), flow),
        )
    ]
    compared = np.asarray(visible) & ~mixed[0] & ~mixed[1]
    error = np.abs(warp_flow(after, flow) - before).max(axis=-1)[compared]
    assert np.mean(compared) > 0.5
    assert error.max() < 0.03


def test_what_an_object_covers_or_leaves_the_frame_is_not_visible():
    masks = jnp.stack([square(20, 24, 0, 0, 0), square(20, 24, 8, 8, 4)])
    flow, visible = scene_flow(masks, shifts([0, 0], [0, 0]), shifts([0, 0], [3.0, 0]), 20, 24)
    expected = np.ones((20, 24), bool)
    expected[8:12, 12:15] = False  # the background in front of the object
    np.testing.assert_array_equal(visible, expected)
    np.testing.assert_allclose(flow[..., 0], 3 * masks[1], atol=1e-5)
    _, visible = scene_flow(masks[:1], shifts([0, 0]), shifts([2.0, -1.0]), 20, 24)
    expected = np.zeros((20, 24), bool)
    expected[1:, :-2] = True
    np.testing.assert_array_equal(visible, expected)


def test_a_still_scene_is_not_blurred(key):
    photos = smooth_photos(key)
    scene = jax.jit(partial(draw, camera_motion=STILL, object_motion=STILL))(key, photos)
    for picture in (scene.blurry, scene.next_sharp, scene.next_blurry):
        np.testing.assert_allclose(picture, scene.sharp, atol=1e-5)
    np.testing.assert_allclose(scene.flow, 0, atol=1e-4)
    assert scene.sharp.shape == (24, 28, 3)


def test_a_sliding_camera_moves_everything_alike_into_the_next_frame(key):
    options = {"camera_motion": SLIDING, "object_motion": STILL, "exposure": (1.0, 1.0)}
    scene = jax.jit(partial(draw, **options))(key, smooth_photos(key, 1))
    flow = np.asarray(scene.flow)
    np.testing.assert_allclose(flow, np.broadcast_to(flow[0, 0], flow.shape), atol=1e-4)
    assert 0 < np.abs(flow).max() <= 4
    warped = warp_flow(scene.next_sharp, scene.flow)[5:-5, 5:-5]
    np.testing.assert_allclose(warped, scene.sharp[5:-5, 5:-5], atol=0.01)


def test_light_adds_up_and_not_display_values(key):
    photos = smooth_photos(key, 2)
    shown = jax.jit(partial(draw, camera=dataclasses.replace(QUIET, transfer=2.2)))(key, photos)
    light = jax.jit(draw)(key, to_light(photos, 2.2))
    np.testing.assert_allclose(to_light(shown.blurry, 2.2), light.blurry, atol=1e-4)
    np.testing.assert_allclose(to_light(shown.next_sharp, 2.2), light.next_sharp, atol=1e-4)


def test_nothing_moves_farther_than_the_limit_during_an_exposure(key):
    keys = jax.random.split(key, 4)
    photos = jax.vmap(smooth_photos)(keys)
    limits = jnp.array([0.001, 0.001, 3.0, 3.0])
    scenes = jax.jit(jax.vmap(lambda *arrays, limit: draw(*arrays, limit=limit)))(
        keys, photos, limit=limits
    )
    lengths = np.linalg.norm(scenes.flow, axis=-1).max(axis=(1, 2))
    assert np.all(lengths <= 1.05 * limits + 1e-4)  # corners bound the frame, near enough
    np.testing.assert_allclose(scenes.blurry[:2], scenes.sharp[:2], atol=1e-3)


def test_given_masks_are_used_and_vmap_equals_a_loop(key):
    keys = jax.random.split(key, 2)
    photos = jnp.stack([jnp.zeros((36, 40, 1)), jnp.ones((36, 40, 1))])[None].repeat(2, axis=0)
    masks = jnp.stack([square(36, 40, 0, 0, 0), square(36, 40, 14, 16, 6)])[None].repeat(2, axis=0)
    still = jax.jit(partial(draw, camera_motion=STILL, object_motion=SLIDING))
    batch = jax.vmap(still)(keys, photos, masks)
    np.testing.assert_allclose(batch.sharp[0, ..., 0], masks[0, 1, 6:-6, 6:-6], atol=1e-5)
    for index in range(2):
        single = still(keys[index], photos[index], masks[index])
        for name in ("blurry", "next_blurry", "flow"):
            np.testing.assert_allclose(
                getattr(batch, name)[index], getattr(single, name), atol=1e-4
            )


def test_a_motion_turns_clockwise_about_its_centre_and_starts_at_rest():
    centre, scale = jnp.array([5.0, -3.0]), jnp.array([0.1, 0.1])
    rates = jnp.zeros(8).at[6].set(0.3).at[7].set(0.2).at[4].set(0.05)
    np.testing.assert_allclose(
        _motion_matrix(rates, jnp.asarray(0.0), centre, scale), np.eye(3), atol=1e-6
    )
    matrix = np.asarray(_motion_matrix(rates, jnp.asarray(1.0), centre, scale))
    sent = matrix @ np.array([5.0, -3.0, 1.0])
    np.testing.assert_allclose(sent[:2] / sent[2], centre, atol=1e-5)
    sent = matrix @ np.array([5.0, -2.0, 1.0])  # a point below the centre goes to the left
    assert sent[0] / sent[2] < 5.0


def test_an_even_number_of_subframes_is_refused(key):
    with pytest.raises(ValueError, match="subframes must be odd so that one is in the middle, got"):
        draw_scene(key, smooth_photos(key), subframes=4)


def test_photos_smaller_than_the_margin_are_refused(key):
    with pytest.raises(ValueError, match="larger than twice the margin, got 36x40 and a margin of"):
        draw_scene(key, smooth_photos(key), margin=18)


def test_masks_of_another_size_are_refused(key):
    with pytest.raises(TypeError, match="draw_scene: masks must be"):
        draw_scene(key, smooth_photos(key), jnp.zeros((3, 36, 39)))
