"""Basis blur: what it draws, what it equals, what its adjoint is, how it transforms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax import adjoint, basis_blur, dense_blur, inner
from deblur_jax.ops.basis_blur import METHODS as CHOICES
from deblur_jax.ops.basis_blur import ORDERS
from deblur_jax.ops.boundary import PADDINGS
from tests.reference import basis_blur as reference


METHODS = [method for method in CHOICES if method != "auto"]
# Even, odd and oblong frames; in the last two the kernel is as tall as, and larger than, the frame.
SIZES = ((8, 8, 3), (9, 8, 5), (7, 9, 7), (4, 5, 13))

blur = jax.jit(basis_blur, static_argnames=("order", "padding", "method", "precision"))


def sample(key, height, width, side, basis=4, channels=3):
    """Returns a random image and a valid random kernel field for it."""
    image_key, kernel_key, mixing_key = jax.random.split(key, 3)
    image = jax.random.normal(image_key, (height, width, channels))
    kernels = jax.random.uniform(kernel_key, (basis, side, side))
    kernels = kernels / jnp.sum(kernels, axis=(1, 2), keepdims=True)
    mixing = jax.nn.softmax(jax.random.normal(mixing_key, (height, width, basis)))
    return image, kernels, mixing


@pytest.mark.parametrize("method", METHODS)
def test_a_point_of_light_draws_its_kernel_turned(key, method):
    _, kernels, _ = sample(key, 11, 11, 5, basis=1)
    point = jnp.zeros((11, 11, 1)).at[5, 5, 0].set(1.0)
    blurred = blur(point, kernels, jnp.ones((11, 11, 1)), method=method)
    np.testing.assert_allclose(blurred[3:8, 3:8, 0], kernels[0, ::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_gather_uses_the_kernel_of_the_output_pixel_and_scatter_that_of_the_source(method):
    kernels = jnp.zeros((2, 3, 3)).at[0, 1, 1].set(1.0).at[1, 1, 0].set(1.0)  # stay, look left
    mixing = jax.nn.one_hot(jnp.broadcast_to(jnp.arange(8) // 4, (6, 8)), 2, dtype=jnp.float64)
    image = jnp.arange(1.0, 49.0).reshape(6, 8, 1)
    apply = partial(blur, image, kernels, mixing, method=method)
    gathered, scattered = apply(order="gather"), apply(order="scatter")
    np.testing.assert_allclose(gathered[:, :4], image[:, :4], atol=1e-12)
    np.testing.assert_allclose(gathered[:, 4:], image[:, 3:7], atol=1e-12)
    np.testing.assert_allclose(scattered[:, 4], 0.0, atol=1e-12)
    np.testing.assert_allclose(scattered[:, 5:], image[:, 4:7], atol=1e-12)


@pytest.mark.parametrize("padding", [mode for mode in PADDINGS if mode != "constant"])
@pytest.mark.parametrize("method", METHODS)
def test_a_flat_image_stays_flat_when_gathering(key, method, padding):
    _, kernels, mixing = sample(key, 8, 9, 5)
    flat = jnp.full((8, 9, 3), 0.25)
    blurred = blur(flat, kernels, mixing, padding=padding, method=method)
    np.testing.assert_allclose(blurred, flat, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
def test_a_centre_tap_changes_nothing(key, order, method):
    image, _, mixing = sample(key, 7, 6, 5)
    kernels = jnp.zeros((4, 5, 5)).at[:, 2, 2].set(1.0)
    blurred = blur(image, kernels, mixing, order=order, method=method)
    np.testing.assert_allclose(blurred, image, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_matches_the_equation(key, height, width, side, order, method):
    arrays = sample(key, height, width, side)
    for padding in PADDINGS:
        expected = reference.basis_blur(*map(np.asarray, arrays), order=order, padding=padding)
        actual = blur(*arrays, order=order, padding=padding, method=method)
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


def test_gather_equals_a_dense_blur_with_the_mixed_kernels(key):
    image, kernels, mixing = sample(key, 8, 7, 5)
    dense = dense_blur(image, jnp.einsum("hwk,kst->hwst", mixing, kernels), padding="edge")
    np.testing.assert_allclose(blur(image, kernels, mixing, padding="edge"), dense, rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_adjoint_passes_the_dot_test(key, padding, order, method):
    x, kernels, mixing = sample(key, 7, 9, 5)
    y = jax.random.normal(jax.random.fold_in(key, 1), x.shape)
    operator = partial(
        blur, kernels=kernels, mixing=mixing, order=order, padding=padding, method=method
    )
    forward = inner(operator(x), y)
    np.testing.assert_allclose(forward, inner(x, adjoint(operator, x)(y)), rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_the_adjoint_of_gather_is_scatter_with_turned_kernels_on_a_wrapped_frame(key, method):
    y, kernels, mixing = sample(key, 8, 7, 5)
    gather = partial(blur, kernels=kernels, mixing=mixing, padding="wrap", method=method)
    scattered = blur(
        y, kernels[:, ::-1, ::-1], mixing, order="scatter", padding="wrap", method=method
    )
    np.testing.assert_allclose(adjoint(gather, y)(y), scattered, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
def test_linear_transpose_agrees_with_the_adjoint(key, order, method):
    y, kernels, mixing = sample(key, 6, 7, 3)
    operator = partial(blur, kernels=kernels, mixing=mixing, order=order, method=method)
    transposed = jax.linear_transpose(operator, y)(y)[0]
    np.testing.assert_allclose(transposed, adjoint(operator, y)(y), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
def test_first_and_second_derivatives_match_finite_differences(key, order, method):
    function = partial(blur, order=order, method=method)
    check_grads(function, sample(key, 4, 5, 3, basis=2, channels=1), order=2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
def test_vmap_equals_a_loop(key, order, method):
    function = partial(blur, order=order, method=method)
    samples = [sample(k, 6, 7, 3) for k in jax.random.split(key, 3)]
    batch = [jnp.stack(arrays) for arrays in zip(*samples, strict=True)]
    looped = jnp.stack([function(*arrays) for arrays in samples])
    np.testing.assert_allclose(jax.vmap(function)(*batch), looped, rtol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_jit_changes_nothing(key, method):
    arrays = sample(key, 6, 7, 3)
    eager = basis_blur(*arrays, method=method)
    np.testing.assert_allclose(blur(*arrays, method=method), eager, rtol=1e-10)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_the_dtype_is_kept(key, dtype):
    arrays = [array.astype(dtype) for array in sample(key, 6, 7, 3)]
    assert blur(*arrays).dtype == dtype


def test_an_even_kernel_is_refused(key):
    image, _, mixing = sample(key, 8, 8, 3)
    with pytest.raises(ValueError, match=r"kernels must have odd sides .* got 4x4; pad them"):
        blur(image, jnp.ones((4, 4, 4)), mixing)


def test_mixing_of_another_size_is_refused(key):
    image, kernels, mixing = sample(key, 8, 8, 3)
    with pytest.raises(TypeError, match=r"mixing must be .*\[h, w, k\] with h=8 as in image"):
        blur(image, kernels, mixing[:-1])


@pytest.mark.parametrize("option", ["order", "padding", "method"])
def test_an_unknown_option_is_told_with_the_known_ones(key, option):
    with pytest.raises(ValueError, match=rf"basis_blur: {option} must be one of \[.*'sideways'"):
        blur(*sample(key, 8, 8, 3), **{option: "sideways"})
