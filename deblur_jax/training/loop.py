"""The training run, from the newest checkpoint to the last step."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.training import checkpoint
from deblur_jax.training.assembly import (
    assemble,
    assemble_evaluation,
    explained,
    first_state,
)
from deblur_jax.training.checks import check_config, check_metric
from deblur_jax.training.evaluation import Evaluation
from deblur_jax.training.machine import Stopped, StopRequest, alone_in
from deblur_jax.training.overview import overview, step_flops
from deblur_jax.training.parallel import (
    Devices,
    check_batch_size,
    joined,
    local_copy,
    over_devices,
    replicate,
    split_batch,
)
from deblur_jax.training.progress import Progress, Reader, announced, due, profiled
from deblur_jax.training.records import Records, best_step, read_evaluations, record_evaluation
from deblur_jax.training.step import TrainState


def train(config: Any, workdir: Path, *, devices: Devices | None = None) -> TrainState:
    """Train until `config.steps`, resuming from `workdir` if it holds a checkpoint.

    The state is evaluated on the way and at the end. SIGTERM and Ctrl-C save the state after the
    current step.

    Args:
        config: a complete list of arguments, such as `configs/quickstart.py`.
        workdir: gets `checkpoints/`, `metrics.jsonl`, `pictures/` and TensorBoard events.
        devices: what to train on; all devices of all processes if None.

    Returns:
        The state after the last step that was taken.

    Raises:
        ValueError: if the config contradicts itself, the data, the devices or the checkpoint, or
            if another run uses `workdir`.
        FloatingPointError: if the loss is not finite.
        OSError: if a checkpoint cannot be written.
    """
    devices = devices or jax.devices()
    check_config(config)
    check_batch_size(config.batches.batch_size, devices, accumulate=config.accumulate)
    parts = assemble(config)
    step = over_devices(parts.train_step, devices, parallel=config.parallel)
    best = functools.partial(best_step, workdir, metric=config.best_metric, wanted=config.best_is)
    source, evaluation = make_source(**config.source), assemble_evaluation(config)
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
        state, inputs = first_state(config, parts, batch, resumed=first > 0)
        with explained(config, "evaluation_source"):
            check_metric(config.best_metric, evaluation.rehearse(state.variables))
        state = checkpoint.restore(manager, replicate(state, devices))
        if not jax.process_index():
            print(overview(parts.model, state.params, inputs))
        _print_start(config, manager, first, len(source))
        batches = itertools.chain([batch], batches)
        evaluate_at = functools.partial(_evaluate_at, config, workdir, devices, evaluation, stop)
        return _take_steps(
            config, workdir, devices, state, batches, step, evaluate_at, manager, stop
        )  # fmt: skip


def _take_steps(
    config: Any,
    workdir: Path,
    devices: Devices,
    state: TrainState,
    batches: Iterator[Any],
    step: Callable,
    evaluate_at: Callable[[int, TrainState, Records], None],
    manager: checkpoint.Manager,
    stop: StopRequest,
) -> TrainState:
    """Take the remaining steps; record, save and evaluate on the way."""
    first = int(state.step)
    with (
        Records(workdir, step=first) as records,
        Progress(step=first, steps=config.steps) as progress,
        profiled(config.profile, workdir) as after_step,
    ):
        reader = Reader(config, workdir, records, progress)
        watch = reader.watch
        with watch.off():
            evaluate_at(first, state, records)
        batch = next(batches)
        for number in range(first + 1, config.steps + 1):
            with watch.on("data"):
                shares = split_batch(batch, devices, parallel=config.parallel)
            if number > first + 1:
                state, metrics = step(state, shares)
            else:
                with watch.off():
                    reader.flops = _count_flops(step, state, shares)
                    with announced("compiling the train step"):
                        state, metrics = jax.block_until_ready(step(state, shares))
                stop.save_before_exit()
            after_step(number - first, metrics)
            # While this step runs, read the metrics of the one before and load a batch.
            reader.add(number, batch, metrics)
            with watch.on("data"):
                batch = next(batches)
            if number > first + 1:
                watch.step()

            stopped = stop.reached(number)
            if stopped or _save_due(config, number):
                reader.finish()  # never save a state whose loss was not checked
                checkpoint.save(manager, joined(state, devices), config)
            if stopped:
                break
            with watch.off():
                evaluate_at(number, state, records)
    return state


def _save_due(config: Any, number: int) -> bool:
    """Return whether to save after a step; a state is saved before it is evaluated."""
    every = (config.checkpoint_every, config.evaluate_every)
    return any(due(number, each, config.steps) for each in every)


def _evaluate_at(
    config: Any,
    workdir: Path,
    devices: Devices,
    evaluation: Evaluation,
    stop: StopRequest,
    number: int,
    state: TrainState,
    records: Records,
) -> None:
    """Evaluate the state after a step, if that is due and was not done before a restart."""
    if not due(number, config.evaluate_every, config.steps):
        return
    if _of_first_process(number in read_evaluations(workdir)):
        return
    with contextlib.suppress(Stopped):  # the state is saved; the next run evaluates it
        with announced(f"evaluating after {number} steps"), stop.interruptible():
            metrics = evaluation(local_copy(state.variables), workdir, devices)
        if not jax.process_index():
            record_evaluation(records, workdir, number, metrics)


def _of_first_process(decision: bool) -> bool:
    """Return the first process's decision in all processes."""
    if jax.process_count() == 1:
        return decision
    return bool(multihost_utils.broadcast_one_to_all(np.asarray(decision)))


def _print_start(config: Any, manager: checkpoint.Manager, first: int, count: int) -> None:
    """Print the number of examples and steps, and the fields changed since the checkpoint."""
    changed = checkpoint.changed_fields(manager, config)  # a collective call in all processes
    if jax.process_index():
        return
    steps = config.steps
    place = f"resuming after step {first} of {steps}" if first else f"{steps} steps to go"
    place = f"all {steps} steps are done" if first >= steps else place
    print(f"{count} examples to train on, {place}", flush=True)
    if changed:
        print(f"changed since the checkpoint: {', '.join(changed)}", flush=True)


def _count_flops(step: Callable, state: TrainState, shares: Any) -> int:
    flops = step_flops(step, state, shares)
    if not jax.process_index():
        print(f"each step takes {flops / 1e9:.3g} GFLOP on each device", flush=True)
    return flops
