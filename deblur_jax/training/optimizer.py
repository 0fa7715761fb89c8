"""Optimizers and learning rate schedules."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import optax


OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "halving", "linear", "poly", "step")


def make_schedule(
    *,
    schedule: str,
    peak_rate: float,
    warmup_fraction: float,
    total_steps: int,
    period: int = 0,
    factor: float = 0.5,
    milestones: Sequence[float] = (),
    power: float = 1.0,
    constant_steps: int = 0,
) -> optax.Schedule:
    """Return the learning rate as a function of the step, after a linear warm-up from zero.

    Args:
        schedule: `constant`; `step` multiplies the rate by `factor` every `period` steps; `halving`
            multiplies it by `factor` at each of `milestones`; `linear` is constant for
            `constant_steps` and then falls linearly to zero at `total_steps`; `poly` falls to zero
            as `(1 - step / total_steps) ** power`; `cosine` falls to zero along half a period that
            begins after the warm-up.
        peak_rate: the highest learning rate.
        warmup_fraction: the share of the run in which the rate rises from zero, in [0, 1).
        total_steps: the length of the run in steps.
        period: see `step`.
        factor: see `step` and `halving`.
        milestones: see `halving`; shares of the run, such as 0.5 for half of its steps.
        power: see `poly`.
        constant_steps: see `linear`.
    """
    if not 0 <= warmup_fraction < 1:
        raise ValueError(f"optimizer.warmup_fraction must be in [0, 1), got {warmup_fraction}")
    warmup_steps = int(warmup_fraction * total_steps)
    if schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, peak_rate, warmup_steps, total_steps)
    if schedule == "step":
        if period < 1:
            raise ValueError(f"optimizer.period must be at least 1 step, got {period}")
        after = optax.exponential_decay(peak_rate, period, factor, staircase=True)
    elif schedule == "halving":
        if not all(0 < share < 1 for share in milestones):
            raise ValueError(
                "optimizer.milestones must be shares of the run between 0 and 1, got "
                f"{tuple(milestones)}"
            )
        steps = [round(share * total_steps) for share in milestones]
        after = optax.piecewise_constant_schedule(peak_rate, dict.fromkeys(steps, factor))
    elif schedule == "poly":
        after = optax.polynomial_schedule(peak_rate, 0.0, power, total_steps)
    elif schedule == "linear":
        if not 0 <= constant_steps < total_steps:
            raise ValueError(
                f"optimizer.constant_steps must be from 0 to less than steps, {total_steps}, got "
                f"{constant_steps}"
            )
        falling = total_steps - constant_steps
        after = optax.linear_schedule(peak_rate, 0.0, falling, constant_steps)
    elif schedule == "constant":
        after = optax.constant_schedule(peak_rate)
    else:
        raise ValueError(f"optimizer.schedule must be one of {sorted(SCHEDULES)}, got {schedule!r}")
    if not warmup_steps:
        return after
    return lambda step: after(step) * jnp.minimum(1.0, step / warmup_steps)


def make_optimizer(
    *,
    clip_norm: float,
    name: str = "adam",
    momentum: float = 0.9,
    second_moment: float = 0.999,
    weight_decay: float = 0.0,
    schedule: str = "cosine",
    **fields: Any,
) -> optax.GradientTransformation:
    """Return an optimizer: clipping by the global norm, weight decay, and an update rule.

    Args:
        clip_norm: the largest global norm of a gradient; 0 for no clipping.
        name: `adam`, `adamw` or `sgd` with momentum.
        momentum: the decay of the mean gradient; Adam's b1.
        second_moment: Adam's b2.
        weight_decay: its product with the parameters is added to the gradient (an L2 penalty);
            with `adamw` the decay is decoupled from the gradient.
        schedule: see `make_schedule`.
        **fields: of `make_schedule`.
    """
    rate = make_schedule(schedule=schedule, **fields)
    steps = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    if weight_decay and name != "adamw":
        steps.append(optax.add_decayed_weights(weight_decay))
    if name == "adam":
        steps.append(optax.adam(rate, b1=momentum, b2=second_moment))
    elif name == "adamw":
        steps.append(optax.adamw(rate, momentum, second_moment, weight_decay=weight_decay))
    elif name == "sgd":
        steps.append(optax.sgd(rate, momentum=momentum))
    else:
        raise ValueError(f"optimizer.name must be one of {sorted(OPTIMIZERS)}, got {name!r}")
    return optax.chain(*steps)
