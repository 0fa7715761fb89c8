from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.ops.boundary import PADDINGS
from deblur_jax.ops.warp import (
    invert_homography,
    pixel_grid,
    project,
    sample,
    warp_affine,
    warp_flow,
    warp_homography,
)
from tests.reference import warp as reference


def picture(key, height=7, width=9):
    return jax.random.uniform(key, (height, width, 2))


@pytest.mark.parametrize("padding", PADDINGS)
def test_sampling_equals_its_definition_inside_and_far_outside(key, padding):
    image = picture(key)
    points = jax.random.uniform(key, (5, 8, 2), minval=-25.0, maxval=30.0)
    values = jax.jit(partial(sample, padding=padding))(image, points)
    expected = reference.sample(np.asarray(image), np.asarray(points), padding)
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_whole_points_give_the_pixels_themselves(key):
    image = picture(key)
    np.testing.assert_array_equal(sample(image, pixel_grid(7, 9, image.dtype)), image)


def test_points_beyond_every_integer_read_darkness(key):
    points = jnp.array([[1e30, 2.0], [-1e30, -1e30], [jnp.inf, 0.0]])
    np.testing.assert_array_equal(sample(picture(key), points), 0)


def test_a_flow_to_the_right_moves_the_image_to_the_left(key):
    image = picture(key)
    flow = jnp.broadcast_to(jnp.array([2.0, -1.0]), (7, 9, 2))
    warped = warp_flow(image, flow)
    np.testing.assert_allclose(warped[1:, :-2], image[:-1, 2:], atol=1e-12)
    np.testing.assert_array_equal(warped[0], 0)  # outside is dark
    np.testing.assert_allclose(warp_flow(image, flow, padding="edge")[0, :-2], image[0, 2:])


@pytest.mark.parametrize("size", [(7, 9), (1, 5), (4, 1)])
def test_the_identity_matrix_is_the_identity_for_every_size(key, size):
    image = picture(key, *size)
    identity = jnp.eye(2, 3, dtype=image.dtype)
    np.testing.assert_allclose(warp_affine(image, identity, padding="edge"), image, atol=1e-12)


def test_affine_coordinates_run_from_corner_centre_to_corner_centre(key):
    image = picture(key)
    mirror = jnp.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(
        warp_affine(image, mirror, padding="edge"), image[:, ::-1], atol=1e-12
    )
    right = jnp.array([[1.0, 0.0, 2.0 / 8], [0.0, 1.0, 0.0]])  # one of the eight steps across
    np.testing.assert_allclose(warp_affine(image, right)[:, :-1], image[:, 1:], atol=1e-12)


def test_a_homography_reads_where_it_sends_each_pixel(key):
    image = picture(key)
    matrix = jnp.array([[0.9, 0.1, 0.5], [-0.2, 1.1, 0.3], [0.01, -0.02, 1.0]])
    homogeneous = np.einsum(
        "ij,hwj->hwi", matrix, np.concatenate([pixel_grid(7, 9, float), np.ones((7, 9, 1))], -1)
    )
    points = homogeneous[..., :2] / homogeneous[..., 2:]
    expected = reference.sample(np.asarray(image), points, "constant")
    np.testing.assert_allclose(jax.jit(warp_homography)(image, matrix), expected, atol=1e-12)
    np.testing.assert_allclose(warp_homography(image, 3 * matrix), expected, atol=1e-12)


def test_an_inverted_homography_sends_points_back(key):
    matrix = jnp.eye(3) + 0.2 * jax.random.normal(key, (3, 3))
    points = jax.random.normal(key, (6, 2))
    there = project(matrix, points)
    np.testing.assert_allclose(project(invert_homography(matrix), there), points, atol=1e-9)


def test_vmap_equals_a_loop(key):
    images = jnp.stack([picture(k) for k in jax.random.split(key, 3)])
    flows = jax.random.normal(key, (3, 7, 9, 2))
    looped = jnp.stack([warp_flow(*pair) for pair in zip(images, flows, strict=True)])
    np.testing.assert_allclose(jax.vmap(warp_flow)(images, flows), looped, atol=1e-12)


def test_gradients_match_finite_differences(key):
    flow = jnp.floor(jax.random.normal(key, (5, 6, 2))) + 0.5
    flow = flow + jax.random.uniform(key, flow.shape, minval=-0.3, maxval=0.3)
    check_grads(jax.jit(warp_flow), (picture(key, 5, 6), flow), order=1, modes=("fwd", "rev"))


def test_float32_stays_float32(key):
    image, flow = picture(key).astype(jnp.float32), jnp.zeros((7, 9, 2), jnp.float32)
    assert warp_flow(image, flow).dtype == jnp.float32
    assert warp_affine(image, jnp.eye(2, 3, dtype=jnp.float32)).dtype == jnp.float32


def test_an_unknown_padding_is_refused(key):
    with pytest.raises(ValueError, match="sample: padding must be one of"):
        sample(picture(key), jnp.zeros((3, 2)), padding="mirror")


def test_points_without_two_coordinates_are_refused(key):
    with pytest.raises(TypeError, match="sample: points must be"):
        sample(picture(key), jnp.zeros((4, 3)))
