"""Checks of a config's fields before the first step; every message names the field."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from deblur_jax.training.records import BEST


# Fields that must be at least one. Those that are not listed may be zero, and none be negative.
POSITIVE = (
    "steps", "keep_checkpoints", "accumulate",
    "batches.batch_size", "batches.crop", "batches.largest_scale",
    "source.smallest", "evaluation_source.smallest",
    "evaluate.per_example",
    "simulate.subframes", "simulate.side", "simulate.frames", "simulate.fewest",
    "model.width", "model.widths", "model.flow_widths", "model.context_widths",
    "model.first_widths", "model.later_widths", "model.prior_widths", "model.basis", "model.side",
    "model.fold", "model.frames", "model.window", "model.channels", "model.linear_steps",
    "model.unit",
    "init.critic_width", "loss.critic_steps", "loss.chunk",
)  # fmt: skip
FRACTIONS = (  # from zero up to, but not including, one
    "ema_decay", "optimizer.warmup_fraction", "optimizer.momentum", "optimizer.second_moment",
    "loss.critic_momentum",
)  # fmt: skip
GROUPS = (
    "batches", "evaluate", "evaluation_source", "init", "loss", "model", "optimizer", "simulate",
    "source",
)  # fmt: skip
FIELDS = (
    "accumulate", "best_is", "best_metric", "checkpoint_every", "ema_decay", "evaluate_every",
    "keep_checkpoints", "licence", "log_every", "parallel", "precision", "profile", "remat",
    "seed", "steps", "task",
)  # fmt: skip
LARGEST_SEED = 2**32 - 1


def check_config(config: Any) -> None:
    """Raise a ValueError that names the first field whose value is out of range, or is missing.

    Numbers must not be negative, nor NaN, and some must be positive; values
    that a single function uses, such as names, are checked by that function.
    """
    known = {*FIELDS, *GROUPS}
    for name in sorted(known - set(config)):
        raise ValueError(f"the config has no {name}; see configs/quickstart.py for all fields")
    for name in sorted(set(config) - known):
        raise ValueError(f"the config has an unknown field {name}; expected {sorted(known)}")
    for name, value in _numbers(config, ""):
        _check_number(name, value)
    if config.best_is not in BEST:
        raise ValueError(f"config.best_is must be one of {sorted(BEST)}, got {config.best_is!r}")
    if config.seed > LARGEST_SEED:
        raise ValueError(f"config.seed must be at most {LARGEST_SEED}, got {config.seed}")


def check_metric(name: str, known: Sequence[str]) -> None:
    """Raise a ValueError unless the config's best metric is one that the evaluation computes."""
    if name not in known:
        raise ValueError(f"config.best_metric must be one of {sorted(known)}, got {name!r}")


def _check_number(name: str, value: float) -> None:
    if name in FRACTIONS and not 0 <= value < 1:
        raise ValueError(f"config.{name} must be in [0, 1), got {value}")
    if name in POSITIVE and not value >= 1:
        raise ValueError(f"config.{name} must be at least 1, got {value}")
    if math.isnan(value) or value < 0:
        raise ValueError(f"config.{name} must not be negative, got {value}")


def _numbers(group: Any, prefix: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a group and of its groups, those of a tuple under the tuple's name."""
    for name, value in group.items():
        if hasattr(value, "items"):
            yield from _numbers(value, f"{prefix}{name}.")
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, int | float) and not isinstance(each, bool):
                yield prefix + name, each
