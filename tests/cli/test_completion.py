"""Shells complete the options, where the shells are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

import deblur_jax
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.options import MODELS, SHELLS, make_parser


WEIGHTS = Path(deblur_jax.__file__).parent / "weights"
NO_ESTIMATES = {"denoiser", "gmm", "trust"}  # weights that estimate no blur


def test_the_models_that_are_offered_are_those_that_ship():
    shipped = {path.stem for path in WEIGHTS.glob("*.safetensors")} - NO_ESTIMATES
    assert set(MODELS) == shipped | {"auto", "blind"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_has_every_option_and_is_accepted_by_its_shell(shell, tmp_path, capsys):
    assert deblur(["--print-completion", shell]) == 0
    script = capsys.readouterr().out
    for action in make_parser()._actions:
        for flag in action.option_strings:
            name = flag.lstrip("-") if shell == "fish" else flag
            assert name in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script)
    done = subprocess.run(
        [shell, "-n", tmp_path / "script"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


ASK = {
    "bash": 'source {script}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); '
    '_deblur; printf "%s\\n" "${{COMPREPLY[@]}}"',
    "fish": 'source {script}; complete -C "{words}"',
}  # fmt: skip


@pytest.mark.parametrize("shell", ASK)
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("deblur --mo", {"--model"}),
        ("deblur --model camera", {"camera-motion"}),
        ("deblur --format he", {"heic", "heif"}),
        ("deblur photo.jpg --print-completion z", {"zsh"}),
    ],
)
def test_a_shell_offers_what_fits(shell, words, offered, tmp_path, capsys):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    deblur(["--print-completion", shell])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    asked = ASK[shell].format(script=tmp_path / "script", words=words)
    done = subprocess.run([shell, "-c", asked], capture_output=True, text=True, check=True)
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == offered
