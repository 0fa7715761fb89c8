r"""Trains, evaluates and exports, as a config says.

python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --config.steps=50
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --mode=eval
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --mode=export \
    --output=mine.safetensors

On many hosts, the same command on each, with --distributed where JAX finds the others by itself
(SLURM, Open MPI, GKE, Cloud TPU), else with --coordinator, --processes and --process.
"""

import functools
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags, logging
from ml_collections import config_flags

from deblur_jax.config_file import check_config_flags


CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config file, with an optional :variant.", lock_config=True
)
WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, metrics and pictures go.")
MODE = flags.DEFINE_enum(
    "mode", "train", ["train", "eval", "export"],
    "train (and evaluate), or evaluate a checkpoint, or export one as weights.",
)  # fmt: skip
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "newest", "With --mode=eval and export: newest, best, or a step."
)
OUTPUT = flags.DEFINE_string("output", None, "With --mode=export: the .safetensors file to write.")
DTYPE = flags.DEFINE_enum(
    "dtype", "float32", ["float16", "float32"],
    "With --mode=export: what the file holds; the card of float16 says what it cost.",
)  # fmt: skip
DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Join the processes of this job.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first of many processes.")
PROCESSES = flags.DEFINE_integer("processes", None, "How many processes there are.")
PROCESS = flags.DEFINE_integer("process", None, "Which of them this is, from 0.")
flags.mark_flags_as_required(["config", "workdir"])

TRACEBACK = "DEBLUR_JAX_TRACEBACK"


def main(argv: list[str]) -> None:
    """Runs the mode that the flags name; trouble that a user can mend is told in one line."""
    if len(argv) > 1:
        _stop(f"unexpected arguments {argv[1:]}; flags begin with --")
    # Orbax tells 30 lines a checkpoint, and hundreds about what is raised here as well.
    logging.set_verbosity(logging.ERROR if os.environ.get(TRACEBACK) else logging.FATAL)
    workdir = Path(WORKDIR.value or "")
    try:
        # Imported only now, so that a mistyped flag is answered at once.
        from deblur_jax.training.machine import join_processes, keep_compiled_programs

        keep_compiled_programs()
        if DISTRIBUTED.value or COORDINATOR.value:
            join_processes(COORDINATOR.value, PROCESSES.value, PROCESS.value)
        modes = {"train": _train, "eval": _evaluate, "export": _export}
        modes[MODE.value](CONFIG.value, workdir)
    except (OSError, ValueError, TypeError, FloatingPointError) as error:
        # Of the TypeErrors only that of a config's field that no function takes, or lacks.
        if os.environ.get(TRACEBACK) or (isinstance(error, TypeError) and "() " not in str(error)):
            raise
        _stop(f"{error} (set {TRACEBACK}=1 to see where)")


def _train(config: Any, workdir: Path) -> None:
    import jax

    from deblur_jax.training.evaluate import read_summary, write_summary
    from deblur_jax.training.loop import train
    from deblur_jax.training.machine import make_workdir
    from deblur_jax.training.records import read_evaluations

    started = time.perf_counter()
    make_workdir(workdir)
    summary = read_summary(workdir)
    if summary is not None and summary["steps"] >= config.steps:
        print(f"Already done; raise --config.steps or choose another --workdir. {_gain(summary)}")
        return
    state = train(config, workdir)
    step = int(state.step)
    if jax.process_index():
        return
    evaluations = read_evaluations(workdir)
    if step not in evaluations:
        print(f"Stopped and saved after {step} of {config.steps} steps; the same command goes on.")
        return
    seconds = round(time.perf_counter() - started, 1)
    summary = {**evaluations[step], "seconds": seconds, "steps": step}
    write_summary(workdir, summary)
    _table(summary)
    print(f"Pictures are in {workdir / 'pictures'}. {_gain(summary)}")


def _evaluate(config: Any, workdir: Path) -> None:
    from deblur_jax.training import checkpoint
    from deblur_jax.training.evaluate import evaluate

    saved = checkpoint.read(workdir, _checkpoint(config, workdir))
    there, here = saved.config["model"], checkpoint.to_dict(config)["model"]
    if there != here:
        raise ValueError(f"{workdir}: the checkpoint is of the model {there}, the config of {here}")
    print(f"Evaluating the checkpoint of step {saved.step} ...", flush=True)
    _table(evaluate(config, workdir, saved.variables))


def _checkpoint(config: Any, workdir: Path) -> int | None:
    from deblur_jax.training.evaluate import best_step

    which = CHECKPOINT.value
    if which == "best":
        best = best_step(workdir, metric=config.best_metric, wanted=config.best_is)
        if best is None:
            raise ValueError(f"{workdir}: nothing was evaluated there; take --checkpoint=newest")
        return best
    if which != "newest" and not which.isdigit():
        raise ValueError(f"--checkpoint must be newest, best or a step, got {which!r}")
    return int(which) if which.isdigit() else None


def _table(metrics: dict[str, Any]) -> None:
    for name, value in metrics.items():
        print(f"  {name:26s} {value:10.4g}")


def _gain(summary: dict[str, Any]) -> str:
    if "flow/mse" not in summary:
        return f"After {summary['steps']} steps."
    part = 100 * summary["flow/mse"] / summary["flow/mse_zero_baseline"]
    return (
        f"After {summary['steps']} steps the motion's error is {part:.0f} % of guessing no motion; "
        f"restored photos gain {summary['psnr/restored'] - summary['psnr/blurred']:+.2f} dB "
        f"({summary['psnr/blurred']:.2f} -> {summary['psnr/restored']:.2f})."
    )


def _export(config: Any, workdir: Path) -> None:
    from deblur_jax.training.evaluate import evaluate
    from deblur_jax.training.export import export

    if not OUTPUT.value:
        raise ValueError("--mode=export needs --output=FILE.safetensors")
    card = export(
        workdir,
        Path(OUTPUT.value),
        step=_checkpoint(config, workdir),
        dtype=DTYPE.value,
        measure=functools.partial(evaluate, config, workdir),
    )
    print(f"{OUTPUT.value}: {card['model']['name']} after {card['step']} steps, {card['dtype']}")


def parse(argv: list[str]) -> list[str]:
    """Parses the command line; what is wrong with a flag is told in one line."""
    try:
        check_config_flags(argv)
        return flags.FLAGS(argv)
    except (flags.Error, OSError, ValueError, TypeError) as error:
        _stop(" ".join(str(error).split()))


def _stop(message: str) -> NoReturn:
    sys.exit(f"error: {message}")


def run() -> None:
    """Starts the program."""
    app.run(main, flags_parser=parse)


if __name__ == "__main__":
    run()
