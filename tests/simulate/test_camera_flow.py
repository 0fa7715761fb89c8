import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.io import loadmat

from deblur_jax.simulate.camera_flow import (
    LARGE,
    MILD,
    CameraMotion,
    CameraMovement,
    camera_flow,
    draw_movement,
    paper_law,
    released_code_variant,
)
from tests.real_data import needs, real_path


STILL = CameraMovement(*[jnp.zeros(shape) for shape in [(2,), (2,), (), (), (2,), (2,)]])
HEIGHT, WIDTH = 11, 15


def law_flow(movement, law=paper_law, height=HEIGHT, width=WIDTH):
    x, y = jnp.meshgrid(jnp.arange(float(width)), jnp.arange(float(height)))
    return np.asarray(jax.jit(law, static_argnums=(3, 4))(movement, x, y, height, width))


def one(key, motion, **options):
    return jax.jit(partial(camera_flow, height=HEIGHT, width=WIDTH, motion=motion, **options))(key)


def many(key, count, motion, height=HEIGHT, width=WIDTH, **options):
    draw = partial(camera_flow, height=height, width=width, motion=motion, **options)
    return np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(key, count)))


@pytest.mark.parametrize(("motion", "law"), [(LARGE, "paper"), (MILD, "released_code")])
def test_no_component_exceeds_the_limit(key, motion, law):
    flows = many(key, 200, motion, 96, 128, law=law)
    assert np.abs(flows).max() <= motion.limit
    assert np.abs(flows).max() > 0.9 * motion.limit  # the limit is used, too


@pytest.mark.slow
def test_mean_length_is_that_of_the_published_presets(key):
    for motion, expected in [(LARGE, 19.1), (MILD, 9.7)]:
        flows = many(key, 100, motion, 321, 481)[:, ::20, ::20]
        length = np.linalg.norm(flows, axis=-1)
        error = length.mean(axis=(1, 2)).std() / np.sqrt(100)
        assert abs(length.mean() - expected) < 4 * error


def test_without_an_accepted_draw_the_flow_is_scaled_to_the_limit(key):
    impossible = dataclasses.replace(LARGE, limit=1e-3)
    flows = many(key, 8, impossible, attempts=2)
    peaks = np.abs(flows).max(axis=(1, 2, 3))
    np.testing.assert_allclose(peaks, 1e-3, rtol=1e-5)


def test_an_infinite_limit_accepts_the_first_draw(key):
    free = dataclasses.replace(LARGE, limit=float("inf"))
    flow = one(key, free, attempts=3)
    first = draw_movement(jax.random.split(key, 3)[0], free)
    np.testing.assert_allclose(flow, law_flow(first), rtol=1e-5, atol=1e-5)


def test_an_accepted_draw_is_not_scaled(key):
    flow = one(key, LARGE, attempts=1)
    movement = draw_movement(jax.random.split(key, 1)[0], LARGE)
    assert np.abs(flow).max() < LARGE.limit
    np.testing.assert_allclose(flow, law_flow(movement), rtol=1e-5, atol=1e-5)


def test_scaled_motion_gives_the_scaled_flow_of_the_same_key(key):
    small = one(key, LARGE.scaled(12.0))
    np.testing.assert_allclose(small, one(key, LARGE) / 3, atol=1e-4)


def test_rounded_flow_holds_whole_pixels(key):
    flow = one(key, MILD, rounded=True)
    exact = one(key, MILD)
    np.testing.assert_array_equal(flow, np.round(exact))


def test_translation_ramps_by_its_acceleration_across_the_frame():
    movement = dataclasses.replace(
        STILL, translation=jnp.array([8.0, -4.0]), acceleration=jnp.array([0.5, 0.25])
    )
    flow = law_flow(movement)
    np.testing.assert_allclose(flow[HEIGHT // 2, WIDTH // 2], [8, -4], rtol=1e-6)
    np.testing.assert_allclose(np.diff(flow[..., 0], axis=1), 8 * 0.5 / WIDTH, rtol=1e-4)
    np.testing.assert_allclose(np.diff(flow[..., 1], axis=0), -4 * 0.25 / HEIGHT, rtol=1e-4)
    assert np.ptp(flow[..., 0], axis=0).max() == 0


def test_the_centres_lie_within_their_distances_across_and_down(key):
    motion = dataclasses.replace(LARGE, centre_jitter=(40.0, 3.0))
    movements = jax.vmap(partial(draw_movement, motion=motion))(jax.random.split(key, 200))
    for centres in (movements.zoom_centre, movements.rotation_centre):
        farthest = np.abs(centres).max(axis=0)
        assert (farthest <= (40, 3)).all()
        assert (farthest > (38, 2.8)).all()


def offsets(centre):
    x, y = np.meshgrid(np.arange(WIDTH) - 7.0 - centre[0], np.arange(HEIGHT) - 5.0 - centre[1])
    return np.stack([x, y], axis=-1), np.hypot(x, y)


def test_zoom_is_radial_and_grows_with_distance_to_the_three_halves():
    centre = np.array([2.0, -1.0])
    movement = dataclasses.replace(STILL, zoom=jnp.array(0.01), zoom_centre=jnp.asarray(centre))
    offset, distance = offsets(centre)
    np.testing.assert_allclose(
        law_flow(movement), 0.01 * offset * np.sqrt(distance)[..., None], rtol=1e-4, atol=1e-6
    )


def test_rotation_is_clockwise_on_the_screen_by_twice_the_tangent_of_half_the_angle():
    centre = np.array([-3.0, 1.0])
    movement = dataclasses.replace(
        STILL, rotation=jnp.array(0.2), rotation_centre=jnp.asarray(centre)
    )
    flow = law_flow(movement)
    offset, distance = offsets(centre)
    length = np.linalg.norm(flow, axis=-1)
    np.testing.assert_allclose(length, 2 * distance * np.tan(0.1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.sum(flow * offset, axis=-1), 0, atol=1e-4)
    assert np.all(flow[5 + 1 :, 7 - 3, 0] <= 0)  # below the centre, clockwise is to the left
    assert np.all(flow[5 + 1, 7 - 3 + 1 :, 1] > 0)  # to its right, it is downwards


def test_the_released_variant_exchanges_the_laws_of_zoom_and_rotation():
    # Half a pixel is where rows counted from the top and from the bottom mean the same centre.
    centre = jnp.array([0.0, 0.5])
    still = dataclasses.replace(STILL, zoom_centre=centre)
    zoomed = law_flow(dataclasses.replace(still, zoom=jnp.array(0.01)), released_code_variant)
    turned = law_flow(dataclasses.replace(still, rotation=jnp.array(0.1)), released_code_variant)
    x, y = np.meshgrid(np.arange(WIDTH) + 1 - WIDTH / 2, np.arange(HEIGHT) + 0.5 - HEIGHT / 2)
    offset, distance = np.stack([x, y], axis=-1), np.hypot(x, y)
    np.testing.assert_allclose(np.sum(zoomed * offset, axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(zoomed, axis=-1), 0.01 * distance**1.5, rtol=1e-4)
    np.testing.assert_allclose(turned, -np.tan(0.1) * offset, rtol=1e-4)


@pytest.mark.slow
def test_vmap_equals_a_loop_and_jit_changes_nothing(key):
    flows = many(key, 3, LARGE)
    for index, k in enumerate(jax.random.split(key, 3)[:2]):
        single = camera_flow(k, HEIGHT, WIDTH, LARGE)
        np.testing.assert_allclose(flows[index], single, rtol=1e-5, atol=1e-5)


def test_a_wrong_law_is_named_with_the_known_ones(key):
    with pytest.raises(ValueError, match=r"law must be one of \['paper', 'released_code'\], got"):
        camera_flow(key, 8, 8, law="papers")


def test_an_empty_frame_is_refused(key):
    with pytest.raises(ValueError, match="must be at least 1, got 0, 8 and 32"):
        camera_flow(key, 0, 8)


def test_negative_bounds_and_a_zero_limit_are_refused():
    with pytest.raises(ValueError, match=r"CameraMotion\.zoom must be zero or more, got -1"):
        dataclasses.replace(LARGE, zoom=-1.0)
    with pytest.raises(ValueError, match=r"CameraMotion\.limit must be more than zero, got 0"):
        CameraMotion(1.0, 0.1, 0.0, 0.0, 0.0, 0)


MAPS = real_path("gong2017_generator")

# Found by least squares: translation, acceleration, zoom, rotation, centre.
PUBLISHED = {
    "001": ([-5.9332, -1.8143], [0.2812, 0.1182], 0.00357320, 0.019605, [-1.2578, -5.1021]),
    "003": ([-11.5914, 1.7200], [-0.0606, -0.2298], 0.00339942, 0.016965, [-0.9902, -5.5094]),
    "010": ([-0.5723, 5.8087], [-0.7685, -0.3110], 0.00497051, -0.001944, [-13.5062, -1.3181]),
}


@needs("gong2017_generator")
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_released_variant_fits_the_published_maps_to_the_rounding_floor(name):
    published = loadmat(MAPS / f"8143_{name}_mfmap.mat")["mfmap"]
    height, width = 321, 481  # of the photograph; the published map is its middle
    rows, columns = (height - published.shape[0]) // 2, (width - published.shape[1]) // 2
    translation, acceleration, zoom, rotation, centre = map(jnp.asarray, PUBLISHED[name])
    movement = CameraMovement(translation, acceleration, zoom, rotation, centre, centre)
    flow = law_flow(movement, released_code_variant, height, width)
    flow = flow[rows : height - rows, columns : width - columns]
    flow = np.where(np.sum(flow * published, axis=-1, keepdims=True) < 0, -flow, flow)
    floor = np.sqrt(1 / 12)  # the authors round to whole pixels
    assert np.sqrt(np.mean((flow - published) ** 2)) < 1.001 * floor
    assert np.mean(np.round(flow) == published) > 0.98
