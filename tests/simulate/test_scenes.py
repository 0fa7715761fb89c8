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
    CROSSING,
    HAND_HELD,
    LayerMotion,
    Scene,
    _motion_matrix,
    draw_scene,
    render,
    scene_flow,
)


jax.tree_util.register_dataclass(LayerMotion)  # so that jit takes one as an argument
STILL = LayerMotion(0.0, 0.0, 0.0, 0.0, 0.0)
SLIDING = dataclasses.replace(STILL, translation=4.0)
MASKS = np.zeros((3, 36, 40), np.float32)
MASKS[1, 4:18, 6:20] = MASKS[2, 14:23, 20:29] = 1


ALL = tuple(field.name for field in dataclasses.fields(Scene))


@partial(jax.jit, static_argnames=["transfer", "names"])
def compiled(key, photos, masks, camera_motion, object_motion, limit, *, transfer, names):
    scene = draw_scene(
        key,
        photos,
        masks,
        margin=6,
        camera_motion=camera_motion,
        object_motion=object_motion,
        exposure=(1.0, 1.0),
        subframes=5,
        limit=limit,
        camera=Camera(transfer, sigma=(0.0, 0.0)),
    )
    return {name: getattr(scene, name) for name in names}


def draw(key, photos, masks=MASKS, camera=STILL, objects=STILL, limit=24.0, **fixed):
    """Draws a scene by one program for most tests: to compile it is what costs."""
    fixed = {"transfer": "linear", "names": ALL, **fixed}
    return compiled(key, photos, masks, camera, objects, limit, **fixed)


painted = jax.jit(render, static_argnums=(3, 4))
moved = jax.jit(scene_flow, static_argnums=(3, 4))
warped = jax.jit(warp_flow)


@partial(jax.jit, static_argnums=(1, 2, 3))
def smooth_photos(key, count=3, height=36, width=40):
    """Textures of low frequency, which bilinear interpolation hardly changes."""
    waves = jax.random.normal(key, (count, 3, 4))
    y, x = jnp.mgrid[:height, :width] / 12
    phase = (
        waves[..., 0, None, None] * x + waves[..., 1, None, None] * y + 3 * waves[..., 2:3, None]
    )
    return jnp.moveaxis(0.5 + 0.4 * jnp.sin(phase), 1, -1)


def square(height, width, top, left, side):
    mask = np.zeros((height, width), np.float32)
    mask[top : top + side, left : left + side] = 1
    return mask


def shifts(*offsets):
    matrices = np.tile(np.eye(3, dtype=np.float32), (len(offsets), 1, 1))
    matrices[:, :2, 2] = offsets
    return matrices


def test_layers_are_painted_from_back_to_front_at_their_places():
    photos = np.ones((3, 20, 24, 1), np.float32) * np.float32([0.1, 0.5, 0.9])[:, None, None, None]
    masks = np.stack([square(20, 24, 0, 0, 0), square(20, 24, 6, 6, 5), square(20, 24, 8, 9, 5)])
    picture = painted(photos, masks, shifts([0, 0], [2.0, 1.0], [-1.0, 0.0]), 12, 16)
    expected = np.full((20, 24), 0.1)
    expected[7:12, 8:13] = 0.5
    expected[8:13, 8:13] = 0.9
    np.testing.assert_allclose(picture[..., 0], expected[4:-4, 4:-4], atol=1e-6)


def test_warping_the_last_picture_by_the_flow_gives_the_first_where_visible(key):
    rng = np.random.default_rng(0)
    tilt = np.float32([[0.05, 0.05, 2], [0.05, 0.05, 2], [5e-4, 5e-4, 5e-4]])
    first, last = np.eye(3, dtype=np.float32) + tilt * rng.normal(size=(2, 3, 3, 3)).astype("f4")
    size = (30, 34)
    flow, visible = moved(MASKS, first, last, *size)
    # Pixels that an object's edge passes through, in one of the pictures, mix two motions.
    labels = np.ones((3, 36, 40, 1), np.float32) * np.arange(3, dtype="f4")[:, None, None, None]
    photos = np.concatenate([smooth_photos(key), labels], axis=-1)
    before, after = (painted(photos, MASKS, matrices, *size) for matrices in (first, last))
    found = warped(after, flow)
    labels = np.stack([before[..., 3], found[..., 3]])
    mixed = np.any(np.abs(labels - np.round(labels)) > 1e-4, axis=0)
    compared = np.asarray(visible) & ~mixed
    assert np.mean(compared) > 0.5
    assert np.abs(found - before)[compared].max() < 0.03


def test_what_an_object_covers_or_leaves_the_frame_is_not_visible():
    masks = np.stack([square(20, 24, 0, 0, 0), square(20, 24, 8, 8, 4)])
    flow, visible = moved(masks, shifts([0, 0], [0, 0]), shifts([0, 0], [3.0, 0]), 20, 24)
    expected = np.ones((20, 24), bool)
    expected[8:12, 12:15] = False  # the background in front of the object
    np.testing.assert_array_equal(visible, expected)
    np.testing.assert_allclose(flow[..., 0], 3 * masks[1], atol=1e-5)
    gone = shifts([2.0, -1.0], [2.0, -1.0])
    _, visible = moved(np.zeros_like(masks), shifts([0, 0], [0, 0]), gone, 20, 24)
    expected = np.zeros((20, 24), bool)
    expected[1:, :-2] = True
    np.testing.assert_array_equal(visible, expected)


@pytest.mark.slow
def test_a_still_scene_is_not_blurred(key):
    scene = draw(key, smooth_photos(key))
    for name in ("blurry", "next_sharp", "next_blurry", "previous_blurry"):
        np.testing.assert_allclose(scene[name], scene["sharp"], atol=1e-5)
    for name in ("flow", "backward_flow"):
        np.testing.assert_allclose(scene[name], 0, atol=1e-4)
    assert scene["sharp"].shape == (24, 28, 3)


def test_a_sliding_camera_moves_everything_alike_into_the_next_frame(key):
    scene = draw(key, smooth_photos(key), np.zeros_like(MASKS), SLIDING)
    flow = np.asarray(scene["flow"])
    np.testing.assert_allclose(flow, np.broadcast_to(flow[0, 0], flow.shape), atol=1e-4)
    assert 0 < np.abs(flow).max() <= 4
    found = warped(scene["next_sharp"], scene["flow"])
    np.testing.assert_allclose(found[5:-5, 5:-5], scene["sharp"][5:-5, 5:-5], atol=0.01)
    # The frame before lies as far on the other side, and what went back came from there.
    found = warped(scene["blurry"], flow)
    np.testing.assert_allclose(found[5:-5, 5:-5], scene["previous_blurry"][5:-5, 5:-5], atol=0.01)
    np.testing.assert_allclose(scene["backward_flow"], -flow, atol=1e-4)


def test_light_adds_up_and_not_display_values(key):
    photos = smooth_photos(key)
    moving = {"camera": HAND_HELD, "objects": CROSSING}
    shown = draw(key, photos, **moving, transfer=2.2, names=("blurry", "sharp"))
    light = draw(key, to_light(photos, 2.2), **moving)
    for name, picture in shown.items():
        np.testing.assert_allclose(to_light(picture, 2.2), light[name], atol=1e-4)


@pytest.mark.parametrize("limit", [0.001, 3.0])
def test_nothing_moves_farther_than_the_limit_during_an_exposure(key, limit):
    photos = smooth_photos(key)
    scene = draw(key, photos, camera=HAND_HELD, objects=CROSSING, limit=limit)
    # Corners bound the frame, near enough.
    assert np.linalg.norm(scene["flow"], axis=-1).max() <= 1.05 * limit + 1e-4
    if limit < 0.01:
        np.testing.assert_allclose(scene["blurry"], scene["sharp"], atol=1e-3)


def test_given_masks_are_used(key):
    photos = np.ones((3, 36, 40, 3), "f4") * np.float32([0.0, 0.5, 1.0])[:, None, None, None]
    scene = draw(key, photos, objects=SLIDING)
    inside = MASKS[:, 6:-6, 6:-6]
    shown = np.asarray(scene["sharp"][..., 0])
    np.testing.assert_allclose(shown[inside[2] > 0], 1, atol=1e-5)
    np.testing.assert_allclose(shown[inside.sum(axis=0) == 0], 0, atol=1e-5)


@pytest.mark.slow  # to compile
def test_vmap_equals_a_loop(key):
    keys = jax.random.split(key, 2)
    photos = jax.vmap(smooth_photos)(keys)
    moving = partial(draw, camera=HAND_HELD, objects=CROSSING)
    batch = jax.vmap(partial(moving, names=("blurry", "flow")))(keys, photos)
    for index in range(2):
        single = moving(keys[index], photos[index])
        for name, found in batch.items():
            np.testing.assert_allclose(found[index], single[name], atol=2e-4)


def test_a_motion_turns_clockwise_about_its_centre_and_starts_at_rest():
    centre, scale = jnp.array([5.0, -3.0]), jnp.array([0.1, 0.1])
    rates = jnp.asarray([0, 0, 0, 0, 0.05, 0, 0.3, 0.2])
    at = jax.jit(lambda time: _motion_matrix(rates, time, centre, scale))
    np.testing.assert_allclose(at(0.0), np.eye(3), atol=1e-6)
    matrix = np.asarray(at(1.0))
    sent = matrix @ np.array([5.0, -3.0, 1.0])
    np.testing.assert_allclose(sent[:2] / sent[2], centre, atol=1e-5)
    sent = matrix @ np.array([5.0, -2.0, 1.0])  # a point below the centre goes to the left
    assert sent[0] / sent[2] < 5.0


def test_an_even_number_of_subframes_is_refused(key):
    with pytest.raises(ValueError, match="subframes must be odd so that one is in the middle, got"):
        draw_scene(key, smooth_photos(key), subframes=4)


def test_photos_smaller_than_the_margin_are_refused(key):
    with pytest.raises(ValueError, match="larger than twice the margin, got 40x36 and a margin of"):
        draw_scene(key, smooth_photos(key), margin=18)


def test_masks_of_another_size_are_refused(key):
    with pytest.raises(TypeError, match="draw_scene: masks must be"):
        draw_scene(key, smooth_photos(key), jnp.zeros((3, 36, 39)))
