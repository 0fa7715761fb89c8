"""The training run: the one place where a config meets the code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.models.registry import make_model
from deblur_jax.training import checkpoint
from deblur_jax.training.optimizer import make_optimizer
from deblur_jax.training.parallel import (
    Devices,
    check_batch_size,
    over_devices,
    replicate,
    split_batch,
)
from deblur_jax.training.records import Progress, Records
from deblur_jax.training.state import TrainState, count_parameters, create_state
from deblur_jax.training.step import make_train_step
from deblur_jax.training.tasks.registry import find_task


def train(config: Any, workdir: Path, *, devices: Devices | None = None) -> TrainState:
    """Trains until `config.steps`, resuming from `workdir` if it holds a checkpoint.

    Args:
        config: a complete list of arguments, such as `configs/quickstart.py`.
        workdir: gets `checkpoints/`, `metrics.jsonl` and TensorBoard events.
        devices: what to train on; all local devices if None.

    Returns:
        The state after the last step.

    Raises:
        ValueError: if the config does not fit itself, the data, the devices or the checkpoint.
        FloatingPointError: if the loss is not a number.
    """
    devices = devices or jax.local_devices()
    check_batch_size(config.batches.batch_size, devices)
    task = find_task(config.task)
    model = make_model(**config.model)
    optimizer = make_optimizer(**config.optimizer, total_steps=config.steps)
    simulate = task.make_simulate(**config.simulate)
    loss_fn = task.make_loss(model, simulate, **config.loss)
    train_step = make_train_step(loss_fn, optimizer, ema_decay=config.ema_decay, seed=config.seed)
    step = over_devices(train_step, devices)

    source = make_source(**config.source)
    with checkpoint.open_manager(workdir, keep=config.keep_checkpoints) as manager:
        first = manager.latest_step() or 0
        batches = training_batches(source, seed=config.seed, start_step=first, **config.batches)
        batch = next(batches)
        state = create_state(
            jax.random.key(config.seed),
            model,
            optimizer,
            *_input_shapes(task, simulate, batch),
            ema=config.ema_decay > 0,
        )
        state = checkpoint.restore(manager, replicate(state, devices))
        print(
            f"{type(model).__name__}: {count_parameters(state.params)} parameters, "
            f"{len(source)} photos, {_place(first, config.steps)}",
            flush=True,
        )
        with (
            Records(workdir, step=first) as records,
            Progress(step=first, steps=config.steps, batch=config.batches.batch_size) as progress,
        ):
            for number in range(first + 1, config.steps + 1):
                if number == first + 1:
                    progress.note("compiling")
                state, metrics = step(state, split_batch(batch, devices))
                batch = next(batches)  # read while the devices work
                loss = None
                if number % config.log_every == 0 or number == config.steps:
                    loss = write_metrics(records.write, number, metrics)
                progress.advance(number, loss)
                if number % config.checkpoint_every == 0 or number == config.steps:
                    checkpoint.save(manager, state, config)
    return state


def write_metrics(write: Callable, number: int, metrics: dict[str, jax.Array]) -> float:
    """Writes one step's metrics, and stops the run if the loss is no longer a number."""
    values = {name: float(value) for name, value in metrics.items()}
    write(number, values)
    if not np.isfinite(values["loss/total"]):
        raise FloatingPointError(
            f"loss/total is {values['loss/total']} at step {number}; lower optimizer.peak_rate"
        )
    return values["loss/total"]


def _input_shapes(task: Any, simulate: Callable, batch: Any) -> list[jax.ShapeDtypeStruct]:
    """Returns what the network is called with, for a batch of one."""
    key = jax.random.key(0)
    inputs = jax.eval_shape(lambda batch: task.model_inputs(simulate, batch, key), batch)
    return [jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in inputs]


def _place(first: int, steps: int) -> str:
    if first >= steps:
        return f"all {steps} steps are done"
    return f"resuming after step {first} of {steps}" if first else f"{steps} steps to go"
