"""Losses of flow pyramids, against the equations in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.losses.flow_pyramid import pyramid_error, warp_error
from deblur_jax.ops.warp import warp_flow


def test_the_error_is_the_weighted_sum_of_lengths(key):
    fine, coarse = jax.random.normal(key, (4, 6, 2)), jax.random.normal(key, (2, 3, 2))
    flow = jnp.broadcast_to(jnp.asarray([3.0, -4.0]), (8, 12, 2))
    expected = sum(
        weight * np.sum(np.hypot(f[..., 0] - 3, f[..., 1] + 4)) / 20
        for f, weight in ((np.asarray(fine), 0.5), (np.asarray(coarse), 2.0))
    )
    actual = pyramid_error((fine, coarse), flow, weights=(0.5, 2.0))
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_the_error_is_zero_at_the_truth_and_so_is_its_gradient():
    flow = jnp.ones((4, 4, 2))
    value, grad = jax.value_and_grad(lambda f: pyramid_error((f,), flow, weights=(1.0,)))(flow)
    assert value == 0
    np.testing.assert_array_equal(grad, 0)


def test_the_true_flow_warps_one_frame_to_the_other(key):
    second = jax.random.uniform(key, (6, 7, 3))
    flow = 0.3 * jax.random.normal(key, (6, 7, 2))
    first = warp_flow(second, flow)
    np.testing.assert_allclose(warp_error((flow,), first, second), 0, atol=1e-20)
    still = warp_error((0 * flow,), first, second)
    np.testing.assert_allclose(still, np.sum(np.square(np.asarray(second - first))) / 2)


def test_gradients_match_finite_differences(key):
    flow = jax.random.normal(key, (3, 4, 2))
    truth = jax.random.normal(jax.random.fold_in(key, 1), (6, 8, 2))
    error = jax.jit(lambda flow: pyramid_error((flow,), truth, weights=(1.0,)))
    check_grads(error, (flow,), 1, modes=("rev",))


def test_a_missing_weight_is_refused():
    with pytest.raises(ValueError, match="one value for each of 1 flows, got 2"):
        pyramid_error((jnp.ones((2, 2, 2)),), jnp.ones((4, 4, 2)), weights=(1.0, 1.0))
