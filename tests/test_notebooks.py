"""Every notebook runs, cell by cell, as it is."""

import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest


FOLDER = Path(__file__).parents[1] / "experiments" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

# In place of what a notebook's cell of parameters says.
SMALL = {
    "train": {"STEPS": 2, "BATCH": 2, "CROP": 48, "WIDTHS": (4, 4, 8)},
    "learned_solver": {"STEPS": 2, "BATCH": 2, "CROP": 48, "DENOISINGS": 2},
}


@pytest.fixture(autouse=True)
def unseen():
    """Draws into memory, and forgets the figures."""
    with mpl.rc_context({"backend": "agg"}):
        yield
        plt.close("all")


def cells(path):
    notebook = json.loads(path.read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path):
    first, *others = cells(path)
    assert "".join(first["source"]).startswith("%pip install")
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
