"""Measuring a trained state on photos that it never saw."""

import json
from pathlib import Path
from typing import Any

from deblur_jax.data.sources import make_source
from deblur_jax.io.files import write_json
from deblur_jax.models.registry import make_model
from deblur_jax.training.records import TEST, Records, read_evaluations
from deblur_jax.training.tasks.registry import find_task


SUMMARY = "summary.json"
BEST = ("max", "min")


def evaluate(config: Any, workdir: Path, variables: Any) -> dict[str, float]:
    """Evaluates `variables` as the config says; pictures go to `workdir/pictures`."""
    task = find_task(config.task)
    return task.evaluate(
        make_model(**config.model),
        variables,
        make_source(**config.evaluation_source),
        task.make_simulate(**config.simulate),
        workdir=workdir,
        **config.evaluate,
    )


def record_evaluation(
    records: Records, workdir: Path, step: int, metrics: dict[str, float]
) -> None:
    """Records the metrics and pictures of an evaluation at `step`."""
    records.write(step, {TEST + name: float(value) for name, value in metrics.items()})
    records.show(step, workdir / "pictures")


def best_step(workdir: Path, *, metric: str, wanted: str) -> int | None:
    """Returns the step whose evaluation was best; None before the first one.

    Args:
        workdir: of the run.
        metric: which of the task's metrics counts.
        wanted: whether its `max` or its `min` is best.

    Raises:
        ValueError: if the task has no such metric.
    """
    if wanted not in BEST:
        raise ValueError(f"config.best_is must be one of {sorted(BEST)}, got {wanted!r}")
    evaluations = read_evaluations(workdir)
    for metrics in evaluations.values():
        if metric not in metrics:
            raise ValueError(f"config.best_metric must be one of {sorted(metrics)}, got {metric!r}")
    sign = 1 if wanted == "max" else -1
    scores = {step: sign * metrics[metric] for step, metrics in evaluations.items()}
    scores = {step: score for step, score in scores.items() if score == score}  # no nan
    return max(scores, key=scores.__getitem__, default=None)


def write_summary(workdir: Path, summary: dict[str, float | int]) -> None:
    """Writes `workdir/summary.json`, whole or not at all."""
    write_json(workdir / SUMMARY, summary)


def read_summary(workdir: Path) -> dict[str, float | int] | None:
    """Returns the summary of a finished run; None if there is none that can be read."""
    try:
        return json.loads((workdir / SUMMARY).read_text())
    except (FileNotFoundError, ValueError):
        return None
