"""Linear maps: adjoint, composition, normal map, norm, and solving with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import BasisBlur, adjoint
from deblur_jax.ops.linear import compose, inner, normal, operator_norm
from tests.ops.test_basis_blur import sample


def test_the_adjoint_of_a_matrix_is_its_transpose(key):
    matrix = jax.random.normal(key, (3, 4))
    transpose = adjoint(lambda x: matrix @ x, jnp.zeros(4))
    np.testing.assert_allclose(transpose(jnp.arange(3.0)), matrix.T @ jnp.arange(3.0), rtol=1e-12)


def test_inner_refuses_two_shapes():
    with pytest.raises(ValueError, match=r"the same shape, got \(2,\) and \(3,\)"):
        inner(jnp.ones(2), jnp.ones(3))


def test_compose_applies_the_last_map_first():
    doubled_then_one_more = compose(lambda x: x + 1, lambda x: 2 * x)
    assert doubled_then_one_more(3) == 7


def test_compose_refuses_nothing():
    with pytest.raises(ValueError, match="at least one map, got none"):
        compose()


def test_the_normal_map_is_the_adjoint_of_the_map(key):
    matrix = jax.random.normal(key, (3, 4))
    x = jnp.arange(4.0)
    expected = matrix.T @ (matrix @ x)
    np.testing.assert_allclose(normal(lambda x: matrix @ x, x)(x), expected, rtol=1e-12)


def test_the_norm_is_the_largest_singular_value(key):
    matrix = jax.random.normal(key, (5, 4))
    norm = operator_norm(lambda x: matrix @ x, jax.random.normal(key, (4,)), steps=200)
    np.testing.assert_allclose(norm, jnp.linalg.norm(matrix, 2), rtol=1e-9)


def test_the_norm_of_nothing_is_zero():
    assert operator_norm(lambda x: 0 * x, jnp.ones(4)) == 0


def test_the_norm_refuses_no_steps():
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        operator_norm(lambda x: x, jnp.ones(4), steps=0)


def blurry(key):
    """Return an image, a blur that can be undone, and what it makes of the image."""
    image, kernels, mixing = sample(key, 8, 8, 3)
    blur = BasisBlur(kernels.at[:, 1, 1].add(2.0) / 3.0, mixing)
    return image, blur, blur(image)


def test_conjugate_gradients_undo_a_blur(key):
    image, blur, observed = blurry(key)

    @jax.jit
    def solve(observed):
        right = blur.adjoint(observed)
        return jax.scipy.sparse.linalg.cg(normal(blur, observed), right, tol=1e-12)[0]

    restored = solve(observed)
    np.testing.assert_allclose(restored, image, atol=1e-7)


def test_lineax_takes_a_blur_as_a_matrix_free_operator(key):
    lineax = pytest.importorskip("lineax")
    image, blur, observed = blurry(key)
    like = jax.ShapeDtypeStruct(observed.shape, observed.dtype)
    matrix = lineax.FunctionLinearOperator(blur, like)
    np.testing.assert_allclose(matrix.mv(image), observed, rtol=1e-12)
    np.testing.assert_allclose(matrix.T.mv(image), blur.adjoint(image), rtol=1e-9, atol=1e-12)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # lineax's own
        solution = lineax.linear_solve(matrix, observed, lineax.LSMR(rtol=1e-12, atol=1e-12))
    np.testing.assert_allclose(solution.value, image, atol=1e-7)
