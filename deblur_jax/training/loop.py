"""The training run, from the newest checkpoint to the last step."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.training import checkpoint
from deblur_jax.training.assembly import assemble, first_state
from deblur_jax.training.evaluate import best_step, evaluate, record_evaluation
from deblur_jax.training.machine import Stopped, StopRequest, alone_in, local_copy
from deblur_jax.training.overview import overview, step_flops
from deblur_jax.training.parallel import (
    Devices,
    check_batch_size,
    joined,
    over_devices,
    replicate,
    split_batch,
)
from deblur_jax.training.profiling import profiled
from deblur_jax.training.records import (
    Progress,
    Reader,
    Records,
    announced,
    read_evaluations,
)
from deblur_jax.training.state import TrainState


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
    parts = assemble(config)
    step = over_devices(parts.train_step, devices, parallel=config.parallel)
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
        state, inputs = first_state(config, parts, batch)
        state = checkpoint.restore(manager, replicate(state, devices))
        if not jax.process_index():
            print(overview(parts.model, state.params, inputs))
        _tell(config, manager, first, len(source))
        batches = itertools.chain([batch], batches)
        return _take_steps(config, workdir, state, batches, step, devices, manager, stop)


def _take_steps(
    config: Any,
    workdir: Path,
    state: TrainState,
    batches: Iterator[Any],
    step: Callable,
    devices: Devices,
    manager: checkpoint.Manager,
    stop: StopRequest,
) -> TrainState:
    """Takes the steps that are left, and records, saves and evaluates on the way."""
    first = int(state.step)
    with (
        Records(workdir, step=first) as records,
        Progress(step=first, steps=config.steps) as progress,
        profiled(config.profile, workdir) as after_step,
    ):
        reader = Reader(config, workdir, records, progress)
        watch = reader.watch
        with watch.off():
            _evaluate_at(first, config, workdir, state, records, stop)
        batch = next(batches)
        for number in range(first + 1, config.steps + 1):
            with watch.on("data"):
                shares = split_batch(batch, devices, parallel=config.parallel)
            if number > first + 1:
                state, metrics = step(state, shares)
            else:
                with watch.off():
                    reader.flops = _tell_cost(step, state, shares)
                    with announced("compiling the train step"):
                        state, metrics = jax.block_until_ready(step(state, shares))
                stop.begun()
            after_step(number - first, metrics)
            # The step is under way: meanwhile the one before is read, and a batch fetched.
            reader.add(number, batch, metrics)
            with watch.on("data"):
                batch = next(batches)
            if number > first + 1:
                watch.step()

            stopped = stop.reached(number)
            if stopped or _save_due(config, number):
                reader.finish()  # what is saved has been looked at
                checkpoint.save(manager, joined(state, devices), config)
            if stopped:
                break
            with watch.off():
                _evaluate_at(number, config, workdir, state, records, stop)
    return state


def _evaluate_at(
    number: int, config: Any, workdir: Path, state: TrainState, records: Records, stop: StopRequest
) -> None:
    if not _evaluation_due(config, number) or jax.process_index():
        return
    if number in read_evaluations(workdir):  # before it was stopped
        return
    with contextlib.suppress(Stopped):  # it is saved already, and evaluated when it goes on
        with announced(f"evaluating after {number} steps"), stop.impatient():
            metrics = evaluate(config, workdir, local_copy(state.variables))
        record_evaluation(records, workdir, number, metrics)


def _save_due(config: Any, number: int) -> bool:
    return (
        number % config.checkpoint_every == 0
        or number == config.steps
        or _evaluation_due(config, number)
    )


def _evaluation_due(config: Any, number: int) -> bool:
    every = config.evaluate_every
    return number == config.steps or bool(every and number and number % every == 0)


def _tell(config: Any, manager: checkpoint.Manager, first: int, count: int) -> None:
    changed = checkpoint.changed_fields(manager, config)  # of all processes, or it would wait
    if jax.process_index():
        return
    steps = config.steps
    place = f"resuming after step {first} of {steps}" if first else f"{steps} steps to go"
    place = f"all {steps} steps are done" if first >= steps else place
    print(f"{count} examples to train on, {place}", flush=True)
    if changed:
        print(f"not as in the checkpoint: {', '.join(changed)}", flush=True)


def _tell_cost(step: Callable, state: TrainState, shares: Any) -> int:
    flops = step_flops(step, state, shares)
    if not jax.process_index():
        print(f"each step takes {flops / 1e9:.3g} GFLOP on each device", flush=True)
    return flops
