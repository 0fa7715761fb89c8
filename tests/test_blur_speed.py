"""The benchmark figures on the page are the medians of the recorded runs."""

import json
from argparse import Namespace

import pytest

from experiments.blur_speed import run as benchmark


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
        "compile_seconds": 1.0,
        "different": [],
        "notes": {},
        "fraction": 0.5,
    }
    return {"machine": "a machine", "devices": devices, "rows": [row]}


def table_of(*records):
    return benchmark.table_of(benchmark.medians_of(*records))


def test_every_figure_is_the_median_over_the_files():
    runs = [record(0.001, 2.0), record(0.002, 0.7), record(0.009, 0.9)]
    alone = record(0.004, 1.5, operation="adjoint")
    runs[1]["rows"] += alone["rows"]
    lines = table_of(*runs).splitlines()[2:]
    assert [line.split(" | ")[3] for line in lines] == ["forward", "adjoint"]
    assert "| 2.0 (1) | 0.90 (1) |" in lines[0]  # the ratio of no single run's median times
    assert "| 4.0 (1) | 1.50 (1) |" in lines[1]


def test_files_of_one_and_of_two_devices_are_not_mixed():
    with pytest.raises(SystemExit, match=r"of \[1, 2\] devices; give those of one"):
        table_of(record(0.001, 1.0), record(0.001, 1.0, devices=2))


def test_the_written_medians_print_the_same_table_and_hold_the_spread(tmp_path, capsys):
    paths = []
    for number, ratio in enumerate((1.4349999, 0.7, 2.0)):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(record(0.001 * (number + 1), ratio)))
    out = tmp_path / "medians.json"
    benchmark.print_table(Namespace(json=paths, out=out))
    printed = capsys.readouterr().out
    benchmark.print_table(Namespace(json=[out], out=None))
    assert capsys.readouterr().out == printed
    (row,) = json.loads(out.read_text())["rows"]
    assert row["runs"] == 3
    assert row["least_and_most_ratio"] == {"torch transform": [0.7, 2.0]}
    with pytest.raises(SystemExit, match="holds medians; give it alone"):
        benchmark.print_table(Namespace(json=[out, paths[0]], out=None))
