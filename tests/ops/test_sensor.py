"""Sensor: curves that invert, a limit that holds, noise of the stated size."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.ops.sensor import add_noise, quantize, saturate, to_display, to_light


@pytest.mark.parametrize("transfer", ["srgb", "linear", 2.2])
def test_light_and_display_invert_each_other(transfer):
    display = jnp.linspace(0.0, 1.2, 101)
    np.testing.assert_allclose(to_display(to_light(display, transfer), transfer), display, 1e-7)


@pytest.mark.parametrize("transfer", ["srgb", "linear", 2.2])
def test_gradients_of_the_curves_are_finite_also_at_black(transfer):
    values = jnp.asarray([-0.1, 0.0, 1e-9, 0.5, 2.0])
    for curve in (to_light, to_display):
        slopes = jax.vmap(jax.grad(lambda x, curve=curve: curve(x, transfer)))(values)
        chex.assert_tree_all_finite(slopes)


def test_the_error_for_an_unknown_transfer_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"to_light: transfer must be 'srgb', 'linear' or .*'log'"):
        to_light(jnp.ones(3), "log")
    with pytest.raises(ValueError, match=r"to_display: transfer must be .* got -1"):
        to_display(jnp.ones(3), -1)


def test_saturation_is_the_stated_formula():
    light = jnp.linspace(-0.5, 1.5, 41)
    expected = light - jnp.log(1 + jnp.exp(50 * (light - 1))) / 50
    np.testing.assert_allclose(saturate(light), expected, atol=1e-12)


def test_saturation_keeps_the_limit_and_single_precision_far_above_it():
    light = jnp.asarray([0.0, 0.5, 1.0, 2.0, 1e4, 1e30], jnp.float32)
    expected = np.asarray([0.0, 0.5, 1 - np.log(2) / 50, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(saturate(light), expected, atol=1e-6)


def test_the_slope_of_saturation_is_a_logistic_curve():
    light = jnp.linspace(0.0, 2.0, 21)
    slopes = jax.vmap(jax.grad(saturate))(light)
    np.testing.assert_allclose(slopes, 1 / (1 + jnp.exp(50 * (light - 1))), rtol=1e-9)
    check_grads(jax.jit(saturate), (light,), order=2)


def test_noise_has_the_stated_variance(key):
    signal = jnp.full((200, 200), 0.5)
    noisy = add_noise(key, signal, sigma=0.1, shot=0.02, proportional=0.2)
    expected = 0.1**2 + 0.02 * 0.5 + (0.2 * 0.5) ** 2
    np.testing.assert_allclose(jnp.var(noisy - signal), expected, rtol=0.05)


def test_noise_is_a_function_of_the_key_and_none_is_none(key):
    signal = jnp.full((4, 4), 0.5)
    np.testing.assert_array_equal(
        add_noise(key, signal, sigma=1.0), add_noise(key, signal, sigma=1.0)
    )
    np.testing.assert_array_equal(add_noise(key, signal), signal)


def test_gradient_through_noise_is_finite_at_black(key):
    slope = jax.grad(lambda x: jnp.sum(add_noise(key, x, shot=0.1)))(jnp.zeros(3))
    chex.assert_tree_all_finite(slope)


def test_quantized_values_are_the_levels():
    image = jnp.linspace(-0.1, 1.1, 1001)
    steps = quantize(image, levels=4) * 3
    np.testing.assert_allclose(steps, jnp.round(steps), atol=1e-12)
    assert len(np.unique(steps)) == 4


def test_quantization_lets_the_gradient_through_but_for_clipped_pixels():
    slopes = jax.grad(lambda x: jnp.sum(quantize(x)))(jnp.asarray([-0.5, 0.3, 1.5]))
    np.testing.assert_array_equal(slopes, [0.0, 1.0, 0.0])


def test_a_single_level_is_refused():
    with pytest.raises(ValueError, match="levels must be at least 2, got 1"):
        quantize(jnp.ones(3), levels=1)
