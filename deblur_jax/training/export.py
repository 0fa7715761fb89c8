"""Releasing what a run has learnt: weights with a model card."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from deblur_jax.io.weights import write_weights
from deblur_jax.training.checkpoint import load_variables
from deblur_jax.training.evaluate import read_summary
from deblur_jax.version import __version__


def export(workdir: Path, path: Path) -> dict[str, Any]:
    """Writes the newest checkpoint below `workdir` as a safetensors file with a model card.

    Returns:
        The model card.

    Raises:
        FileNotFoundError: if `workdir` holds no checkpoint.
        ValueError: if `path` does not end in `.safetensors`.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: the name of exported weights must end in .safetensors")
    variables, config, step = load_variables(workdir)
    card = {
        "model": config["model"],
        "config": config,
        "step": step,
        "metrics": read_summary(workdir),
        "version": __version__,
        "jax": jax.__version__,
        "licence": "Apache-2.0",
    }
    write_weights(path, jax.tree.map(np.asarray, variables), card)
    return card
