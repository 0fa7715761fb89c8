"""A packed run is complete, and its throughput is reported."""

import json
import runpy
from pathlib import Path

import pytest


TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "train_minutes.py"))


def leave_run(workdir, steps):
    for step in steps:
        folder = workdir / "checkpoints" / str(step) / "state"
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(bytes([step]) * 2_000_000)
    (workdir / "checkpoints" / "9.orbax-checkpoint-tmp").mkdir()
    (workdir / "metrics.jsonl").write_text(json.dumps({"step": 8}) + "\n")


def test_what_was_packed_is_unpacked_in_an_empty_workdir_alone(tmp_path):
    leave_run(tmp_path / "here", [4, 8])
    size = TOOL["pack"](tmp_path / "here", tmp_path / "carry")
    assert size == 2_000_000
    TOOL["unpack"](tmp_path / "carry", tmp_path / "there")
    assert [path.name for path in (tmp_path / "there" / "checkpoints").iterdir()] == ["8"]
    data = (tmp_path / "there" / "checkpoints" / "8" / "state" / "data").read_bytes()
    assert data == bytes([8]) * 2_000_000
    assert (tmp_path / "there" / "metrics.jsonl").exists()
    (tmp_path / "there" / "checkpoints" / "8").rename(tmp_path / "there" / "checkpoints" / "10")
    TOOL["unpack"](tmp_path / "carry", tmp_path / "there")  # an existing run is kept
    assert [path.name for path in (tmp_path / "there" / "checkpoints").iterdir()] == ["10"]


def test_a_run_without_a_checkpoint_is_not_packed(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint was saved; train for longer"):
        TOOL["pack"](tmp_path, tmp_path / "carry")


def test_the_throughput_is_the_median_of_the_second_half(tmp_path):
    times = {"time/data": 0.001, "time/compute": 0.002, "time/host": 0.001}
    rates = [1.0, 1.0, 1.0, 1.0, 40.0, 50.0, 60.0]
    lines = [{"speed/images": rate, "speed/teraflops": 2.0, **times} for rate in rates]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, [{"step": 1}, *lines])))
    shown = TOOL["describe"](TOOL["speeds"](tmp_path))
    assert shown.startswith("45.0 images/s; milliseconds a step: data 1.0, compute 2.0, host 1.0")
    assert "at 2 TFLOP/s, its peak is not known" in shown
