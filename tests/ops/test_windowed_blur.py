"""A blur by windows: that of one kernel where kernels agree, and of each half where they differ."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.linear import inner
from deblur_jax.ops.operators import UniformBlur, WindowedBlur
from deblur_jax.ops.windows import RAMP
from tests.reference.basis_blur import basis_blur as slow_blur


PADDINGS = ("reflect", "edge", "wrap", "constant")


def draw_kernels(key, *shape):
    kernels = jax.random.uniform(key, shape)
    return kernels / jnp.sum(kernels, (-2, -1), keepdims=True)


def lattice(*places):
    return jnp.asarray(places, float)


@pytest.mark.parametrize("padding", PADDINGS)
def test_equal_kernels_are_a_uniform_blur(key, padding):
    image = jax.random.normal(key, (200, 24, 2))
    kernel = draw_kernels(key, 5, 5)
    blur = WindowedBlur(
        jnp.broadcast_to(kernel, (2, 3, 5, 5)), lattice(0, 150), lattice(0, 10, 20), padding=padding
    )
    np.testing.assert_allclose(
        jax.jit(blur)(image), UniformBlur(kernel, padding=padding)(image), atol=1e-6
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_each_half_is_blurred_by_its_kernel(key, axis):
    image = jax.random.normal(key, (204, 12, 1))
    kernels = draw_kernels(jax.random.fold_in(key, 1), 2, 3, 3)
    middle = 102.5  # between the two windows
    share = (np.arange(204) > middle).astype(float)
    mixing = np.broadcast_to(np.stack([1 - share, share], -1)[:, None], (204, 12, 2))
    steep, flat = lattice(middle - 0.5, middle + 0.5), lattice(6)
    if axis == 0:
        blur = WindowedBlur(kernels[:, None], steep, flat)
    else:
        blur, image = WindowedBlur(kernels[None], flat, steep), image.transpose(1, 0, 2)
        mixing = mixing.transpose(1, 0, 2)
    expected = slow_blur(
        np.asarray(image), np.asarray(kernels), mixing, order="gather", padding="reflect"
    )
    away = np.abs(np.arange(204) - middle) > RAMP / 2 + 1
    found = np.asarray(jax.jit(blur)(image))
    np.testing.assert_allclose(found.compress(away, axis), expected.compress(away, axis), atol=1e-6)
    low, high = (np.minimum, np.maximum)
    both = [np.asarray(UniformBlur(kernel)(image)) for kernel in kernels]
    assert np.all(found >= low(*both) - 1e-6)  # between the two in the ramp
    assert np.all(found <= high(*both) + 1e-6)


def test_the_adjoint_is_exact_over_several_windows(key):
    keys = jax.random.split(key, 3)
    image, blurry = (jax.random.normal(k, (200, 20, 2)) for k in keys[:2])
    blur = WindowedBlur(draw_kernels(keys[2], 2, 1, 5, 5), lattice(20, 180), lattice(0))
    forward = inner(jax.jit(blur)(image), blurry)
    np.testing.assert_allclose(inner(image, jax.jit(blur.adjoint)(blurry)), forward, rtol=1e-9)


def test_kernels_are_interpolated_and_beyond_the_lattice_the_nearest(key):
    blur = WindowedBlur(draw_kernels(key, 2, 2, 3, 3), lattice(10, 20), lattice(0, 8))
    kernels = blur.kernels
    found = blur.at(np.asarray([0.0, 10.0, 12.5, 99.0]), np.asarray([-5.0, 2.0]))
    upper = 0.75 * kernels[0] + 0.25 * kernels[1]
    expected = [
        kernels[0, 0], 0.75 * kernels[0, 0] + 0.25 * kernels[0, 1],
        kernels[0, 0], 0.75 * kernels[0, 0] + 0.25 * kernels[0, 1],
        upper[0], 0.75 * upper[0] + 0.25 * upper[1],
        kernels[1, 0], 0.75 * kernels[1, 0] + 0.25 * kernels[1, 1],
    ]  # fmt: skip
    np.testing.assert_allclose(found, jnp.stack(expected), rtol=1e-12)


def test_a_part_and_a_canvas_have_the_kernels_of_their_place(key):
    blur = WindowedBlur(draw_kernels(key, 3, 2, 3, 3), lattice(0, 60, 120), lattice(0, 90))
    rows, columns = np.asarray([30.0, 70.0]), np.asarray([5.0, 50.0])
    part = blur.cut(slice(20, 100), slice(3, None))
    np.testing.assert_allclose(part.at(rows - 20, columns - 3), blur.at(rows, columns), rtol=1e-12)
    canvas = blur.extended(7)
    np.testing.assert_allclose(canvas.at(rows + 7, columns + 7), blur.at(rows, columns), rtol=1e-12)
    same = dataclasses.replace(blur, kernels=jnp.broadcast_to(blur.kernels[0, 0], (3, 2, 3, 3)))
    image = jax.random.normal(key, (130, 40, 1))
    run = jax.jit(lambda blur, image: blur(image))
    inside = run(same.cut(slice(20, 100), slice(3, None)), image[20:100, 3:])
    np.testing.assert_allclose(inside[1:-1, 1:-1], run(same, image)[21:99, 4:-1], atol=1e-6)


def test_a_frame_that_is_cut_from_its_start_keeps_its_lattice(key):
    blur = WindowedBlur(draw_kernels(key, 1, 1, 3, 3), lattice(5), lattice(6))
    part = blur.cut(slice(None, 10), slice(None))
    np.testing.assert_array_equal(part.rows, blur.rows)
    np.testing.assert_array_equal(part.columns, blur.columns)


def test_a_kernel_that_is_not_in_a_lattice_is_refused(key):
    blur = WindowedBlur(draw_kernels(key, 1, 1, 3, 3), lattice(5), lattice(6))
    with pytest.raises(TypeError, match="image must be a float array of shape"):
        blur(jnp.zeros((8, 8)))
