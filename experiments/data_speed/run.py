r"""Where do a config's training data come from, and does a training step wait for them?

    python -m experiments.data_speed.run pipeline --config configs/quickstart.py --workers 0 1 2
    python -m experiments.data_speed.run stream --config configs/quickstart.py --samples 10000
    python -m experiments.data_speed.run train --config configs/quickstart.py --seconds 60
    python -m experiments.data_speed.run kernels --count 100000

`pipeline` counts samples a second: of the host, which reads, crops and augments; of the device,
which simulates a batch in memory; and of both, with the host reading ahead as in a training run.
`stream` reports the memory of the process and its workers after some thousands of samples. `train`
starts a training run and reads from its records the share of time that it waited for data.
`kernels` draws camera-shake kernels of 33 x 33 pixels of both kinds.

`--set FIELD=VALUE` changes a config's fields, such as `--set source.name=folder
source.folder=PHOTOS`. `--json FILE` appends the figures to a list in a file.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
from absl import flags

from deblur_jax.config_file import load_config, set_fields
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.simulate.shake_kernels import path_kernel, tremor_path, wander_path
from deblur_jax.training.step import simulated
from deblur_jax.training.tasks.registry import find_task
from experiments.shared import machine, resident, run_command, write_record


MARKS = (1_000, 5_000, 10_000)  # samples after which the memory is measured
SIDE = 33  # pixels, of the kernels


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for measure in (pipeline, stream, train, kernels):
        command = commands.add_parser(measure.__name__)
        command.add_argument("--json", type=Path, help="append the figures to this file")
        command.set_defaults(measure=measure)
        if measure is kernels:
            command.add_argument("--count", type=int, default=100_000, help="kernels of each kind")
            command.add_argument("--batch", type=int, default=1000, help="kernels in one call")
            continue
        command.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]")
        command.add_argument(
            "--set", nargs="*", default=[], metavar="FIELD=VALUE", help="fields to change"
        )
        if measure is stream:
            command.add_argument("--samples", type=int, default=MARKS[-1], help="to stream")
            command.add_argument("--host-only", action="store_true", help="do not simulate")
        else:
            command.add_argument("--seconds", type=float, default=15.0, help="of each figure")
        if measure is pipeline:
            command.add_argument(
                "--workers", type=int, nargs="+", default=[0, 1, 2], help="processes"
            )
    options = parser.parse_args()
    flags.FLAGS.mark_as_parsed()  # grain's workers read the flags
    row = {"command": " ".join(sys.argv), "machine": machine(), **options.measure(options)}
    print("\n".join(f"{name:24s} {value}" for name, value in row.items()))
    if options.json:
        rows = json.loads(options.json.read_text()) if options.json.exists() else []
        write_record(options.json, [*rows, row])


def pipeline(options: argparse.Namespace) -> dict[str, Any]:
    """Measures samples a second of the host, of the device and of both."""
    config = changed_config(options)
    source, count = make_source(**config.source), config.batches.batch_size
    simulate = make_simulator(config)
    rates, held = {}, {}
    for workers in options.workers:
        batches = make_batches(config, source, workers)
        held = next(batches)  # the workers have started
        rates[f"host, workers {workers}"] = rate(batches, options.seconds)
        examples = map(simulate, batches)
        next(examples)  # compiles
        rates[f"both, workers {workers}"] = rate(one_ahead(examples), options.seconds)
        batches.close()
    rates["device"] = rate(one_ahead(map(simulate, forever(held))), options.seconds)
    shape = {"crop": config.batches.crop, "batch": count, "group": config.batches.get("group", 0)}
    figures = {f"samples/s, {name}": float(f"{count * each:.3g}") for name, each in rates.items()}
    return {"config": options.config, "seed": config.seed, **shape, **figures}


def stream(options: argparse.Namespace) -> dict[str, Any]:
    """Measures the memory held after some thousands of samples."""
    config = changed_config(options)
    count, streamed, memory = config.batches.batch_size, 0, {}
    batches = make_batches(config, make_source(**config.source), config.batches.workers)
    simulate = (lambda batch: batch) if options.host_only else make_simulator(config)
    start = time.perf_counter()
    for _ in one_ahead(map(simulate, batches)):
        before, streamed = streamed, streamed + count
        memory |= {f"MB after {m}": held_memory() for m in MARKS if before < m <= streamed}
        if streamed >= options.samples:
            break
    batches.close()
    seconds = time.perf_counter() - start
    workers = config.batches.workers
    return {"config": options.config, "workers": workers, "seconds": round(seconds, 1), **memory}


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Measures the share of a training run that waited for data, after compilation."""
    config = changed_config(options)
    changes = [f"--config.{change}" for change in options.set]
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--config", options.config, "--workdir", folder, *changes]
        often = ["--config.log_every=1", f"--config.steps={10**9}"]
        command = [sys.executable, "-m", "deblur_jax.main", *arguments, *often]
        records = Path(folder) / "metrics.jsonl"
        with subprocess.Popen(command) as training:
            while len(read_records(records)) < 2 and training.poll() is None:
                time.sleep(0.2)  # it compiles
            try:
                training.wait(options.seconds)
            except subprocess.TimeoutExpired:
                training.send_signal(signal.SIGTERM)
        steps = read_records(records)[2:]
    times = [
        {name.removeprefix("time/"): value for name, value in step.items() if "time/" in name}
        for step in steps
    ]
    times = [step for step in times if step]
    if not times:
        raise SystemExit("error: no step was finished in that time; give more --seconds")
    whole = sum(sum(step.values()) for step in times)
    return {
        "config": options.config,
        "batch": config.batches.batch_size,
        "workers": config.batches.workers,
        "steps": len(times),
        "steps/s": float(f"{len(times) / whole:.3g}"),
        "share waiting for data": float(f"{sum(step['data'] for step in times) / whole:.3g}"),
    }


def read_records(path: Path) -> list[dict[str, float]]:
    """Reads the records of a training run, none if it has not started."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kernels(options: argparse.Namespace) -> dict[str, Any]:
    """Measures the seconds of drawing kernels of each kind, with compilation."""
    kinds = {
        "tremor": lambda key: path_kernel(tremor_path(key, SIDE), SIDE),
        "wander": lambda key: path_kernel(wander_path(key, SIDE), SIDE),
    }
    seconds = {}
    for name, draw in kinds.items():
        draw = jax.jit(jax.vmap(draw))
        start = time.perf_counter()
        for number in range(-(-options.count // options.batch)):
            keys = jax.random.split(jax.random.key(number), options.batch)
            draw(keys).block_until_ready()
        seconds[f"seconds, {name}"] = round(time.perf_counter() - start, 1)
    return {"kernels": options.count, "side": SIDE, **seconds}


def changed_config(options: argparse.Namespace) -> Any:
    """Returns the config after the changes of `--set`."""
    config = load_config(options.config)
    set_fields(config, options.set)
    return config


def make_batches(config: Any, source: Any, workers: int) -> Any:
    """Returns the batches of a config's training run with a given number of workers."""
    return training_batches(source, seed=config.seed, **{**config.batches, "workers": workers})


def make_simulator(config: Any) -> Callable[[Any], Any]:
    """Returns a function that simulates a batch, with a new key in every call."""
    simulate = find_task(config.task).make_simulate(**config.simulate)
    compiled = jax.jit(partial(simulated, simulate))
    keys = iter(range(10**9))
    return lambda batch: compiled(batch, jax.random.key(next(keys)))


def one_ahead(results: Iterator[Any]) -> Iterator[Any]:
    """Yields finished results while the next is computed, as the training loop does."""
    before = None
    for result in results:
        if before is not None:
            yield jax.block_until_ready(before)
        before = result


def forever(thing: Any) -> Iterator[Any]:
    """Yields the same thing endlessly."""
    while True:
        yield thing


def rate(things: Iterator[Any], seconds: float) -> float:
    """Returns how many things arrive in a second, without the first."""
    next(things)
    start, count, passed = time.perf_counter(), 0, 0.0
    while passed < seconds:
        next(things)
        count, passed = count + 1, time.perf_counter() - start
    return count / passed


def held_memory() -> int:
    """Returns the resident megabytes of this process and its children (Linux)."""
    started = [
        child
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
    return round(sum(resident("VmRSS", process) for process in ("self", *started)) / 1024)


if __name__ == "__main__":
    run_command(main)
