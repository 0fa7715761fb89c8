"""What a page quotes of several runs of the benchmark is their median."""

import runpy
from pathlib import Path

import pytest


TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return runpy.run_path(str(TOOLS / "benchmark.py"))


def record(seconds, ratio, *, devices=1, operation="forward", memory=1.0):
    row = {
        "size": "256x256",
        "side": 9,
        "basis": 5,
        "operation": operation,
        "method": "fft",
        "seconds": {"deblur_jax": seconds, "torch transform": seconds * ratio},
        "ratios": {"deblur_jax": 1.0, "torch transform": ratio},
        "memory_megabytes": {"deblur_jax": memory, "torch transform": memory},
        "fraction": 0.5,
    }
    return {"devices": devices, "rows": [row]}


def test_of_several_files_every_figure_is_the_median(tool):
    runs = [record(0.001, 2.0), record(0.002, 0.7), record(0.009, 0.9)]
    alone = record(0.004, 1.5, operation="adjoint")
    runs[1]["rows"] += alone["rows"]
    lines = tool["table_of"](*runs).splitlines()[2:]
    assert [line.split(" | ")[3] for line in lines] == ["forward", "adjoint"]
    assert "| 2.0 (1) | 0.90 (1) |" in lines[0]  # the ratio of no single run's median times
    assert "| 4.0 (1) | 1.50 (1) |" in lines[1]


def test_files_of_one_and_of_two_devices_are_not_mixed(tool):
    with pytest.raises(SystemExit, match=r"of \[1, 2\] devices; give those of one"):
        tool["table_of"](record(0.001, 1.0), record(0.001, 1.0, devices=2))
