"""A run from the command line: train, stop, resume, evaluate, export, and the files of each."""

import json
import os
import runpy
import signal
import struct
from pathlib import Path

import jax
import pytest
from tensorboardX.proto.event_pb2 import Event

from deblur_jax.pretrained import load
from deblur_jax.training import checkpoint
from deblur_jax.training.machine import alone_in
from deblur_jax.training.progress import Reader


def records(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_what_train_minutes_packs_goes_on_elsewhere(tiny_run, tmp_path):
    tool = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "train_minutes.py"))
    assert tiny_run()[0] == 0
    tool["pack"](tmp_path / "run", tmp_path / "carry")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    tool["unpack"](tmp_path / "carry", tmp_path / "run")
    status, shown, error = tiny_run("--config.steps=6")
    assert (status, error) == (0, "")
    assert "resuming after step 4 of 6" in shown
    assert [each["step"] for each in records(tmp_path / "run")][-1] == 6


def test_a_run_goes_on_and_is_evaluated_and_exported(tiny_run, tmp_path):
    workdir, released = tmp_path / "run", tmp_path / "net.safetensors"
    status, shown, _ = tiny_run("--config.licence=CC0")
    assert status == 0
    assert "MeanColour           31 parameters" in shown
    assert "each step takes" in shown
    assert "compiling the train step ... " in shown
    assert tiny_run()[1].startswith("Already done; raise --config.steps")
    status, shown, _ = tiny_run("--config.steps=6", "--config.licence=CC0")
    assert "resuming after step 4 of 6" in shown
    assert "changed since the checkpoint: steps: 4 -> 6" in shown

    status, shown, _ = tiny_run("--mode=eval", "--checkpoint=4")
    assert "Evaluating the checkpoint of step 4" in shown
    error = float(shown.split("error")[1].split()[0])
    assert error == pytest.approx(records(workdir)[4]["test/error"], rel=1e-3)
    _, _, error = tiny_run("--mode=eval", "--config.model.width=5")
    assert "the checkpoint is of the model {'name': 'mean_colour', 'width': 4}, the config" in error

    status, shown, _ = tiny_run("--mode=export", f"--output={released}", "--checkpoint=best")
    card = load(str(released)).card
    evaluations = [each for each in records(workdir) if "test/error" in each]
    best = min((each["test/error"], each["step"]) for each in evaluations)
    assert (card["metrics"]["error"], card["step"]) == best
    assert card["data"]["name"] == "embedded"
    assert card["config"]["optimizer"]["peak_rate"] == 1e-3
    assert card["licence"] == "CC0"
    assert len(card["revision"].removesuffix("-dirty")) == 40

    assert tiny_run("--mode=export", f"--output={released}", "--dtype=float16")[0] == 0
    half = load(str(released))
    assert half.params["Dense_0"]["kernel"].dtype == "float32"
    exact = checkpoint.read(workdir).variables["params"]["Dense_0"]["kernel"]
    assert abs(half.params["Dense_0"]["kernel"] - exact).max() < 1e-3
    rounded, full = (half.card[name]["error"] for name in ("metrics_float16", "metrics"))
    assert rounded == pytest.approx(full, 0.1)

    for path in (workdir / "checkpoints" / "6" / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    status, _, error = tiny_run("--config.steps=8")
    assert "checkpoints/6: the checkpoint is damaged" in error
    assert len(error.splitlines()) == 1


def stop_at(monkeypatch, step):
    original = Reader.add

    def add(self, number, batch, metrics):
        original(self, number, batch, metrics)
        if number == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Reader, "add", add)


def test_sigterm_saves_and_the_same_command_resumes(tiny_run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        status, shown, _ = tiny_run()
    assert status == 0
    assert "Stopped and saved after 3 of 4 steps; run the same command to continue." in shown
    assert checkpoint.read(tmp_path / "run").step == 3
    status, shown, _ = tiny_run()
    assert status == 0
    assert "resuming after step 3 of 4" in shown


def test_an_interrupted_evaluation_is_repeated_on_resume(
    tiny_run, tiny_task, tmp_path, monkeypatch
):
    draw = tiny_task.draw

    def stopped(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError

    monkeypatch.setattr(tiny_task, "draw", stopped)
    status, shown, _ = tiny_run()
    assert status == 0
    assert "Stopped and saved after 4 of 4 steps; run the same command to continue." in shown
    monkeypatch.setattr(tiny_task, "draw", draw)
    status, shown, _ = tiny_run()
    assert "all 4 steps are done" in shown
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 4


def test_a_workdir_in_use_ends_in_a_one_line_error(tiny_run, tmp_path):
    workdir = tmp_path / "run"
    workdir.mkdir()
    with alone_in(workdir):
        status, _, error = tiny_run()
    assert status == 1
    assert f"--workdir {workdir} is in use by another run (process {os.getpid()} on" in error
    assert len(error.splitlines()) == 1


def events(workdir):
    (path,) = workdir.glob("events.out.tfevents.*")
    data, place = path.read_bytes(), 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        yield Event.FromString(data[place + 12 : place + 12 + length])
        place += 16 + length


def test_each_evaluation_leaves_metrics_and_pictures_and_a_short_run_a_whole_trace(
    tiny_run, tmp_path
):
    workdir = tmp_path / "run"
    assert tiny_run("--config.evaluate_every=2", "--config.profile=50")[0] == 0
    steps = [each["step"] for each in records(workdir) if "test/error" in each]
    assert steps == [2, 4]
    values = [(event.step, value) for event in events(workdir) for value in event.summary.value]
    pictures = [(step, value.tag) for step, value in values if value.image.width]
    assert pictures == [(2, "pictures/chelsea-0"), (4, "pictures/chelsea-0")]
    names = {value.tag for _, value in values}
    assert {"loss/total", "time/data", "time/compute", "time/host", "speed/images"} <= names
    assert list((workdir / "pictures").glob("*.png"))
    assert list((workdir / "profile").rglob("*.xplane.pb"))
    jax.profiler.start_trace(str(tmp_path / "next"))  # it would be refused if one was open
    jax.profiler.stop_trace()


def test_an_unknown_argument_in_a_config_ends_in_a_one_line_error(tiny_run, tiny_task, tiny_config):
    def get_config():
        config = tiny_config()
        config.optimizer.momentun = 0.5
        return config

    tiny_task.get_config = get_config
    status, _, error = tiny_run()
    assert status == 1
    assert "got an unexpected keyword argument 'momentun'" in error
    assert len(error.splitlines()) == 1
