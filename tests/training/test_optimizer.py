"""The optimizer: its schedule and its clipping, seen through the updates."""

import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.training.optimizer import make_optimizer


def updates(gradient, steps, **fields):
    options = {"peak_rate": 0.1, "warmup_fraction": 0.5, "clip_norm": 1.0, "total_steps": 8}
    optimizer = make_optimizer(**{**options, **fields})
    params = {"w": jnp.zeros(2)}
    state, made = optimizer.init(params), []
    for _ in range(steps):
        update, state = optimizer.update({"w": jnp.asarray(gradient)}, state, params)
        made.append(update["w"])
    return np.asarray(made)


def test_the_rate_rises_to_its_peak_and_falls_to_zero():
    # Adam's updates under a constant gradient are the rate.
    rates = -updates([1.0, 1.0], 9, clip_norm=10.0)[:, 0]
    cosine = 0.05 * (1 + np.cos(np.pi * np.arange(5) / 4))
    expected = np.concatenate([[0, 0.025, 0.05, 0.075], cosine])
    np.testing.assert_allclose(rates, expected, atol=1e-6)


def test_a_gradient_beyond_the_norm_is_scaled_to_it():
    # After one huge gradient Adam's second moment is what clipping let through.
    clipped = updates([3e8, 4e8], 3)
    assert np.all(np.isfinite(clipped))
    np.testing.assert_allclose(clipped[2], updates([0.6, 0.8], 3)[2], rtol=1e-5)


def test_the_warm_up_must_leave_something():
    with pytest.raises(ValueError, match=r"warmup_fraction must be in \[0, 1\), got 1.0"):
        updates([1.0, 1.0], 1, warmup_fraction=1.0)
