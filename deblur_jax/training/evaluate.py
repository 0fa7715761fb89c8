"""Measuring a trained state on photos that it never saw."""

import json
from pathlib import Path
from typing import Any

from deblur_jax.data.sources import make_source
from deblur_jax.io.images import whole_file
from deblur_jax.models.registry import make_model
from deblur_jax.training.records import Records
from deblur_jax.training.tasks.registry import find_task


SUMMARY = "summary.json"


def evaluate(config: Any, workdir: Path, variables: Any, *, step: int) -> dict[str, float]:
    """Evaluates `variables` as the config says, and records the metrics at `step`."""
    task = find_task(config.task)
    metrics = task.evaluate(
        make_model(**config.model),
        variables,
        make_source(**config.evaluation_source),
        task.make_simulate(**config.simulate),
        workdir=workdir,
        **config.evaluate,
    )
    with Records(workdir, step=step) as records:
        records.write(step, {f"test/{name}": value for name, value in metrics.items()})
    return metrics


def write_summary(workdir: Path, summary: dict[str, float | int]) -> None:
    """Writes `workdir/summary.json`, whole or not at all."""
    with whole_file(workdir / SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")


def read_summary(workdir: Path) -> dict[str, float | int] | None:
    """Returns the summary of a finished run; None if there is none that can be read."""
    try:
        return json.loads((workdir / SUMMARY).read_text())
    except (FileNotFoundError, ValueError):
        return None
