"""The optimizer: its schedule and its clipping, measured on the updates."""

import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.training.optimizer import make_optimizer, make_schedule


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


def rates(**fields):
    schedule = make_schedule(
        **{"peak_rate": 1.0, "warmup_fraction": 0.0, "total_steps": 8, **fields}
    )
    return np.asarray([schedule(step) for step in range(8)])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule": "constant"}, np.ones(8)),
        ({"schedule": "step", "period": 3, "factor": 0.1}, [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        (
            {"schedule": "halving", "milestones": (0.25, 5 / 8), "factor": 0.5},
            [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25],
        ),
        ({"schedule": "poly", "power": 2.0}, (1 - np.arange(8) / 8) ** 2),
        ({"schedule": "linear", "constant_steps": 4}, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
        ({"schedule": "cosine"}, (1 + np.cos(np.pi * np.arange(8) / 8)) / 2),
        ({"schedule": "constant", "warmup_fraction": 0.5}, np.minimum(1, np.arange(8) / 4)),
    ],
)
def test_each_schedule_is_its_formula(fields, expected):
    np.testing.assert_allclose(rates(**fields), expected, rtol=1e-5)


def test_momentum_adds_up_past_gradients():
    made = updates([1.0, 0.0], 3, name="sgd", schedule="constant", warmup_fraction=0.0)
    np.testing.assert_allclose(-made[:, 0], 0.1 * np.asarray([1, 1.9, 2.71]), rtol=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "lion"}, r"optimizer.name must be one of \['adam', 'adamw', 'sgd'\], got 'lion'"),
        ({"schedule": "line"}, r"optimizer.schedule must be one of \['constant', .*got 'line'"),
        ({"schedule": "linear", "constant_steps": 100}, "to less than steps, 8, got 100"),
        ({"schedule": "step"}, "optimizer.period must be at least 1 step, got 0"),
        (
            {"schedule": "halving", "milestones": (0.5, 250_000)},
            r"optimizer.milestones must be shares of the run between 0 and 1, got \(0.5, 250000\)",
        ),
    ],
)
def test_the_error_for_an_unknown_choice_lists_the_known_ones(fields, message):
    with pytest.raises(ValueError, match=message):
        updates([1.0, 1.0], 1, **fields)


@pytest.mark.parametrize(
    ("name", "expected"), [("sgd", -0.1 * 0.5 * 2), ("adamw", -0.1 * 0.5 * 2), ("adam", -0.1)]
)
def test_weight_decay_pulls_the_parameters_to_zero(name, expected):
    optimizer = make_optimizer(
        name=name, peak_rate=0.1, warmup_fraction=0.0, schedule="constant", clip_norm=0.0,
        weight_decay=0.5, total_steps=8,
    )  # fmt: skip
    params = {"w": jnp.full(1, 2.0)}
    update, _ = optimizer.update({"w": jnp.zeros(1)}, optimizer.init(params), params)
    # Adam treats the decay as a gradient and normalises its size.
    np.testing.assert_allclose(update["w"], [expected], rtol=1e-4)
