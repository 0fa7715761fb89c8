"""Operators: values that blur, with exact adjoints and larger canvases."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax import BasisBlur, LineBlur, WindowedBlur, basis_blur, line_blur
from deblur_jax.ops.dense_blur import dense_blur
from deblur_jax.ops.linear import compose, inner
from deblur_jax.ops.sensor import saturate
from tests.ops.test_basis_blur import sample


HEIGHT, WIDTH = 6, 7


def make(kind, key, padding="reflect"):
    """Returns an operator of a kind on images of HEIGHT by WIDTH."""
    if kind == "line":
        flow = jax.random.uniform(key, (HEIGHT, WIDTH, 2), minval=0.5, maxval=3.5)
        return LineBlur(flow, padding=padding)
    _, kernels, mixing = sample(key, HEIGHT, WIDTH, 5, basis=2)
    if kind == "windowed":
        places = jnp.asarray([0.0]), jnp.asarray([0.0, 8.0])
        return WindowedBlur(kernels[None], *places, padding=padding)
    return BasisBlur(kernels, mixing, order=kind, padding=padding)


def picture(key, height=HEIGHT, width=WIDTH):
    return jax.random.normal(jax.random.fold_in(key, 7), (height, width, 2))


@pytest.fixture(params=["gather", "scatter", "line", "windowed"])
def kind(request):
    return request.param


@pytest.mark.parametrize("kind", ["gather", "scatter", "line"])
def test_an_operator_is_its_function(key, kind):
    image, blur = picture(key), make(kind, key, "wrap")
    if kind == "line":
        expected = line_blur(image, blur.flow, padding="wrap")
    else:
        expected = basis_blur(image, blur.kernels, blur.mixing, order=kind, padding="wrap")
    np.testing.assert_allclose(jax.jit(blur)(image), expected, rtol=1e-12, atol=1e-12)


def test_the_adjoint_is_exact(key, kind):
    image, blur = picture(key), make(kind, key)
    blurry = jax.random.normal(jax.random.fold_in(key, 1), image.shape)
    forward = inner(blur(image), blurry)
    np.testing.assert_allclose(inner(image, jax.jit(blur.adjoint)(blurry)), forward, rtol=1e-10)


def test_an_operator_passes_through_vmap_and_grad(key, kind):
    def energy(blur, image):
        return jnp.sum(jnp.square(blur(image)))

    keys = jax.random.split(key, 2)
    blurs, images = [make(kind, k) for k in keys], [picture(k) for k in keys]
    stacked = jax.tree.map(lambda *arrays: jnp.stack(arrays), *blurs)
    batch = jax.jit(jax.vmap(jax.grad(energy)))(stacked, jnp.stack(images))
    alone = jax.jit(jax.grad(energy))(blurs[1], images[1])
    second = jax.tree.map(lambda gradients: gradients[1], batch)
    chex.assert_trees_all_close(second, alone, rtol=1e-9, atol=1e-12)
    check_grads(jax.jit(energy), (blurs[0], images[0]), 1)


def test_an_operator_composes_with_a_sensor(key, kind):
    camera = compose(partial(saturate, limit=0.5), make(kind, key))
    assert float(jnp.max(jax.jit(camera)(picture(key)))) <= 0.5


def test_the_inside_of_the_extended_canvas_does_not_depend_on_its_padding(key, kind):
    canvas = picture(key, HEIGHT + 4, WIDTH + 4)
    reflect = make(kind, key).extended(2)(canvas)
    dark = make(kind, key, "constant").extended(2)(canvas)
    np.testing.assert_allclose(reflect[2:-2, 2:-2], dark[2:-2, 2:-2], rtol=1e-10)
    assert reflect.shape == canvas.shape


@pytest.mark.parametrize("kind", ["gather", "line"])
def test_on_a_padded_canvas_the_inside_is_the_plain_blur(key, kind):
    image, blur = picture(key), make(kind, key, "edge")
    canvas = jnp.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    np.testing.assert_allclose(blur.extended(2)(canvas)[2:-2, 2:-2], blur(image), rtol=1e-10)


@pytest.mark.parametrize("kind", ["gather", "line"])
def test_a_gathering_operator_is_a_dense_blur_by_the_kernels_it_draws(key, kind):
    # What a point of light at q adds to pixel p is the tap of p's kernel at q - p.
    image, blur = picture(key), make(kind, key, "constant")
    radius = 3
    points = jnp.eye(HEIGHT * WIDTH).reshape(HEIGHT * WIDTH, HEIGHT, WIDTH, 1)
    drawn = jax.vmap(blur)(points).reshape(HEIGHT, WIDTH, HEIGHT, WIDTH)
    kernels = np.zeros((HEIGHT, WIDTH, 2 * radius + 1, 2 * radius + 1))
    for row, column, down, right in np.ndindex(HEIGHT, WIDTH, 7, 7):
        at = row + down - radius, column + right - radius
        if 0 <= at[0] < HEIGHT and 0 <= at[1] < WIDTH:
            kernels[row, column, down, right] = drawn[*at, row, column]
    expected = dense_blur(image, jnp.asarray(kernels), padding="constant")
    np.testing.assert_allclose(blur(image), expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["gather", "line", "windowed"])
def test_a_flat_image_stays_flat(key, kind):
    flat = jnp.full((HEIGHT, WIDTH, 2), 0.25)
    np.testing.assert_allclose(make(kind, key)(flat), flat, rtol=1e-12)


def test_an_image_of_another_size_is_refused(key):
    with pytest.raises(TypeError, match=r"mixing must be .* with h=5 as in image"):
        make("gather", key)(picture(key)[:5])
    with pytest.raises(TypeError, match=r"flow must be .* with h=5 as in image"):
        make("line", key)(picture(key)[:5])
