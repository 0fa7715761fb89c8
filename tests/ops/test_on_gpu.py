"""A GPU gives the reference's numbers, at full precision and at the documented lower one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import adjoint, basis_blur, line_blur
from deblur_jax.ops.basis_blur import METHODS, ORDERS
from deblur_jax.ops.linear import inner
from tests.ops.test_basis_blur import sample


pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def gpu():
    if jax.default_backend() != "gpu":
        pytest.skip("needs a GPU")


def on_cpu(function, *arrays):
    """Return what a function gives for the arrays in double precision on the CPU."""
    with jax.default_device(jax.devices("cpu")[0]):
        return np.asarray(jax.jit(function)(*(np.asarray(x, np.float64) for x in arrays)))


def singles(key, side):
    return [array.astype(jnp.float32) for array in sample(key, 130, 170, side, basis=5)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("side", [9, 33])
def test_every_method_is_within_two_millionths_of_double_precision(key, side, order, method):
    image, kernels, mixing = singles(key, side)
    blur = partial(basis_blur, order=order, method=method)
    blurred = jax.jit(blur)(image, kernels, mixing)
    expected = on_cpu(partial(basis_blur, order=order), image, kernels, mixing)
    np.testing.assert_allclose(blurred, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_adjoints_are_exact(key, method):
    x, kernels, mixing = singles(key, 17)
    y = jax.random.normal(jax.random.fold_in(key, 1), x.shape, jnp.float32)
    operator = partial(basis_blur, kernels=kernels, mixing=mixing, method=method)
    forward, backward = jax.jit(operator)(x), jax.jit(adjoint(operator, x))(y)
    scale = float(jnp.linalg.norm(forward) * jnp.linalg.norm(y))
    assert abs(float(inner(forward, y) - inner(x, backward))) < 1e-5 * scale


def test_at_default_precision_a_blur_of_light_is_within_the_stated_error(key):
    image, kernels, mixing = singles(key, 17)
    image = jnp.abs(image)
    blurred = jax.jit(partial(basis_blur, method="pixelwise", precision="default"))(
        image, kernels, mixing
    )
    np.testing.assert_allclose(blurred, on_cpu(basis_blur, image, kernels, mixing), rtol=0.002)


def test_line_blur_is_within_two_millionths_of_double_precision(key):
    image, _, _ = singles(key, 3)
    flow = 20 * jax.random.normal(key, (*image.shape[:2], 2), jnp.float32)
    blurred, expected = jax.jit(line_blur)(image, flow), on_cpu(line_blur, image, flow)
    assert np.linalg.norm(blurred - expected) < 2e-6 * np.linalg.norm(expected)
