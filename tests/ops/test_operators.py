"""Operators: values that blur, with exact adjoints and larger canvases."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax import BasisBlur, basis_blur, compose, inner
from deblur_jax.ops.sensor import saturate
from tests.ops.test_basis_blur import sample


@pytest.fixture(params=["gather", "scatter"])
def order(request):
    return request.param


def test_an_operator_is_its_function(key, order):
    image, kernels, mixing = sample(key, 7, 8, 5)
    blur = BasisBlur(kernels, mixing, order=order, padding="wrap")
    expected = basis_blur(image, kernels, mixing, order=order, padding="wrap")
    np.testing.assert_allclose(jax.jit(blur)(image), expected, rtol=1e-12, atol=1e-12)


def test_the_adjoint_is_exact(key, order):
    image, kernels, mixing = sample(key, 7, 8, 5)
    blur = BasisBlur(kernels, mixing, order=order)
    blurry = jax.random.normal(jax.random.fold_in(key, 1), image.shape)
    forward = inner(blur(image), blurry)
    np.testing.assert_allclose(inner(image, blur.adjoint(blurry)), forward, rtol=1e-10)


def test_an_operator_passes_through_vmap_and_grad(key, order):
    def energy(blur, image):
        return jnp.sum(jnp.square(blur(image)))

    samples = [sample(k, 5, 6, 3, basis=2) for k in jax.random.split(key, 2)]
    images, kernels, mixing = (jnp.stack(arrays) for arrays in zip(*samples, strict=True))
    batch = jax.vmap(jax.grad(energy))(BasisBlur(kernels, mixing, order=order), images)
    alone = jax.grad(energy)(BasisBlur(kernels[1], mixing[1], order=order), images[1])
    np.testing.assert_allclose(batch.kernels[1], alone.kernels, rtol=1e-10)
    np.testing.assert_allclose(batch.mixing[1], alone.mixing, rtol=1e-10)
    check_grads(jax.jit(energy), (BasisBlur(kernels[0], mixing[0], order=order), images[0]), 1)


def test_an_operator_composes_with_a_sensor(key):
    image, kernels, mixing = sample(key, 6, 7, 3)
    camera = compose(partial(saturate, limit=0.5), BasisBlur(kernels, mixing))
    assert float(jnp.max(jax.jit(camera)(image))) <= 0.5


def test_the_inside_of_the_extended_canvas_does_not_depend_on_its_padding(key, order):
    _, kernels, mixing = sample(key, 6, 7, 5)
    canvas = jax.random.normal(key, (10, 11, 3))
    reflect = BasisBlur(kernels, mixing, order=order).extended(2)(canvas)
    dark = BasisBlur(kernels, mixing, order=order, padding="constant").extended(2)(canvas)
    np.testing.assert_allclose(reflect[2:-2, 2:-2], dark[2:-2, 2:-2], rtol=1e-10)
    assert reflect.shape == canvas.shape


def test_on_a_padded_canvas_the_inside_is_the_plain_blur(key):
    image, kernels, mixing = sample(key, 6, 7, 5)
    blur = BasisBlur(kernels, mixing, padding="edge")
    canvas = jnp.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    np.testing.assert_allclose(blur.extended(2)(canvas)[2:-2, 2:-2], blur(image), rtol=1e-10)


def test_an_image_of_another_size_is_refused(key):
    image, kernels, mixing = sample(key, 6, 7, 5)
    with pytest.raises(TypeError, match=r"mixing must be .* with h=5 as in image"):
        BasisBlur(kernels, mixing)(image[:5])
