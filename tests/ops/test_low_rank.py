"""Low rank: a kernel field of few components is recovered, and the reported error is true."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import basis_blur
from deblur_jax.ops.dense_blur import dense_blur
from deblur_jax.ops.low_rank import factor_grid, factor_kernels
from tests.ops.test_basis_blur import sample


factor = jax.jit(factor_kernels, static_argnames="basis")


def field(key, height, width, side, basis):
    _, kernels, mixing = sample(key, height, width, side, basis=basis)
    return jnp.einsum("hwk,kst->hwst", mixing, kernels)


def test_a_field_of_few_kernels_is_found_again_and_blurs_alike(key):
    dense = field(key, 8, 9, 3, basis=3)
    kernels, mixing, error = factor(dense, basis=3)
    assert float(error) < 1e-12
    image = jax.random.normal(key, (8, 9, 2))
    np.testing.assert_allclose(
        basis_blur(image, kernels, mixing), dense_blur(image, dense), atol=1e-12
    )


def test_the_error_is_that_of_the_mixed_kernels_and_falls_with_the_basis(key):
    dense = field(key, 6, 7, 3, basis=9)
    errors = []
    for basis in (1, 4, 9):
        kernels, mixing, error = factor(dense, basis=basis)
        lost = jnp.einsum("hwk,kst->hwst", mixing, kernels) - dense
        np.testing.assert_allclose(
            error, jnp.linalg.norm(lost) / jnp.linalg.norm(dense), 1e-9, 1e-12
        )
        errors.append(float(error))
    assert errors[0] > errors[1] > errors[2]


def test_no_component_set_of_the_same_size_about_the_mean_is_closer(key):
    dense = field(key, 5, 6, 3, basis=8)
    rows = np.asarray(dense).reshape(30, 9)
    discarded = np.linalg.svd(rows - rows.mean(0), compute_uv=False)[3:]
    expected = np.linalg.norm(discarded) / np.linalg.norm(rows)
    np.testing.assert_allclose(factor(dense, basis=4)[2], expected, rtol=1e-9)


def test_brightness_is_kept_however_few_components(key):
    kernels, mixing, error = factor(field(key, 6, 7, 5, basis=9), basis=3)
    assert float(error) > 1e-3
    flat = jnp.full((6, 7, 1), 0.3)
    np.testing.assert_allclose(basis_blur(flat, kernels, mixing), flat, rtol=1e-12)


def test_a_grid_gives_its_kernels_at_the_cells_centres_and_their_mean_between(key):
    grid = field(key, 2, 1, 3, basis=2)
    kernels, mixing, _ = factor_grid(grid, height=6, width=3, basis=2)
    dense = jnp.einsum("hwk,kst->hwst", mixing, kernels)
    np.testing.assert_allclose(dense[1, 1], grid[0, 0], atol=1e-12)
    np.testing.assert_allclose(dense[4, 2], grid[1, 0], atol=1e-12)
    np.testing.assert_allclose(dense[0, 0], grid[0, 0], atol=1e-12)
    np.testing.assert_allclose((dense[2] + dense[3]) / 2, jnp.mean(dense, axis=0), atol=1e-12)


def test_a_basis_out_of_range_is_refused(key):
    with pytest.raises(ValueError, match="basis must be from 1 to 10 for 3x3 kernels, got 11"):
        factor_kernels(field(key, 4, 4, 3, basis=2), basis=11)


def test_a_frame_smaller_than_its_grid_is_refused(key):
    with pytest.raises(ValueError, match="at least those of the grid, 4x4, got 3x9"):
        factor_grid(field(key, 4, 4, 3, basis=2), height=3, width=9, basis=2)
