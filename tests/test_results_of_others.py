"""The benchmarks score a folder of results that any other program wrote."""

import importlib
import json
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from experiments import shared


NAMES = ("Blurry1_1", "Blurry1_2")


@pytest.fixture
def kohler(tmp_path):
    """Write a data set of two photos, and results that are sharper; return their folders."""
    sharp = data.astronaut()[60:156, 150:278]
    blurred = ((sharp.astype(int) + np.roll(sharp, 4, 1)) // 2).astype(np.uint8)
    restored = ((3 * sharp.astype(int) + blurred) // 4).astype(np.uint8)
    for place in ("kohler/blurred", "kohler/sharp", "theirs"):
        (tmp_path / place).mkdir(parents=True)
    Image.fromarray(sharp).save(tmp_path / "kohler/sharp/GroundTruth1.jpg", quality=100)
    for name in NAMES:
        Image.fromarray(blurred).save(tmp_path / f"kohler/blurred/{name}.png")
        Image.fromarray(restored).save(tmp_path / f"theirs/{name}.png")
    return tmp_path / "kohler", tmp_path / "theirs"


COMMANDS = {
    "blind": lambda images, results: ["kohler", "--data", images.parent, "--results", results],
    "real_benchmarks": lambda images, results: [
        "--set", "kohler", "--images", images, "--results", results,
    ],
}  # fmt: skip


@pytest.fixture
def run(kohler, monkeypatch, tmp_path):
    """Return a function that runs an experiment on the results and returns its record."""

    def run(name):
        arguments = [*COMMANDS[name](*kohler), "--out", tmp_path / "record.json"]
        monkeypatch.setattr(sys, "argv", ["run", *map(str, arguments)])
        shared.run_command(importlib.import_module(f"experiments.{name}.run").main)
        return json.loads((tmp_path / "record.json").read_text())

    return run


def test_real_shake_scores_results_and_keeps_its_own_record(run, kohler, capsys):
    record = run("blind")["kohler: results in theirs"]
    assert record["photos"] == 2
    assert record["means"]["restored"] > record["means"]["blurred"] + 6
    assert f"results in {kohler[1]}: " in capsys.readouterr().out


def test_the_real_benchmarks_score_results_with_both_alignments(run, kohler, capsys):
    record = run("real_benchmarks")
    assert record["model"] == "results in theirs"
    means = record["means"]
    for alignment in ("homography", "translation"):
        assert means[f"{alignment}/psnr"] > means[f"blurred_{alignment}/psnr"] + 6
    assert f"results in {kohler[1]}, 2 photos" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_one_error_names_every_missing_file(run, kohler, name, tmp_path):
    for path in kohler[1].iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match="results are missing: Blurry1_1, Blurry1_2; write"):
        run(name)
    assert not (tmp_path / "record.json").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_result_of_another_size_is_refused(run, kohler, name):
    path = kohler[1] / f"{NAMES[0]}.png"
    Image.open(path).crop((0, 0, 100, 90)).save(path)
    with pytest.raises(SystemExit, match=r"Blurry1_1.png: is 100x90, expected 128x96 as the blurr"):
        run(name)


def test_results_may_have_another_format(kohler):
    for name in NAMES:
        path = kohler[1] / f"{name}.png"
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    found = shared.find_results(kohler[1], NAMES)
    assert [path.name for path in found.values()] == ["Blurry1_1.jpg", "Blurry1_2.jpg"]
