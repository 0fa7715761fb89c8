"""Checkpoints: the state and the config of a run, saved as one and whole or not at all.

Neither randomness nor the place in the data is saved: both are functions of (seed, step).
"""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from deblur_jax.training.state import TrainState


def open_manager(workdir: Path, *, keep: int) -> ocp.CheckpointManager:
    """Opens `workdir/checkpoints`, which keeps the newest `keep`; saves are asynchronous."""
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
    handlers = {"state": ocp.StandardCheckpointHandler(), "config": ocp.JsonCheckpointHandler()}
    folder = workdir.absolute() / "checkpoints"
    return ocp.CheckpointManager(folder, options=options, item_handlers=handlers)


def save(manager: ocp.CheckpointManager, state: TrainState, config: Any) -> None:
    """Starts saving; a checkpoint is listed only when it is complete."""
    manager.save(
        int(state.step),
        args=ocp.args.Composite(
            state=ocp.args.StandardSave(state),
            config=ocp.args.JsonSave(json.loads(config.to_json_best_effort())),
        ),
    )


def restore(manager: ocp.CheckpointManager, state: TrainState) -> TrainState:
    """Returns the newest saved state, placed as `state` is; `state` itself if none is saved.

    Raises:
        ValueError: if the checkpoint does not hold a state of this shape.
    """
    step = manager.latest_step()
    if step is None:
        return state
    _check_parameters(manager, step, state)
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    try:
        restored = manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
        )
    except (ValueError, KeyError, FileNotFoundError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{manager.directory}/{step}: the checkpoint is damaged or of another optimizer "
            f"({first}); use the config it was made with, or another --workdir"
        ) from error
    return restored["state"]


def _check_parameters(manager: ocp.CheckpointManager, step: int, state: TrainState) -> None:
    """Raises a ValueError if the checkpoint's parameters are not of the shapes of `state`."""
    saved = _shapes(manager.item_metadata(step)["state"].tree["params"])
    wanted = _shapes(state.params)
    differing = sorted(name for name in saved | wanted if saved.get(name) != wanted.get(name))
    if differing:
        there, here = (shapes.get(differing[0], "missing") for shapes in (saved, wanted))
        raise ValueError(
            f"{manager.directory}/{step}: the checkpoint is of another model than the config "
            f"({differing[0]} is {there} there and {here} here); use the config it was made with, "
            "or another --workdir"
        )


def _shapes(params: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x.shape for path, x in leaves}


def load_variables(workdir: Path) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Reads the newest checkpoint below `workdir` as plain NumPy arrays.

    Returns:
        The variables to release (see `TrainState.variables`), the config as a plain dict, and the
        step.

    Raises:
        FileNotFoundError: if there is no complete checkpoint.
    """
    folder = workdir.absolute() / "checkpoints"
    # Orbax would make the folder that it is asked to read.
    steps = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    if not steps:
        raise FileNotFoundError(f"{workdir}: holds no checkpoint; train there first")
    with open_manager(workdir, keep=len(steps)) as manager:
        step = manager.latest_step()
        if step is None:
            raise FileNotFoundError(f"{workdir}: holds no complete checkpoint; train there first")
        metadata = manager.item_metadata(step)["state"]
        abstract = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), metadata.tree)
        restored = manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract), config=ocp.args.JsonRestore()
            ),
        )
    saved = restored["state"]
    # Orbax leaves empty dicts out.
    variables = {"params": saved.get("ema") or saved["params"], **(saved.get("statistics") or {})}
    return variables, restored["config"], step
