"""Errors of kernel fields, against every pixel's kernel written out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.losses.kernels import absolute_kernel_error, squared_kernel_error
from tests.reference.kernel_error import kernel_error


FORMS = {1: functools.partial(absolute_kernel_error, chunk=7), 2: squared_kernel_error}


@pytest.fixture
def fields(key):
    keys = jax.random.split(key, 5)
    return (
        jax.random.uniform(keys[0], (4, 5, 5)),
        jax.random.uniform(keys[1], (3, 6, 4)),
        jax.random.uniform(keys[2], (2, 5, 5)),
        jax.random.uniform(keys[3], (3, 6, 2)),
        jax.random.uniform(keys[4], (3, 6)),
    )


@pytest.mark.parametrize("power", [1, 2])
def test_the_error_equals_the_one_of_every_pixels_kernel(fields, power):
    expected = kernel_error(*map(np.asarray, fields), power=power)
    np.testing.assert_allclose(jax.jit(FORMS[power])(*fields), expected, rtol=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_gradients_match_finite_differences(fields, power):
    kernels, mixing, *truth = fields
    error = jax.jit(lambda k, m: FORMS[power](k, m, *truth))
    check_grads(jax.jit(error), (kernels, mixing), order=1, modes=("rev",), eps=1e-6)


@pytest.mark.parametrize("power", [1, 2])
def test_the_truth_has_no_error(fields, power):
    kernels, mixing, _, _, weights = fields
    error = FORMS[power](kernels, mixing, kernels, mixing, weights)
    np.testing.assert_allclose(error, 0, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 18, 1000])
def test_the_size_of_a_chunk_changes_nothing(fields, chunk):
    error = absolute_kernel_error(*fields, chunk=chunk)
    np.testing.assert_allclose(error, FORMS[1](*fields), rtol=1e-12)


def largest_array(jaxpr):
    """Return the number of values in the largest array of a jaxpr and of all those within."""
    sizes = [0]
    for equation in jaxpr.eqns:
        sizes += [variable.aval.size for variable in equation.outvars]
        for value in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                sizes.append(largest_array(inner))
    return max(sizes)


@pytest.mark.parametrize("form", [absolute_kernel_error, squared_kernel_error])
def test_no_array_holds_the_kernels_of_all_pixels_in_either_pass(form):
    def shape(*axes):
        return jax.ShapeDtypeStruct(axes, jnp.float32)

    size, side = 128, 33
    jaxpr = jax.make_jaxpr(jax.grad(form, argnums=(0, 1)))(
        shape(25, side, side), shape(size, size, 25), shape(4, side, side), shape(size, size, 4),
        shape(size, size),
    )  # fmt: skip
    largest = largest_array(jaxpr.jaxpr)
    assert size * size * 25 <= largest < size * size * side * side / 8


def test_single_precision_stays_single(fields):
    half = [x.astype(jnp.float32) for x in fields]
    assert squared_kernel_error(*half).dtype == jnp.float32
    assert absolute_kernel_error(*half).dtype == jnp.float32


def test_kernels_of_another_side_and_an_empty_chunk_are_refused(fields):
    kernels, mixing, _, true_mixing, weights = fields
    with pytest.raises(TypeError, match=r"true_kernels must be a float array of shape \[j, s, s\]"):
        squared_kernel_error(kernels, mixing, jnp.ones((2, 3, 3)), true_mixing, weights)
    with pytest.raises(ValueError, match="chunk must be at least 1 pixel, got 0"):
        absolute_kernel_error(*fields, chunk=0)
