"""Two processes of four devices each take the same steps as one process of eight."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest


ROOT = Path(__file__).parents[2]
FIELDS = ["--config.steps=2", "--config.source.limit=4", "--config.optimizer.name=sgd"]


def start(workdir, log, devices, *flags):
    command = [sys.executable, "-m", "deblur_jax.main", "--config", "configs/quickstart.py:smoke"]
    command += ["--workdir", str(workdir), *FIELDS, *flags]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)}
    with log.open("w") as file:  # a pipe would be held open by whoever outlives its parent
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)


def start_two(workdir, logs, *flags):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [
        start(
            workdir, log, 4, f"--coordinator=localhost:{port}", "--processes=2",
            f"--process={number}", *flags,
        )
        for number, log in enumerate(logs)
    ]  # fmt: skip


def losses(workdir):
    records = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [record["loss/total"] for record in records if "loss/total" in record]


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["pmap", "shard_map"])
def test_two_processes_take_the_steps_of_one(tmp_path, parallel):
    mapped = f"--config.parallel={parallel}"
    logs = [tmp_path / "first", tmp_path / "second"]
    codes = [run.wait(600) for run in start_two(tmp_path / "two", logs, mapped)]
    assert codes == [0, 0], logs[0].read_text() + logs[1].read_text()
    assert start(tmp_path / "one", tmp_path / "log", 8, mapped).wait(600) == 0
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-4)
    # What they saved, they go on from; a signal to one of them stops both at the same step.
    runs = start_two(tmp_path / "two", logs, mapped, "--config.steps=100000")
    while len(losses(tmp_path / "two")) < 20 and runs[0].poll() is None:
        time.sleep(0.1)
    runs[1].terminate()
    assert [run.wait(600) for run in runs] == [0, 0], logs[0].read_text() + logs[1].read_text()
    assert "resuming after step 2 of 100000" in logs[0].read_text()
    stopped = re.search("Stopped and saved after ([0-9]+) of", logs[0].read_text())
    done = int(stopped.group(1))
    assert done >= 20
    # One process goes on with another number of devices.
    longer = start(tmp_path / "two", tmp_path / "more", 2, mapped, f"--config.steps={done + 1}")
    assert longer.wait(600) == 0
    assert f"resuming after step {done} of {done + 1}" in (tmp_path / "more").read_text()


@pytest.mark.slow
def test_more_processes_than_photos_are_refused(tmp_path):
    logs = [tmp_path / "first", tmp_path / "second"]
    runs = start_two(tmp_path / "two", logs, "--config.source.limit=1")
    assert [run.wait(600) for run in runs] == [1, 1]
    for log in logs:
        assert "got 1 examples for 2 processes" in log.read_text()
