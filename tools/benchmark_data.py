r"""Measures where a config's training data come from, and what a training step waits for.

    python tools/benchmark_data.py pipeline --config configs/quickstart.py --workers 0 1 2
    python tools/benchmark_data.py stream --config configs/quickstart.py --samples 10000
    python tools/benchmark_data.py train --config configs/quickstart.py --seconds 60
    python tools/benchmark_data.py kernels --count 100000

`pipeline` counts samples a second of three things: what the host reads, crops and turns; what the
device simulates of a batch at hand; and both, the host reading ahead as in a training run. `stream`
says how much memory the process and its workers hold on the way. `train` starts a training run and
takes the share of its time that it waited for data from its records. `kernels` draws camera-shake
kernels of 33 x 33 pixels of both kinds.

`--set FIELD=VALUE` changes a config's fields, such as `--set source.name=folder
source.folder=PHOTOS`. `--json FILE` adds what was measured to a list in a file.
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
from benchmark import machine, resident

from deblur_jax.config_file import load_config, set_fields
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.io.files import write_json
from deblur_jax.simulate.shake_kernels import path_kernel, tremor_path, wander_path
from deblur_jax.training.step import simulated
from deblur_jax.training.tasks.registry import find_task


MARKS = (1_000, 5_000, 10_000)  # samples after which the memory is looked at
SIDE = 33  # pixels, of the kernels


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for measure in (pipeline, stream, train, kernels):
        command = commands.add_parser(measure.__name__)
        command.add_argument("--json", type=Path)
        command.set_defaults(measure=measure)
        if measure is kernels:
            command.add_argument("--count", type=int, default=100_000)
            command.add_argument("--batch", type=int, default=1000)
            continue
        command.add_argument("--config", required=True)
        command.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE")
        if measure is stream:
            command.add_argument("--samples", type=int, default=MARKS[-1])
            command.add_argument("--host-only", action="store_true", help="simulate nothing")
        else:
            command.add_argument("--seconds", type=float, default=15.0)
        if measure is pipeline:
            command.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    flags.FLAGS.mark_as_parsed()  # grain's workers read them
    row = {"command": " ".join(sys.argv), "machine": machine(), **options.measure(options)}
    print("\n".join(f"{name:24s} {value}" for name, value in row.items()))
    if options.json:
        rows = json.loads(options.json.read_text()) if options.json.exists() else []
        write_json(options.json, [*rows, row])


def pipeline(options: argparse.Namespace) -> dict[str, Any]:
    """Returns samples a second of the host, of the device and of both."""
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
    """Returns the memory held after some thousands of samples."""
    config = changed_config(options)
    count, seen, memory = config.batches.batch_size, 0, {}
    batches = make_batches(config, make_source(**config.source), config.batches.workers)
    simulate = (lambda batch: batch) if options.host_only else make_simulator(config)
    start = time.perf_counter()
    for _ in one_ahead(map(simulate, batches)):
        before, seen = seen, seen + count
        memory |= {f"MB after {m}": held_memory() for m in MARKS if before < m <= seen}
        if seen >= options.samples:
            break
    batches.close()
    seconds = time.perf_counter() - start
    workers = config.batches.workers
    return {"config": options.config, "workers": workers, "seconds": round(seconds, 1), **memory}


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the share of a training run's time that it waited for data, once it had compiled."""
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
        raise SystemExit("error: no step was done in that time; give more --seconds")
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
    """Returns the records of a training run, none if it has not begun."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kernels(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the seconds that many kernels of each kind take, compilation included."""
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
    """Returns the config with the fields that the command line sets."""
    config = load_config(options.config)
    set_fields(config, options.set)
    return config


def make_batches(config: Any, source: Any, workers: int) -> Any:
    """Returns the batches of a config's training run, with so many workers."""
    return training_batches(source, seed=config.seed, **{**config.batches, "workers": workers})


def make_simulator(config: Any) -> Callable[[Any], Any]:
    """Returns what makes a network's examples of a batch, each time with another key."""
    simulate = find_task(config.task).make_simulate(**config.simulate)
    compiled = jax.jit(partial(simulated, simulate))
    keys = iter(range(10**9))
    return lambda batch: compiled(batch, jax.random.key(next(keys)))


def one_ahead(results: Iterator[Any]) -> Iterator[Any]:
    """Yields results once they are there, the next one under way: as the training loop does."""
    before = None
    for result in results:
        if before is not None:
            yield jax.block_until_ready(before)
        before = result


def forever(thing: Any) -> Iterator[Any]:
    """Yields the same thing again and again."""
    while True:
        yield thing


def rate(things: Iterator[Any], seconds: float) -> float:
    """Returns how many things come in a second, the first left out."""
    next(things)
    start, count, passed = time.perf_counter(), 0, 0.0
    while passed < seconds:
        next(things)
        count, passed = count + 1, time.perf_counter() - start
    return count / passed


def held_memory() -> int:
    """Returns the megabytes that this process and those that it started hold (Linux)."""
    started = [
        child
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
    return round(sum(resident("VmRSS", process) for process in ("self", *started)) / 1024)


if __name__ == "__main__":
    main()
