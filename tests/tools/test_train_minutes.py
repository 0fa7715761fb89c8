"""A packed run is complete, and its throughput is reported."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "train_minutes.py"))


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


def test_a_damaged_part_is_reported_and_nothing_is_unpacked(tmp_path):
    leave_run(tmp_path / "here", [4])
    TOOL["pack"](tmp_path / "here", tmp_path / "carry")
    (part,) = (tmp_path / "carry").iterdir()
    whole = part.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"nothing", whole[:99] + b"damage" + whole[105:]):
        part.write_bytes(damaged)
        with pytest.raises(ValueError, match="carry: the packed run is damaged or lacks a part; "):
            TOOL["unpack"](tmp_path / "carry", tmp_path / "there")
        assert not (tmp_path / "there").exists()


def test_an_interrupted_packing_leaves_the_old_parts(tmp_path, monkeypatch):
    leave_run(tmp_path / "here", [4])
    TOOL["pack"](tmp_path / "here", tmp_path / "carry")

    def fail(path, data):
        raise OSError("no space left on the device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="no space"):
        TOOL["pack"](tmp_path / "here", tmp_path / "carry")
    TOOL["unpack"](tmp_path / "carry", tmp_path / "there")
    assert (tmp_path / "there" / "checkpoints" / "4").is_dir()


def test_a_run_that_has_no_time_for_a_step_says_so(tmp_path, monkeypatch):
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    flags = ["--minutes=0", f"--carry={tmp_path / 'carry'}", f"--workdir={tmp_path / 'run'}"]
    monkeypatch.setattr(sys, "argv", ["train_minutes.py", *flags])
    with pytest.raises(SystemExit, match="over before the first step; give more --minutes"):
        TOOL["main"]()


@pytest.mark.slow  # starts two trainings
def test_a_smoke_run_goes_on_in_another_workdir_from_what_was_packed(tmp_path):
    shown = []
    for workdir, steps in (("here", 2), ("there", 4)):
        command = [
            sys.executable, "tools/train_minutes.py", "--minutes=9",
            f"--carry={tmp_path / 'carry'}", f"--workdir={tmp_path / workdir}",
            "--config=configs/quickstart.py:smoke", f"--config.steps={steps}",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        shown.append(done.stdout)
    assert "2 steps to go" in shown[0]
    assert "resuming after step 2 of 4" in shown[1]
    for text in shown:
        assert f"MiB in {tmp_path / 'carry'}" in text


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
