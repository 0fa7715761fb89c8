"""Motion up to its sign: canonical flows and doubled angles."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from deblur_jax.ops.flow import canonical, double_angle, fit_plane, halve_angle, plane_flow


def sample(key):
    return 5 * jax.random.normal(key, (6, 7, 2))


def test_canonical_points_to_the_right_and_is_the_same_line(key):
    flow = sample(key)
    turned = canonical(flow)
    assert jnp.all(turned[..., 0] >= 0)
    np.testing.assert_array_equal(jnp.abs(turned), jnp.abs(flow))
    np.testing.assert_array_equal(jnp.sign(turned.prod(-1)), jnp.sign(flow.prod(-1)))


def test_canonical_keeps_the_sign_of_vertical_motion():
    vertical = jnp.asarray([[[0.0, -3.0], [0.0, 3.0]]])
    np.testing.assert_array_equal(canonical(vertical), vertical)


def test_doubling_the_angle_removes_the_sign_and_keeps_the_length(key):
    flow = sample(key)
    np.testing.assert_allclose(double_angle(flow), double_angle(-flow), rtol=1e-12)
    lengths = jnp.linalg.norm(flow, axis=-1)
    np.testing.assert_allclose(jnp.linalg.norm(double_angle(flow), axis=-1), lengths, rtol=1e-12)


def test_halving_undoes_doubling_up_to_the_sign(key):
    flow = canonical(sample(key))
    np.testing.assert_allclose(halve_angle(double_angle(flow)), flow, atol=1e-12)


def test_doubling_has_no_jump_at_the_vertical():
    nearly_up = jnp.asarray([[[1e-9, -3.0], [1e-9, 3.0]]])
    doubled = double_angle(nearly_up)
    np.testing.assert_allclose(doubled[:, 0], doubled[:, 1], atol=1e-8)


def test_gradients_match_finite_differences(key):
    flow = sample(key)
    check_grads(jax.jit(double_angle), (flow,), order=1, modes=("fwd", "rev"))
    check_grads(jax.jit(halve_angle), (canonical(flow),), order=1, modes=("fwd", "rev"))


def test_no_motion_has_a_finite_gradient():
    still = jnp.zeros((2, 2, 2))
    for function in (double_angle, halve_angle):
        np.testing.assert_array_equal(function(still), still)
        chex.assert_tree_all_finite(jax.jit(jax.jacobian(function))(still))


def apart_up_to_signs(one, other):
    return jnp.minimum(jnp.abs(one - other).max(-1), jnp.abs(one + other).max(-1)).max()


def test_a_plane_with_random_signs_is_fitted_robustly(key):
    plane = jnp.asarray([[2.5, -1.8], [-2.0, 3.2], [6.0, 1.2]])  # that turns around in the frame
    truth = plane_flow(plane, 40, 60)
    signs = jnp.where(jax.random.bernoulli(key, shape=(40, 60, 1)), 1.0, -1.0)
    fit = jax.jit(fit_plane)
    found = plane_flow(fit(signs * truth), 40, 60)
    assert apart_up_to_signs(found, truth) < 1e-9
    found = plane_flow(fit((signs * truth).at[5:15, 10:25].set(9.0)), 40, 60)
    assert apart_up_to_signs(found, truth) < 0.3


def test_a_plane_is_the_motion_in_the_middle_and_its_growth_over_the_frame():
    flow = plane_flow(jnp.asarray([[1.0, 2.0], [4.0, 0.0], [0.0, -8.0]]), 4, 8)
    np.testing.assert_allclose(flow[2, 4], [1, 2])
    np.testing.assert_allclose(flow[3, 4] - flow[2, 4], [1, 0])
    np.testing.assert_allclose(flow[2, 5] - flow[2, 4], [0, -1])


def test_the_plane_of_no_motion_is_none():
    np.testing.assert_array_equal(jax.jit(fit_plane)(jnp.zeros((9, 11, 2))), 0)
