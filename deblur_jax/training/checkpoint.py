"""Checkpoints: the state and the config of a run, saved together and atomically.

Neither random state nor the position in the data is saved: both are functions of (seed, step).
"""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from deblur_jax.training.step import TrainState, variables_of
from deblur_jax.version import __version__, revision


FOLDER = "checkpoints"
OVERHEAD = 1_000_000  # bytes of a checkpoint beside the arrays, at most
Manager = ocp.CheckpointManager


@dataclasses.dataclass(frozen=True)
class NewestAndBest:
    """Keeps the newest checkpoints, whatever their scores, and the best one.

    Orbax's `max_to_keep` with `best_fn` deletes the newest checkpoints of a run that gets worse.
    """

    keep: int
    best: Callable[[], int | None]

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Return for each checkpoint, from old to new, whether to keep it."""
        del context
        newest, best = [info.step for info in checkpoints[-self.keep :]], self.best()
        return [info.step in newest or info.step == best for info in checkpoints]


@contextlib.contextmanager
def open_manager(
    workdir: Path, *, keep: int = 1, best: Callable[[], int | None] | None = None
) -> Iterator[Manager]:
    """Open `workdir/checkpoints`; saves are asynchronous, and complete when the block is left.

    Args:
        workdir: of the run.
        keep: how many of the newest checkpoints to keep.
        best: returns the step of the best checkpoint, to keep it too; without it the folder is
            only read.

    Raises:
        OSError: if a checkpoint could not be written.
    """
    if keep < 1:
        raise ValueError(f"config.keep_checkpoints must be at least 1, got {keep}")
    options = (
        ocp.CheckpointManagerOptions(read_only=True)
        if best is None
        else ocp.CheckpointManagerOptions(preservation_policy=NewestAndBest(keep, best))
    )
    names = ("config", "run")
    handlers: dict[str, Any] = {name: ocp.JsonCheckpointHandler() for name in names}
    handlers["state"] = ocp.StandardCheckpointHandler()
    folder = workdir.absolute() / FOLDER
    manager = ocp.CheckpointManager(folder, options=options, item_handlers=handlers)
    try:
        yield manager
    finally:
        with _in_one_line(folder):
            manager.close()


def save(manager: Manager, state: TrainState, config: Any) -> None:
    """Start saving; a checkpoint is listed only when it is complete.

    Raises:
        OSError: if the disk has no room for it, or an earlier one could not be written.
    """
    needed = sum(x.nbytes for x in jax.tree.leaves(state)) + OVERHEAD
    free = shutil.disk_usage(manager.directory).free
    run = {"version": __version__, "revision": revision(), "jax": jax.__version__}
    with _in_one_line(manager.directory):
        if free < needed:
            raise OSError(
                f"no space left on the disk: {free / 1e6:.1f} MB, a checkpoint takes up to "
                f"{needed / 1e6:.1f} MB"
            )
        manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),  # pyright: ignore[reportCallIssue]
                config=ocp.args.JsonSave(to_dict(config)),  # pyright: ignore[reportCallIssue]
                run=ocp.args.JsonSave(run),  # pyright: ignore[reportCallIssue]
            ),
        )


@contextlib.contextmanager
def _in_one_line(folder: Any) -> Iterator[None]:
    """Convert any exception of a failed (possibly asynchronous) save into a one-line `OSError`."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if "No space left" in reason or "ENOSPC" in reason:
            reason = "no space left on the disk"
        raise OSError(
            f"{folder}: a checkpoint could not be written ({reason[:300]}); "
            "the complete ones are untouched: fix this and run the same command again"
        ) from error


def restore(manager: Manager, state: TrainState) -> TrainState:
    """Return the newest saved state, placed as `state` is; `state` itself if none is saved.

    Raises:
        ValueError: if the checkpoint holds a state of other shapes, or is damaged.
    """
    step = manager.latest_step()
    if step is None:
        return state
    place = f"{manager.directory}/{step}"
    with _readable(place):
        tree = manager.item_metadata(step)["state"].tree
    _check_shapes(place, tree, state)
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    with _readable(place):
        restored = manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract)  # pyright: ignore[reportCallIssue]
            ),
        )
    return restored["state"]


@contextlib.contextmanager
def _readable(place: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # orbax raises many kinds of exceptions
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{place}: the checkpoint is damaged or was not written by deblur_jax ({first[:200]}); "
            "delete that folder to go on from the one before, or choose another --workdir"
        ) from error


def _check_shapes(place: str, tree: Any, state: TrainState) -> None:
    """Raise a ValueError if the saved state has other shapes than `state`."""
    advice = "use the config it was made with, or another --workdir"
    parts = {
        "params": "another model",
        "statistics": "another model",
        "opt_state": "another optimizer",
        "ema": "another ema_decay",
    }
    for part, kind in parts.items():
        # Orbax omits empty parts.
        saved, wanted = _shapes((tree or {}).get(part) or {}), _shapes(getattr(state, part))
        differing = sorted(name for name in saved | wanted if saved.get(name) != wanted.get(name))
        if differing:
            there, here = (shapes.get(differing[0], "missing") for shapes in (saved, wanted))
            raise ValueError(
                f"{place}: the checkpoint is of {kind} than the config ({differing[0]} is "
                f"{there} in the checkpoint and {here} in the config); {advice}"
            )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x.shape for path, x in leaves}


def changed_fields(manager: Manager, config: Any) -> list[str]:
    """Return "field: old -> new" for each field that differs from the newest checkpoint."""
    step = manager.latest_step()
    if step is None:
        return []
    saved, now = _flat(_read_json(manager, step, "config")), _flat(to_dict(config))
    return [
        f"{name}: {saved.get(name)} -> {now.get(name)}"
        for name in sorted(saved | now)
        if saved.get(name) != now.get(name)
    ]


def _read_json(manager: Manager, step: int, name: str) -> dict[str, Any]:
    with _readable(f"{manager.directory}/{step}"):
        arguments = ocp.args.JsonRestore()
        return manager.restore(step, args=ocp.args.Composite(**{name: arguments}))[name]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        inner = isinstance(value, dict)
        flat.update(_flat(value, f"{prefix}{name}.") if inner else {prefix + name: value})
    return flat


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config as a dict that JSON can hold."""
    return json.loads(config.to_json_best_effort())


@dataclasses.dataclass(frozen=True)
class Saved:
    """The content of a checkpoint for evaluation and export.

    Attributes:
        variables: what to evaluate and to release (see `TrainState.variables`), NumPy arrays.
        config: of the run, a plain dict.
        run: the version, git revision and JAX that it ran with.
        step: how many steps were done.
    """

    variables: dict[str, Any]
    config: dict[str, Any]
    run: dict[str, Any]
    step: int


def read(workdir: Path, step: int | None = None) -> Saved:
    """Read a checkpoint below `workdir`, without disturbing a run that is writing there.

    Args:
        workdir: of the run.
        step: which one; None for the newest.

    Raises:
        FileNotFoundError: if it is not there.
        ValueError: if it is damaged.
    """
    folder = workdir / FOLDER
    there = sorted(int(path.name) for path in folder.glob("*") if path.name.isdigit())
    if not there:
        raise FileNotFoundError(f"{workdir}: holds no checkpoint; train there first")
    with open_manager(workdir) as manager:
        steps = sorted(manager.all_steps())
        if not steps or step not in (None, *steps):
            listed = f"of steps {steps}" if steps else "at all"
            raise FileNotFoundError(
                f"{workdir}: holds no complete checkpoint of step {step}; there are {listed}"
            )
        step = steps[-1] if step is None else step
        with _readable(f"{manager.directory}/{step}"):
            tree = manager.item_metadata(step)["state"].tree
            abstract = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), tree)
            arguments = ocp.args.StandardRestore(abstract)  # pyright: ignore[reportCallIssue]
            state = manager.restore(step, args=ocp.args.Composite(state=arguments))["state"]
        config, run = (_read_json(manager, step, name) for name in ("config", "run"))
    # Orbax omits empty parts.
    variables = variables_of(state["params"], state.get("statistics"), state.get("ema"))
    return Saved(variables, config, run, step)
