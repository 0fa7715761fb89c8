r"""What does the training loop cost beyond its steps, on simulated devices?

    taskset -c 0 python -m experiments.training_speed.run mapping   1 to 8 devices, both mappings
    python -m experiments.training_speed.run saving                 time lost to checkpoints
    python -m experiments.training_speed.run start                  until the first step

`mapping` splits a batch of fixed size over more and more simulated devices. On one core (hence
`taskset`) the computation is the same, so a longer step is the cost of splitting. `saving`
alternates between stretches of a run with one save and stretches without, and divides the
difference by a minute. `start` begins with an empty cache of compiled programs, then reuses it.
Contenders take turns; a figure is the median over rounds.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from deblur_jax.config_file import load_config
from deblur_jax.training import checkpoint
from deblur_jax.training.assembly import assemble, first_state
from deblur_jax.training.parallel import PARALLEL, over_devices, replicate, split_batch
from deblur_jax.training.step import TrainState, count_parameters, make_train_step
from experiments.shared import machine, run_command, write_record


COUNTS = (1, 2, 4, 8)
QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.py"


def quickstart_step(crop: int) -> tuple[Any, Any, dict[str, np.ndarray]]:
    """Returns the quick start's step, its state and a batch of random values."""
    config = load_config(str(QUICKSTART))
    parts, rng = assemble(config), np.random.default_rng(0)
    batch = {"sharp": rng.random((config.batches.batch_size, crop, crop, 3), np.float32)}
    return parts.train_step, first_state(config, parts, batch)[0], batch


def idle_step(parameters: int) -> tuple[Any, Any, dict[str, np.ndarray]]:
    """Returns a step that only updates parameters, its state and a batch."""
    optimizer = optax.adam(1e-3)
    params = {"w": jnp.ones(parameters)}
    state = TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), {}, {})

    def loss(params: Any, statistics: Any, batch: Any, step: jax.Array, key: jax.Array):
        del step, key
        return jnp.mean(params["w"]) * jnp.mean(batch["sharp"]), ({}, statistics)

    batch = {"sharp": np.ones((16, 8, 8, 3), np.float32)}
    return make_train_step(loss, optimizer, ema_decay=0.0, seed=0), state, batch


def mapping(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures milliseconds a step for each number of devices and each mapping."""
    rows = []
    quickstart = quickstart_step(options.crop)
    parameters = count_parameters(quickstart[1].params)
    for name, (train_step, state, batch) in {
        "quick start": quickstart,
        f"Adam alone, {parameters:,d} parameters": idle_step(parameters),
    }.items():
        runs = {
            (parallel, count): functools.partial(
                take, *prepared(train_step, state, jax.devices()[:count], parallel), batch
            )
            for parallel in (options.parallel if name == "quick start" else PARALLEL)
            for count in COUNTS
        }
        count = 1 if name == "quick start" else 50
        for run in runs.values():
            run(1)  # compiles
        times = {case: [] for case in runs}
        for _ in range(options.rounds):
            for case, run in runs.items():
                times[case].append(run(count) / count)
        for (parallel, devices), seconds in times.items():
            median = statistics.median(seconds)
            alone = statistics.median(times[parallel, 1])
            row = {"step": name, "parallel": parallel, "devices": devices}
            rows.append(
                {**row, "milliseconds": 1e3 * median, "over_one_device": median / alone - 1}
            )
            print(rows[-1], flush=True)
    return rows


def prepared(train_step: Any, state: Any, devices: Any, parallel: str) -> tuple[Any, list, Any]:
    """Returns the mapped step, its state in a mutable list, and a function that splits a batch."""
    step = over_devices(train_step, devices, parallel=parallel)
    split = functools.partial(split_batch, devices=devices, parallel=parallel)
    return step, [replicate(jax.tree.map(jnp.copy, state), devices)], split


def take(step: Any, held: list, split: Any, batch: Any, count: int) -> float:
    """Takes steps; returns their seconds."""
    started = time.perf_counter()
    for _ in range(count):
        held[0], _ = step(held[0], split(batch))
    jax.block_until_ready(held[0])
    return time.perf_counter() - started


def saving(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures the share of a minute that a save costs, for a small and a large state."""
    rows, config = [], load_config(str(QUICKSTART))
    large = idle_step(options.parameters)
    for name, (train_step, state, batch) in {
        "quick start": quickstart_step(options.crop),
        f"Adam alone, {options.parameters:,d} parameters": large,
    }.items():
        step, held, split = prepared(train_step, state, jax.devices()[:1], "pmap")
        take(step, held, split, batch, 3)
        count = max(int(options.seconds / (take(step, held, split, batch, 5) / 5)), 1)
        lost, held_up = [], []
        with (
            tempfile.TemporaryDirectory() as folder,
            checkpoint.open_manager(Path(folder), best=lambda: None) as manager,
        ):
            for _ in range(options.rounds + 1):
                manager.wait_until_finished()
                without = take(step, held, split, batch, count)
                started = time.perf_counter()
                checkpoint.save(manager, held[0], config)
                held_up.append(time.perf_counter() - started)
                lost.append(held_up[-1] + take(step, held, split, batch, count) - without)
        del lost[0], held_up[0]  # the first also creates the folder
        size = sum(x.nbytes for x in jax.tree.leaves(held[0]))
        rows.append(
            {
                "step": name,
                "megabytes": size / 1e6,
                "milliseconds_held_up": 1e3 * statistics.median(held_up),
                "milliseconds_lost": 1e3 * statistics.median(lost),
                "part_of_a_minute": statistics.median(lost) / 60,
                "least_and_most_milliseconds_lost": [
                    round(1e3 * min(lost)),
                    round(1e3 * max(lost)),
                ],
            }
        )
        print(rows[-1], flush=True)
    return rows


def start(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measures the seconds from the command to the end of the first step, cold and warm."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds + 1):
            command = [sys.executable, "-m", "deblur_jax.main", "--config", str(QUICKSTART)]
            command += ["--workdir", f"{folder}/run-{number}"]
            environment = {**os.environ, "DEBLUR_JAX_CACHE": f"{folder}/cache"}
            started = time.perf_counter()
            with subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, cwd=QUICKSTART.parents[1],
            ) as run:  # fmt: skip
                assert run.stdout is not None
                line = next(line for line in run.stdout if line.startswith("compiling"))
                seconds = time.perf_counter() - started
                run.terminate()
            compiling = float(line.split()[-2])
            rows.append({"warm": number > 0, "seconds": seconds, "of_it_compiling": compiling})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = {"mapping": mapping, "saving": saving, "start": start}
    parser.add_argument("what", choices=commands, help="what to measure")
    parser.add_argument("--rounds", type=int, default=5, help="whose median is taken")
    parser.add_argument(
        "--parallel", nargs="+", choices=PARALLEL, default=PARALLEL,
        help="mappings of the quick start, which takes long to compile",
    )  # fmt: skip
    parser.add_argument("--crop", type=int, default=112, help="size of the quick start's crops")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a stretch with one save")
    parser.add_argument(
        "--parameters", type=int, default=25_000_000, help="size of the large state"
    )
    parser.add_argument("--json", type=Path, help="add the rows to this file")
    options = parser.parse_args()
    if options.what != "start":
        jax.config.update("jax_num_cpu_devices", max(COUNTS))
    rows = commands[options.what](options)
    if options.json:
        record = json.loads(options.json.read_text()) if options.json.exists() else {}
        record |= {"machine": machine(), options.what: rows}
        write_record(options.json, record)


if __name__ == "__main__":
    run_command(main)
