r"""Time training steps of a config at its true size and batch, and measure the peak memory.

    python -m experiments.papers.measure_config configs/carbajal.py:paper --steps 20 \
        --set accumulate=32

The photos are noise, so no data set is needed. `--set FIELD=VALUE` changes a field. No step starts
after `--minutes`. The output is one line of JSON with the number of steps and the medians of their
duration and of their processor time, which other programs on the machine hardly change.
"""

import argparse
import json
import resource
import sys
import time
from typing import Any

import jax
import numpy as np

from deblur_jax.config_file import load_config, set_fields
from deblur_jax.training.assembly import assemble, first_state
from deblur_jax.training.overview import peak_flops, step_flops
from deblur_jax.training.parallel import over_devices, replicate, split_batch
from deblur_jax.training.step import count_parameters
from experiments.shared import run_command


GIBI = 2**30


def main() -> None:
    """Runs the steps and prints one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("config", help="FILE.py[:VARIANT]")
    parser.add_argument(
        "--steps", type=int, default=20, help="timed steps, after one that compiles"
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="after which no step starts"
    )
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="FIELD=VALUE", help="fields of the config to change"
    )
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    set_fields(config, arguments.set)

    parts, devices, batch = assemble(config), jax.devices(), noise_batch(config)
    train_step = over_devices(parts.train_step, devices, parallel=config.parallel)
    state, _ = first_state(config, parts, batch)
    parameters = count_parameters(state.params)
    state, shares = replicate(state, devices), split_batch(batch, devices, parallel=config.parallel)
    flops = step_flops(train_step, state, shares)
    peak = peak_flops(devices[0].device_kind, config.precision)

    clocks, loss = [(time.perf_counter(), time.process_time())], float("nan")
    limit = clocks[0][0] + 60 * arguments.minutes
    while len(clocks) < arguments.steps + 2 and clocks[-1][0] < limit:
        state, metrics = train_step(state, shares)
        loss = float(metrics["loss/total"])
        clocks.append((time.perf_counter(), time.process_time()))
        print(f"step {len(clocks) - 2}: {clocks[-1][0] - clocks[-2][0]:.1f} s", file=sys.stderr)
    times = np.diff(clocks, axis=0)
    first, steps = times[0], times[1:]
    step, processors = np.median(steps, axis=0) if len(steps) else first
    report = {
        "config": arguments.config,
        "set": arguments.set,
        "parameters": parameters,
        "batch": {name: list(array.shape) for name, array in batch.items()},
        "accumulate": config.accumulate,
        "steps": len(steps),
        "first_step_seconds": round(float(first[0]), 1),
        "step_seconds": round(float(step), 3),
        "step_processor_seconds": round(float(processors), 3),
        "images_per_second": round(config.batches.batch_size / float(step), 4),
        "teraflop_a_step": round(flops / 1e12, 3),
        "teraflops_a_device": round(flops / float(step) / 1e12, 3),
        "part_of_peak": round(flops / float(step) / peak, 4) if peak else None,
        "loss": loss,
        "peak_host_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIBI, 2),
        **device_memory(devices[0]),
        "device": f"{len(devices)} x {devices[0].device_kind}",
    }
    print(json.dumps(report))


def noise_batch(config: Any) -> dict[str, np.ndarray]:
    """Returns a batch of noise with the fields of the config's source."""
    batches, source = config.batches, config.source
    groups = (batches.group,) if batches.get("group") else ()
    shape = (batches.batch_size, *groups, batches.crop, batches.crop)
    names = ["sharp"]
    if source.name not in ("embedded", "folder", "segments"):
        names.append("blurry")
    if source.get("neighbours"):
        names += [f"next_{name}" for name in names]
    rng = np.random.default_rng(0)
    batch: dict[str, np.ndarray] = {name: rng.random((*shape, 3), np.float32) for name in names}
    if config.task == "estimate_flow" and not groups:
        batch["next_sharp"] = rng.random((*shape, 3), np.float32)
        for name in ("flow", "backward_flow"):
            batch[name] = 4 * rng.standard_normal((*shape, 2), np.float32)
    if source.name == "segments":
        batch["segments"] = rng.integers(8, size=shape, dtype=np.int32)
    return batch


def device_memory(device: Any) -> dict[str, float]:
    """Returns the peak memory of an accelerator, or nothing on a CPU."""
    known = device.memory_stats() or {}
    peak = known.get("peak_bytes_in_use")
    return {"peak_device_gib": round(peak / GIBI, 2)} if peak else {}


if __name__ == "__main__":
    run_command(main)
