"""Releasing what a run has learnt: weights with a model card."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from deblur_jax.io.weights import write_weights
from deblur_jax.training import checkpoint
from deblur_jax.training.records import read_evaluations


def export(workdir: Path, path: Path, *, step: int | None = None) -> dict[str, Any]:
    """Writes a checkpoint below `workdir` as a safetensors file with a model card.

    Args:
        workdir: of the run.
        path: the file to write.
        step: which checkpoint; None for the newest.

    Returns:
        The model card: the network, the whole config with its data, the steps, the metrics of the
        evaluation at that step (None if there was none), the version and git revision that
        trained it, and the licence note of the config.

    Raises:
        FileNotFoundError: if `workdir` holds no such checkpoint.
        ValueError: if `path` does not end in `.safetensors`.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: the name of exported weights must end in .safetensors")
    saved = checkpoint.read(workdir, step)
    card = {
        "model": saved.config["model"],
        "data": saved.config["source"],
        "config": saved.config,
        "step": saved.step,
        "metrics": read_evaluations(workdir).get(saved.step),
        **saved.run,
        "licence": saved.config["licence"],
    }
    write_weights(path, jax.tree.map(np.asarray, saved.variables), card)
    return card
