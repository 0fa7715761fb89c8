r"""What each paper's small network learns in minutes, beside a baseline that needs no network.

    python -m experiments.papers.run --workdir runs/small \
        --out experiments/papers/small_networks.json

trains, evaluates and exports the small variant of each paper's config, one after the other;
`--only noroozi zhang` selects some. The photos are those of scikit-image; `--train` and `--test`
use two folders instead, such as those of BSDS500:

    ... --train BSDS500/images/train --test BSDS500/images/val --photos 8

A run that was interrupted continues, and one that is complete is only read. `--out` keeps what it
already holds of other networks.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from deblur_jax.training import checkpoint
from deblur_jax.training.records import read_summary
from experiments.shared import origin, run_command, write_record


class Measure(NamedTuple):
    """Two metrics of an evaluation: the network's, and the baseline's."""

    what: str
    ours: str
    without: str
    better: str  # "more" or "less"


RESTORED = Measure("PSNR, blurred photo", "psnr/restored", "psnr/blurred", "more")
MEASURES = {
    "gong": [
        Measure("flow MSE, no motion", "flow/mse", "flow/mse_zero_baseline", "less"), RESTORED,
    ],
    "carbajal": [
        Measure("kernel error, no blur", "kernel/absolute", "kernel/absolute_baseline", "less"),
        Measure("PSNR blurred again, sharp", "psnr/reblurred", "psnr/not_reblurred", "more"),
        RESTORED,
    ],
    "blurring_to_deblur": [RESTORED],
    "noroozi": [RESTORED],
    "argaw": [Measure("flow EPE, no motion", "flow/epe", "flow/epe_zero_baseline", "less")],
    "zhang": [
        RESTORED,
        Measure("PSNR, same frame twice", "psnr/restored", "psnr/same_frame", "more"),
    ],
}  # fmt: skip


def main() -> None:
    """Trains and evaluates the networks, prints the table and writes the record."""
    arguments = parse()
    out = arguments.out
    runs = json.loads(out.read_text())["runs"] if out.exists() else {}
    for name in arguments.only:
        workdir = arguments.workdir / name
        flags = train(name, workdir, arguments)
        summary = read_summary(workdir)
        if summary is None:
            print(f"{name}: interrupted; run the same command again to continue")
            continue
        saved = checkpoint.read(workdir)
        rows = [compared(measure, summary) for measure in MEASURES[name]]
        runs[name] = {
            "command": f"python -m deblur_jax.main {' '.join(flags)}",
            "seed": saved.config["seed"],
            "steps": saved.step,
            "minutes": round(summary["seconds"] / 60, 1),
            "rows": rows,
            "summary": summary,
            "trained_at": saved.run,
            "machine": origin()["machine"],
        }
        write_record(out, {"command": "python -m experiments.papers.run", "runs": runs})
        print(f"{name}: {json.dumps(rows)}", flush=True)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--workdir", type=Path, required=True, help="the parent folder of the runs")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=sorted(MEASURES),
        default=sorted(MEASURES),
        help="configs (default: all)",
    )
    parser.add_argument("--train", type=Path, help="a folder of training photos")
    parser.add_argument("--test", type=Path, help="a folder of validation photos")
    parser.add_argument("--photos", type=int, default=8, help="most photos of --test, 0 for all")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    if (arguments.train is None) != (arguments.test is None):
        parser.error("give both --train and --test, or neither")
    return arguments


def train(name: str, workdir: Path, arguments: argparse.Namespace) -> list[str]:
    """Trains a config and exports its weights; returns the flags of the training command."""
    flags = [f"--config=configs/{name}.py:small", f"--workdir={workdir}"]
    if arguments.train:
        for group, folder in (("source", arguments.train), ("evaluation_source", arguments.test)):
            flags += [f"--config.{group}.name=folder", f"--config.{group}.folder={folder}"]
        flags.append(f"--config.evaluation_source.limit={arguments.photos}")
    start = [sys.executable, "-m", "deblur_jax.main", *flags]
    subprocess.run(start, check=True)
    weights = arguments.workdir / f"{name}.safetensors"
    subprocess.run([*start, "--mode=export", f"--output={weights}"], check=True)
    return flags


def compared(measure: Measure, summary: dict) -> dict:
    """Returns one row of the table."""
    ours, without = summary[measure.ours], summary[measure.without]
    wins = ours > without if measure.better == "more" else ours < without
    return {
        "what": measure.what,
        "without": round(without, 4),
        "ours": round(ours, 4),
        "wins": wins,
    }


if __name__ == "__main__":
    run_command(main)
