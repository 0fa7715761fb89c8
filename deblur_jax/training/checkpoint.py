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
    return ocp.CheckpointManager(workdir.absolute() / "checkpoints", options=options)


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
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    try:
        restored = manager.restore(
            step, args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
        )
    except (ValueError, KeyError, FileNotFoundError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{manager.directory}/{step}: the checkpoint does not fit this config or is damaged "
            f"({first}); use the config it was made with, or another --workdir"
        ) from error
    return restored["state"]


def load_params(workdir: Path) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Reads the newest checkpoint below `workdir` as plain NumPy arrays.

    Returns:
        The parameters, the config as a plain dict, and the step.

    Raises:
        FileNotFoundError: if there is no complete checkpoint.
    """
    folder = workdir.absolute() / "checkpoints"
    # Orbax would make the folder that it is asked to read.
    steps = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    if not steps:
        raise FileNotFoundError(f"{workdir}: holds no checkpoint; train there first")
    with ocp.CheckpointManager(folder) as manager:
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
    return restored["state"]["params"], restored["config"], step
