"""Runs that are killed at any moment or fill the disk. Each test takes minutes or a mount."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from deblur_jax.training import checkpoint


ROOT = Path(__file__).parents[2]
MAIN = [sys.executable, "-m", "deblur_jax.main", "--config", "configs/quickstart.py:smoke"]
STEPS, MOMENTS = 300, 20
FLAGS = [f"--config.steps={STEPS}", "--config.checkpoint_every=3"]


def start(workdir, log, cache):
    environment = {**os.environ, "DEBLUR_JAX_CACHE": str(cache)}
    with log.open("w") as file:
        return subprocess.Popen(
            [*MAIN, "--workdir", str(workdir), *FLAGS],
            cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip


def records(workdir):
    path = workdir / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def numbers(workdir):
    """Return what a step computed, without the times that it took."""
    made = {}
    for line in records(workdir):
        record = json.loads(line)
        if "loss/total" in record:
            made[record["step"]] = {
                name: value
                for name, value in record.items()
                if not name.startswith(("time/", "speed/"))
            }
    return made


def steps_in(folder):
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return [int(name) for name in names if name.isdigit()], sum("tmp" in name for name in names)


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_as_an_unbroken_one_bit_for_bit(tmp_path):
    cache, rng = tmp_path / "cache", random.Random(0)
    assert start(tmp_path / "unbroken", tmp_path / "log", cache).wait() == 0
    killed, resumed, cut_short = tmp_path / "killed", [], 0
    for moment in range(MOMENTS):
        log, before = tmp_path / f"log-{moment}", len(records(killed))
        running = start(killed, log, cache)
        if moment % 5:  # while it trains and saves; each fifth anywhere from the start on
            while len(records(killed)) <= before and running.poll() is None:
                before = min(before, len(records(killed)))  # it drops those that it takes again
                time.sleep(0.01)
        time.sleep(rng.uniform(0, 1 if moment % 5 else 6))
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        complete, partial = steps_in(killed / "checkpoints")
        cut_short += partial
        resumed.append(max(complete, default=0))
    assert start(killed, tmp_path / "last", cache).wait() == 0
    assert f"resuming after step {resumed[-1]} of {STEPS}" in (tmp_path / "last").read_text()
    for moment in range(1, MOMENTS):
        shown = (tmp_path / f"log-{moment}").read_text()
        assert "resuming" not in shown or f"after step {resumed[moment - 1]} of" in shown
    print(f"resumed after {resumed}; {cut_short} kills left a checkpoint half written")
    assert resumed == sorted(resumed)
    assert resumed[-1] < STEPS
    assert numbers(killed) == numbers(tmp_path / "unbroken")
    assert sorted(numbers(killed)) == list(range(1, STEPS + 1))
    states = [checkpoint.read(path).variables for path in (killed, tmp_path / "unbroken")]
    jax.tree.map(np.testing.assert_array_equal, *states)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
@pytest.mark.parametrize("kibibytes", [1024, 2048, 3200])
def test_a_full_disk_ends_in_a_one_line_error_and_the_run_can_resume(tmp_path, kibibytes):
    disk = tmp_path / "disk"
    disk.mkdir()
    # The mount is of these processes alone, and goes with them.
    script = (
        f"mount -t tmpfs -o size={kibibytes}k none {disk} || exit 99\n"
        f'"$@"; test $? = 1 || exit 98; ls {disk}/run/checkpoints | sed s/^/kept-/; echo mended\n'
        f'mount -o remount,size=100m {disk}; exec "$@"\n'
    )
    flags = ["--config.steps=300", "--config.checkpoint_every=3", "--config.keep_checkpoints=100"]
    with (tmp_path / "log").open("w") as log:
        ended = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *MAIN, "--workdir", disk / "run",
             *flags],
            cwd=ROOT, stdout=log, stderr=log, check=False, timeout=300,
        )  # fmt: skip
    shown = (tmp_path / "log").read_text()
    if ended.returncode == 99:
        pytest.skip("no right to mount")
    assert ended.returncode == 0, shown[-3000:]
    before, after = shown.replace("\r", "\n").split("mended")
    lines = [line for line in before.splitlines() if not line.startswith("train:")]
    error = next(line for line in lines if line.startswith("error:"))
    assert "o space left on" in error
    assert "run the same command again" in error
    print(error)
    assert "Traceback" not in before
    complete = [int(step) for step in re.findall(r"^kept-([0-9]+)$", before, re.MULTILINE)]
    assert f"resuming after step {max(complete)} of 300" in after
    assert "300 steps were taken" in after
