"""The comparison with other libraries: one problem for all, and what is missing is said."""

import json
import sys

import pytest

from experiments.peer_restoration import run
from experiments.shared import run_command


@pytest.fixture(scope="module")
def problem():
    return run.make_problem((64, 80), 9, 0)


def test_scikit_image_gets_the_turned_kernel(problem):
    image = run.by_scikit_image(problem)()
    assert run.score(image, problem.sharp) > run.score(problem.photo, problem.sharp) + 0.5
    turned = problem._replace(kernel=problem.kernel[::-1, ::-1])
    assert run.score(image, problem.sharp) > run.score(run.by_scikit_image(turned)(), problem.sharp)


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("restore", [run.by_restore_uniform, run.by_restore])
def test_our_restorations_are_sharper_than_the_photo(problem, restore):
    image = restore(problem)()
    assert run.score(image, problem.sharp) > run.score(problem.photo, problem.sharp)


def test_a_program_that_is_missing_is_named_with_the_reason(monkeypatch, tmp_path, capsys):
    def missing(problem):
        raise ImportError("No module named 'deepinv'")

    monkeypatch.setattr(
        run,
        "programs",
        lambda drunet: {"one": missing, "two": lambda problem: lambda: problem.photo},
    )
    monkeypatch.setattr(
        sys, "argv", ["run", "--size", "64", "80", "--side", "9", "--out", str(tmp_path / "o.json")]
    )
    run_command(run.main)
    shown = capsys.readouterr().out
    assert "| one | skipped: ImportError: No module named 'deepinv' | |" in shown
    rows = json.loads((tmp_path / "o.json").read_text())["rows"]
    assert rows["two"]["psnr"] == rows["blurred"]["psnr"]
    assert rows["two"]["seconds"] >= 0


def test_dpir_restores_with_our_denoiser(problem):
    pytest.importorskip("deepinv")
    image = run.by_deep_inverse_with_ours(problem)()
    assert run.score(image, problem.sharp) > run.score(problem.photo, problem.sharp) + 1
