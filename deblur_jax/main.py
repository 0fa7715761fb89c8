r"""Trains, evaluates and exports, as a config says.

python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart
python -m deblur_jax.main --config configs/quickstart.py --workdir runs/mine --config.steps=50
"""

import difflib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags


CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config file, with an optional :variant.", lock_config=True
)
WORKDIR = flags.DEFINE_string("workdir", None, "Where checkpoints, metrics and pictures go.")
MODE = flags.DEFINE_enum(
    "mode", "train", ["train", "export"],
    "train (and evaluate), or export the newest checkpoint as weights.",
)  # fmt: skip
OUTPUT = flags.DEFINE_string("output", None, "With --mode=export: the .safetensors file to write.")
flags.mark_flags_as_required(["config", "workdir"])

TRACEBACK = "DEBLUR_JAX_TRACEBACK"


def main(argv: list[str]) -> None:
    """Runs the mode that the flags name; trouble that a user can mend is told in one line."""
    if len(argv) > 1:
        _stop(f"unexpected arguments {argv[1:]}; flags begin with --")
    logging.set_verbosity(logging.WARNING)  # orbax tells 30 lines a checkpoint
    workdir = Path(WORKDIR.value or "")
    try:
        if MODE.value == "export":
            _export(workdir)
        else:
            _train(CONFIG.value, workdir)
    except (OSError, ValueError, FloatingPointError) as error:
        if os.environ.get(TRACEBACK):
            raise
        _stop(f"{error} (set {TRACEBACK}=1 to see where)")


def _train(config: Any, workdir: Path) -> None:
    # Imported only now, so that a mistyped flag is answered at once.
    from deblur_jax.training.evaluate import evaluate, read_summary, write_summary
    from deblur_jax.training.loop import train

    started = time.perf_counter()
    _check_writable(workdir)
    summary = read_summary(workdir)
    if summary is not None and summary["steps"] >= config.steps:
        print(f"Already done; raise --config.steps or choose another --workdir. {_gain(summary)}")
        return
    state = train(config, workdir)
    step = int(state.step)
    print(f"Evaluating after {step} steps ...", flush=True)
    metrics = evaluate(config, workdir, state.variables, step=step)
    seconds = round(time.perf_counter() - started, 1)
    summary = {**metrics, "seconds": seconds, "steps": step}
    write_summary(workdir, summary)
    for name, value in summary.items():
        print(f"  {name:26s} {value:10.4g}")
    print(f"Pictures are in {workdir / 'pictures'}. {_gain(summary)}")


def _gain(summary: dict[str, Any]) -> str:
    part = 100 * summary["flow/mse"] / summary["flow/mse_zero_baseline"]
    return (
        f"After {summary['steps']} steps the motion's error is {part:.0f} % of guessing no motion; "
        f"restored photos gain {summary['psnr/restored'] - summary['psnr/blurred']:+.2f} dB "
        f"({summary['psnr/blurred']:.2f} -> {summary['psnr/restored']:.2f})."
    )


def _export(workdir: Path) -> None:
    from deblur_jax.training.export import export

    if not OUTPUT.value:
        raise ValueError("--mode=export needs --output=FILE.safetensors")
    card = export(workdir, Path(OUTPUT.value))
    print(f"{OUTPUT.value}: {card['model']['name']} after {card['step']} steps")


def _check_writable(workdir: Path) -> None:
    """Makes the folder, and raises an OSError in one line if it cannot be written to."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe = workdir / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"--workdir {workdir} cannot be written to ({error.strerror}); choose another folder"
        ) from None


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
    file, _, variant = path.partition(":")
    if not Path(file).is_file():
        found = sorted(str(config) for config in Path("configs").glob("*.py"))
        raise FileNotFoundError(
            f"--config {file}: no such file; configs here: {', '.join(found) or 'none'}"
        )
    spec = importlib.util.spec_from_file_location("config_file", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"--config {file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known = dict(_fields(module.get_config(*[variant] if variant else []), "config."))
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
