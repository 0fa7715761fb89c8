r"""Trains, evaluates and exports, as a config says.

python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --config.steps=50
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --mode=eval
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --mode=export \
    --output=mine.safetensors

On many hosts, the same command on each, with --distributed where JAX finds the others by itself
(SLURM, Open MPI, GKE, Cloud TPU), else with --coordinator, --processes and --process.
"""

import difflib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from deblur_jax.config_file import load_config


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
    logging.set_verbosity(logging.WARNING)  # orbax tells 30 lines a checkpoint
    workdir = Path(WORKDIR.value or "")
    try:
        # Imported only now, so that a mistyped flag is answered at once.
        from deblur_jax.training.machine import join_processes, keep_compiled_programs

        keep_compiled_programs()
        if DISTRIBUTED.value or COORDINATOR.value:
            join_processes(COORDINATOR.value, PROCESSES.value, PROCESS.value)
        modes = {"train": _train, "eval": _evaluate, "export": _export}
        modes[MODE.value](CONFIG.value, workdir)
    except (OSError, ValueError, FloatingPointError) as error:
        if os.environ.get(TRACEBACK):
            raise
        _stop(f"{error} (set {TRACEBACK}=1 to see where)")


def _train(config: Any, workdir: Path) -> None:
    import jax

    from deblur_jax.training.evaluate import read_summary, write_summary
    from deblur_jax.training.loop import train
    from deblur_jax.training.machine import check_writable
    from deblur_jax.training.records import read_evaluations

    started = time.perf_counter()
    check_writable(workdir)
    summary = read_summary(workdir)
    if summary is not None and summary["steps"] >= config.steps:
        print(f"Already done; raise --config.steps or choose another --workdir. {_gain(summary)}")
        return
    state = train(config, workdir)
    step = int(state.step)
    if jax.process_index():
        return
    if step < config.steps:
        print(f"Stopped and saved after {step} of {config.steps} steps; the same command goes on.")
        return
    seconds = round(time.perf_counter() - started, 1)
    summary = {**read_evaluations(workdir)[step], "seconds": seconds, "steps": step}
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
    from deblur_jax.training.export import export

    if not OUTPUT.value:
        raise ValueError("--mode=export needs --output=FILE.safetensors")
    card = export(workdir, Path(OUTPUT.value), step=_checkpoint(config, workdir))
    print(f"{OUTPUT.value}: {card['model']['name']} after {card['step']} steps")


def parse(argv: list[str]) -> list[str]:
    """Parses the command line; what is wrong with a flag is told in one line."""
    path = _value_of("config", argv)
    try:
        if path is not None:
            _check_config_flags(path, argv)
        return flags.FLAGS(argv)
    except (flags.Error, OSError, ValueError, TypeError) as error:
        _stop(" ".join(str(error).split()))


def _check_config_flags(path: str, argv: list[str]) -> None:
    known = dict(_fields(load_config(path), "config."))
    for argument in argv[1:]:
        name, _, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not name.startswith("config."):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, 0.5)
            hint = f"; did you mean {' or '.join('--' + other for other in near)}?" if near else ""
            raise ValueError(f"no such field --{name}{hint}")
        _check_value(name, value, known[name])


def _check_value(name: str, text: str, default: Any) -> None:
    """Numbers are checked here: their own errors name neither the field nor the type."""
    if type(default) in (int, float) and text:
        try:
            type(default)(text)
        except ValueError:
            kind = {int: "a whole number", float: "a number"}[type(default)]
            raise ValueError(f"--{name} must be {kind} like {default}, got {text!r}") from None


def _fields(config: ConfigDict, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _value_of(flag: str, argv: list[str]) -> str | None:
    for index, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name.lstrip("-") == flag and name.startswith("-"):
            return value if equals else next(iter(argv[index + 1 : index + 2]), None)
    return None


def _stop(message: str) -> NoReturn:
    sys.exit(f"error: {message}")


def run() -> None:
    """Starts the program."""
    app.run(main, flags_parser=parse)


if __name__ == "__main__":
    run()
