"""The training run: the one place where a config meets the code."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.io.images import whole_file
from deblur_jax.models.registry import make_model
from deblur_jax.training import checkpoint
from deblur_jax.training.evaluate import best_step, evaluate, record_evaluation
from deblur_jax.training.machine import StopRequest, alone_in, local_copy
from deblur_jax.training.optimizer import make_optimizer
from deblur_jax.training.overview import parameter_table, step_flops
from deblur_jax.training.parallel import (
    Devices,
    check_batch_size,
    joined,
    over_devices,
    replicate,
    split_batch,
)
from deblur_jax.training.precision import with_precision
from deblur_jax.training.records import (
    Progress,
    Records,
    Stopwatch,
    announced,
    read_evaluations,
)
from deblur_jax.training.state import TrainState, create_state
from deblur_jax.training.step import make_train_step
from deblur_jax.training.tasks.registry import find_task


def train(config: Any, workdir: Path, *, devices: Devices | None = None) -> TrainState:
    """Trains until `config.steps`, resuming from `workdir` if it holds a checkpoint.

    Evaluates on the way and at the end; SIGTERM and Ctrl-C save the state after the step at hand.

    Args:
        config: a complete list of arguments, such as `configs/quickstart.py`.
        workdir: gets `checkpoints/`, `metrics.jsonl`, `pictures/` and TensorBoard events.
        devices: what to train on; all devices of all processes if None.

    Returns:
        The state after the last step that was done.

    Raises:
        ValueError: if the config does not fit itself, the data, the devices or the checkpoint, or
            if another run is in `workdir`.
        FloatingPointError: if the loss is not a number.
        OSError: if a checkpoint could not be written.
    """
    devices = devices or jax.devices()
    check_batch_size(config.batches.batch_size, devices, accumulate=config.accumulate)
    task = find_task(config.task)
    model = make_model(**config.model)
    optimizer = make_optimizer(**config.optimizer, total_steps=config.steps)
    simulate = task.make_simulate(**config.simulate)
    network = with_precision(model, precision=config.precision, remat=config.remat)
    train_step = make_train_step(
        task.make_loss(network, simulate, **config.loss),
        optimizer,
        ema_decay=config.ema_decay,
        seed=config.seed,
        accumulate=config.accumulate,
    )
    step = over_devices(train_step, devices, parallel=config.parallel)
    split = functools.partial(split_batch, devices=devices, parallel=config.parallel)
    best = functools.partial(best_step, workdir, metric=config.best_metric, wanted=config.best_is)
    source = make_source(**config.source)
    with (
        alone_in(workdir),
        StopRequest() as stop,
        checkpoint.open_manager(workdir, keep=config.keep_checkpoints, best=best) as manager,
    ):
        first = manager.latest_step() or 0
        batches = training_batches(
            source,
            seed=config.seed,
            start_step=first,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            **config.batches,
        )
        batch = next(batches)
        state = create_state(
            jax.random.key(config.seed),
            model,
            optimizer,
            *_input_shapes(task, simulate, batch),
            ema=config.ema_decay > 0,
        )
        state = checkpoint.restore(manager, replicate(state, devices))
        _tell(config, manager, state, type(model).__name__, len(source))

        watch, unread = Stopwatch(), None
        with (
            Records(workdir, step=first) as records,
            Progress(step=first, steps=config.steps, batch=config.batches.batch_size) as progress,
        ):

            def read(number: int, batch: Any, metrics: Any) -> None:
                """Waits for a step, stops the run if it went wrong, and records it."""
                with watch.on("compute"):
                    loss, norm = jax.device_get((metrics["loss/total"], metrics["norm/grads"]))
                if not (np.isfinite(loss) and np.isfinite(norm)):
                    _stop_at(workdir, number, batch, float(loss), float(norm))
                told = number % config.log_every == 0 or number == config.steps
                if told:
                    values = {name: float(value) for name, value in metrics.items()}
                    records.write(number, {**values, **watch.means()})
                progress.advance(number, float(loss) if told else None)

            def evaluate_at(number: int) -> None:
                if not _evaluation_due(config, number) or jax.process_index():
                    return
                if number in read_evaluations(workdir):  # before it was stopped
                    return
                with announced(f"evaluating after {number} steps"):
                    metrics = evaluate(config, workdir, local_copy(state.variables))
                record_evaluation(records, workdir, number, metrics)

            evaluate_at(first)
            for number in range(first + 1, config.steps + 1):
                with watch.on("data"):
                    shares = split(batch)
                if number == first + 1:
                    _tell_cost(step, state, shares)
                    with announced("compiling the train step"):
                        state, metrics = step(state, shares)
                        jax.block_until_ready(metrics)
                else:
                    state, metrics = step(state, shares)
                _trace(config.profile, workdir, number - first, state)
                # The step is under way: meanwhile the one before is read, and a batch fetched.
                if unread is not None:
                    read(*unread)
                unread = (number, batch, metrics)
                with watch.on("data"):
                    batch = next(batches)
                watch.step()

                stopped = stop.reached(number)
                if stopped or _save_due(config, number):
                    read(*unread)  # what is saved has been looked at
                    unread = None
                    checkpoint.save(manager, joined(state, devices), config)
                    evaluate_at(number)
                if stopped:
                    break
    return state


def _save_due(config: Any, number: int) -> bool:
    return (
        number % config.checkpoint_every == 0
        or number == config.steps
        or _evaluation_due(config, number)
    )


def _evaluation_due(config: Any, number: int) -> bool:
    every = config.evaluate_every
    return number == config.steps or bool(every and number and number % every == 0)


def _stop_at(workdir: Path, number: int, batch: Any, loss: float, norm: float) -> None:
    """Saves the batch of a step that gave no number, and stops the run."""
    path = workdir / f"not-a-number-step-{number}-process-{jax.process_index()}.npz"
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, step=number, **batch)
    name, value = ("loss/total", loss) if not np.isfinite(loss) else ("norm/grads", norm)
    raise FloatingPointError(
        f"{name} is {value} at step {number}; its batch is in {path}, and the newest checkpoint "
        "leads there again; lower optimizer.peak_rate"
    )


def _input_shapes(task: Any, simulate: Callable, batch: Any) -> list[jax.ShapeDtypeStruct]:
    """Returns what the network is called with, for a batch of one."""
    key = jax.random.key(0)
    inputs = jax.eval_shape(lambda batch: task.model_inputs(simulate, batch, key), batch)
    return [jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in inputs]


def _tell(config: Any, manager: Any, state: TrainState, model: str, count: int) -> None:
    if jax.process_index():
        return
    first, steps = int(state.step), config.steps
    place = f"resuming after step {first} of {steps}" if first else f"{steps} steps to go"
    place = f"all {steps} steps are done" if first >= steps else place
    print(parameter_table(model, state.params))
    print(f"{count} examples to train on, {place}", flush=True)
    changed = checkpoint.changed_fields(manager, config)
    if changed:
        print(f"not as in the checkpoint: {', '.join(changed)}", flush=True)


def _tell_cost(step: Callable, state: TrainState, shares: Any) -> None:
    flops = step_flops(step, state, shares)
    if flops and not jax.process_index():
        print(f"each step takes {flops / 1e9:.3g} GFLOP on each device", flush=True)


def _trace(steps: int, workdir: Path, number: int, state: TrainState) -> None:
    """Writes a profiler trace of `steps` steps after the first two, which compile and settle."""
    if steps and number == 2:
        jax.profiler.start_trace(str(workdir / "profile"))
    if steps and number == 2 + steps:
        jax.block_until_ready(state)
        jax.profiler.stop_trace()
