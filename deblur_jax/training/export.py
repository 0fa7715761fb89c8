"""Exporting the weights of a run, with a model card."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deblur_jax.io.weights import write_weights
from deblur_jax.training import checkpoint
from deblur_jax.training.records import read_evaluations


DTYPES = ("float16", "float32")


def export(
    workdir: Path,
    path: Path,
    *,
    step: int | None = None,
    dtype: str = "float32",
    measure: Callable[[Any], dict[str, float]] | None = None,
) -> dict[str, Any]:
    """Write a checkpoint below `workdir` as a safetensors file with a model card.

    Args:
        workdir: of the run.
        path: the file to write.
        step: which checkpoint; None for the newest.
        dtype: of the weights in the file. `float16` halves its size; the weights are converted to
            float32 when they are loaded.
        measure: evaluates variables; called with the rounded ones, so that the card shows the
            effect of rounding.

    Returns:
        The model card: the network, the whole config with its data, the steps, the metrics of the
        evaluation at that step (None if there was none), the version and git revision that
        trained it, and the licence note of the config; with `float16` also the metrics after
        rounding, in `metrics_float16`.

    Raises:
        FileNotFoundError: if `workdir` holds no such checkpoint.
        ValueError: if `path` does not end in `.safetensors`, or `dtype` is another.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: the name of exported weights must end in .safetensors")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {sorted(DTYPES)}, got {dtype!r}")
    saved = checkpoint.read(workdir, step)
    variables = jax.tree.map(lambda x: np.asarray(x).astype(dtype), saved.variables)
    card = {
        "model": saved.config["model"],
        "data": saved.config["source"],
        "config": saved.config,
        "step": saved.step,
        "metrics": read_evaluations(workdir).get(saved.step),
        **saved.run,
        "licence": saved.config["licence"],
        "dtype": dtype,
    }
    if dtype != "float32" and measure is not None:
        rounded = jax.tree.map(lambda x: x.astype(np.float32), variables)
        card[f"metrics_{dtype}"] = measure(rounded)
    write_weights(path, variables, card)
    return card
