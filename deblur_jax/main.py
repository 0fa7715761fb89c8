r"""Train a network from a config, evaluate a checkpoint, or export it as weights.

python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --config.steps=50
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --mode=eval
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --mode=export \
    --output=mine.safetensors

On several hosts run the same command on each, with --distributed where JAX finds the other hosts
(SLURM, Open MPI, GKE, Cloud TPU), otherwise with --coordinator, --processes and --process.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags, logging
from ml_collections import config_flags

from deblur_jax.config_file import check_config_flags


CONFIG: flags.FlagHolder[Any] = config_flags.DEFINE_config_file(
    "config", None, "Config file, with an optional :variant.", lock_config=True
)
WORKDIR = flags.DEFINE_string("workdir", None, "The folder for checkpoints, metrics and pictures.")
MODE = flags.DEFINE_enum(
    "mode", "train", ["train", "eval", "export"],
    "Train and evaluate, only evaluate a checkpoint, or export one as weights.",
)  # fmt: skip
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "newest", "The checkpoint for --mode=eval and export: newest, best, or a step."
)
OUTPUT = flags.DEFINE_string("output", None, "The .safetensors file that --mode=export writes.")
DTYPE = flags.DEFINE_enum(
    "dtype", "float32", ["float16", "float32"],
    "The dtype of exported weights; with float16 they are evaluated again for the model card.",
)  # fmt: skip
DISTRIBUTED = flags.DEFINE_bool("distributed", False, "Join the other processes of this job.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first process.")
PROCESSES = flags.DEFINE_integer("processes", None, "The number of processes.")
PROCESS = flags.DEFINE_integer("process", None, "The number of this process, from 0.")
flags.mark_flags_as_required(["config", "workdir"])

TRACEBACK = "DEBLUR_JAX_TRACEBACK"


def main(argv: list[str]) -> None:
    """Run the mode that the flags name; print an error that a user can fix in one line."""
    if len(argv) > 1:
        _stop(f"unexpected arguments {argv[1:]}; flags begin with --")
    # Orbax logs 30 lines per checkpoint, and logs errors that are reported here as well.
    logging.set_verbosity(logging.ERROR if os.environ.get(TRACEBACK) else logging.FATAL)
    workdir = Path(WORKDIR.value or "")
    try:
        # Imported here, so that an error in a flag is reported at once.
        from deblur_jax.compiled import keep_compiled_programs
        from deblur_jax.training.machine import join_processes

        keep_compiled_programs()
        if DISTRIBUTED.value or COORDINATOR.value:
            join_processes(COORDINATOR.value, PROCESSES.value, PROCESS.value)
        modes = {"train": _train, "eval": _evaluate, "export": _export}
        modes[MODE.value](CONFIG.value, workdir)
    except (OSError, ValueError, TypeError, FloatingPointError) as error:
        # The only TypeError of a user is an unknown or missing field of a config's group.
        if os.environ.get(TRACEBACK) or (isinstance(error, TypeError) and "() " not in str(error)):
            raise
        _stop(f"{error} (set {TRACEBACK}=1 to see where)")


def _train(config: Any, workdir: Path) -> None:
    import jax

    from deblur_jax.training.loop import train
    from deblur_jax.training.machine import make_workdir
    from deblur_jax.training.records import read_evaluations, read_summary, write_summary

    started = time.perf_counter()
    make_workdir(workdir)
    summary = read_summary(workdir)
    if summary is not None and summary["steps"] >= config.steps:
        print("Already done; raise --config.steps or choose another --workdir.")
        print(_result(config, summary))
        return
    state = train(config, workdir)
    step = int(state.step)
    if jax.process_index():
        return
    evaluations = read_evaluations(workdir)
    if step not in evaluations:
        print(
            f"Stopped and saved after {step} of {config.steps} steps; "
            "run the same command to continue."
        )
        return
    seconds = round(time.perf_counter() - started, 1)
    summary = {**evaluations[step], "seconds": seconds, "steps": step}
    write_summary(workdir, summary)
    _table(summary)
    print(f"Pictures are in {workdir / 'pictures'}. {_result(config, summary)}")


def _result(config: Any, summary: dict[str, Any]) -> str:
    """Return how many steps were taken and, if the task has one, its sentence on the result."""
    from deblur_jax.training.tasks.registry import find_task

    describe = getattr(find_task(config.task), "describe", None)
    return f"{summary['steps']} steps were taken. {describe(summary) if describe else ''}".strip()


def _evaluate(config: Any, workdir: Path) -> None:
    import jax

    from deblur_jax.training import checkpoint
    from deblur_jax.training.assembly import assemble_evaluation
    from deblur_jax.training.checks import check_config

    check_config(config)
    saved = checkpoint.read(workdir, _checkpoint(config, workdir))
    old, new = saved.config["model"], checkpoint.to_dict(config)["model"]
    if old != new:
        raise ValueError(f"{workdir}: the checkpoint is of the model {old}, the config of {new}")
    print(f"Evaluating the checkpoint of step {saved.step} ...", flush=True)
    _table(assemble_evaluation(config)(saved.variables, workdir, jax.devices()))


def _checkpoint(config: Any, workdir: Path) -> int | None:
    """Return the step that --checkpoint names; None for the newest."""
    from deblur_jax.training.records import best_step

    which = CHECKPOINT.value
    if which == "best":
        best = best_step(workdir, metric=config.best_metric, wanted=config.best_is)
        if best is None:
            raise ValueError(f"{workdir}: holds no evaluation; use --checkpoint=newest")
        return best
    if which != "newest" and not which.isdigit():
        raise ValueError(f"--checkpoint must be newest, best or a step, got {which!r}")
    return int(which) if which.isdigit() else None


def _table(metrics: dict[str, Any]) -> None:
    for name, value in metrics.items():
        print(f"  {name:26s} {value:10.4g}")


def _export(config: Any, workdir: Path) -> None:
    import jax

    from deblur_jax.training.assembly import assemble_evaluation
    from deblur_jax.training.export import export

    if not OUTPUT.value:
        raise ValueError("--mode=export needs --output=FILE.safetensors")
    card = export(
        workdir,
        Path(OUTPUT.value),
        step=_checkpoint(config, workdir),
        dtype=DTYPE.value,
        measure=lambda variables: assemble_evaluation(config)(variables, workdir, jax.devices()),
    )
    print(f"{OUTPUT.value}: {card['model']['name']} after {card['step']} steps, {card['dtype']}")


def parse(argv: list[str]) -> list[str]:
    """Parse the command line; print an error in a flag in one line."""
    try:
        check_config_flags(argv)
        return flags.FLAGS(argv)
    except (flags.Error, OSError, ValueError, TypeError) as error:
        _stop(" ".join(str(error).split()))


def _stop(message: str) -> NoReturn:
    sys.exit(f"error: {message}")


def run() -> None:
    """Start the program."""
    app.run(main, flags_parser=parse)


if __name__ == "__main__":
    run()
