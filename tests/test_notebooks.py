"""Every notebook runs cell by cell, and its first cell installs the right package."""

import importlib.util
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest


ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "experiments" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

# Replacements for a notebook's cell of parameters.
SMALL = {
    "train": {"STEPS": 2, "BATCH": 2, "CROP": 48, "WIDTHS": (4, 4, 8)},
    "blind": {"HEIGHT": 96, "WIDTH": 112, "SIDE": 11, "SCALES": 2, "ROUNDS": 2},
    "photo": {"HEIGHT": 64, "WIDTH": 80, "MODEL": "camera-motion"},
    "learned_solver": {"STEPS": 2, "BATCH": 2, "CROP": 48, "DENOISING_STEPS": 2},
}


@pytest.fixture(autouse=True)
def headless():
    """Draws into memory and closes the figures."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def cells(path):
    notebook = json.loads(path.read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def install(monkeypatch):
    """Return a function that runs a notebook's first cell in a folder, with pip replaced.

    It returns the arguments of `pip install`, or None if pip is not run.
    """

    def run(path, folder, address=""):
        calls = []
        monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.chdir(folder)
        code = "".join(cells(path)[0]["source"])
        assert code.count('ADDRESS = ""') == 1
        exec(compile(code.replace('ADDRESS = ""', f"ADDRESS = {address!r}"), path.name, "exec"), {})
        if not calls:
            return None
        assert calls[0][:5] == [sys.executable, "-m", "pip", "install", "--quiet"]
        return calls[0][5:]

    return run


KEPT = [f"jax=={version('jax')}", f"jaxlib=={version('jaxlib')}"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_in_a_checkout_the_first_cell_installs_it_and_keeps_jax(path, install):
    assert install(path, FOLDER) == ["--editable", f"{ROOT}[plots]", *KEPT]
    assert sys.path[0] == str(ROOT)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_elsewhere_it_installs_from_the_address_and_keeps_jax(path, install, tmp_path):
    address = "git+https://example.org/someone/deblur_jax"
    assert install(path, tmp_path, address) == [f"deblur-jax[plots] @ {address}", *KEPT]
    assert install(path, tmp_path) is None  # the package is installed already


def test_without_jax_none_is_pinned(install, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert install(NOTEBOOKS[0], tmp_path, "ADDRESS") == ["deblur-jax[plots] @ ADDRESS"]


def test_without_a_checkout_or_an_address_the_error_names_the_variable(
    install, tmp_path, monkeypatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="open this notebook in a checkout, or set ADDRESS"):
        install(NOTEBOOKS[0], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path):
    _, *others = cells(path)
    names = {}
    for number, cell in enumerate(others, 2):
        exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
        if "parameters" in cell["metadata"].get("tags", ()):
            small = SMALL[path.stem]
            assert set(small) <= set(names)
            names.update(small)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_holds_no_outputs(path):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path))
