"""The two commands, as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_jax.cli.deblur import main as deblur


ROOT = Path(__file__).parents[1]
SMOKE = "configs/quickstart.py:smoke"


def test_the_main_job_trains_evaluates_draws_and_says_so(tmp_path, main_command):
    workdir = tmp_path / "run"
    command = [sys.executable, "-m", "deblur_jax.main", "--config", SMOKE, "--workdir", workdir]
    shown = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    summary = json.loads((workdir / "summary.json").read_text())
    names = {
        "flow/mse", "flow/mse_zero_baseline", "flow/mse_mean_baseline", "psnr/blurred",
        "psnr/restored", "ssim/blurred", "ssim/restored", "seconds", "steps",
    }  # fmt: skip
    assert names <= set(summary)
    assert summary["steps"] == 4
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4, 4]
    assert any(workdir.glob("events.out.tfevents.*"))
    assert list((workdir / "pictures").glob("*.png"))
    last = shown.stdout.strip().splitlines()[-1]
    assert last.startswith(f"Pictures are in {workdir / 'pictures'}. After 4 steps")
    assert "images/s" in shown.stderr

    exported = tmp_path / "net.safetensors"
    main_command("--config", SMOKE, "--workdir", workdir, "--mode=export", f"--output={exported}")
    photo = tmp_path / "photo.png"
    Image.fromarray(data.coffee()[:64, :80]).save(photo)
    assert deblur([str(photo), "--model", str(exported)]) == 0


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[271] = "a maker"
    Image.fromarray(data.chelsea()[:80, :96]).save(path, exif=exif, quality=95)
    return path


def test_deblur_writes_a_photo_and_says_how_well_it_fits(photo, capsys):
    assert deblur([str(photo)]) == 0
    shown = capsys.readouterr().out
    assert "motion-flow-quickstart" in shown
    assert "blurring the result again differs from the photo by 0.0" in shown
    with Image.open(photo.with_name("photo-deblurred.jpg")) as result:
        assert result.size == (96, 80)
        assert result.getexif()[271] == "a maker"


def test_deblur_overwrites_only_when_told(photo, tmp_path, capsys):
    output = tmp_path / "out.png"
    output.write_text("mine")
    assert deblur([str(photo), "-o", str(output)]) == 1
    assert "exists already; give --overwrite or another -o" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert deblur([str(photo), "-o", str(output), "--overwrite"]) == 0


def bad_text(folder):
    path = folder / "words.jpg"
    path.write_text("words")
    return [path], "words.jpg: not an image that can be read"


def bad_truncated(folder):
    path = folder / "cut.jpg"
    Image.fromarray(data.chelsea()).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    return [path], "cut.jpg: the image is cut short or damaged"


def bad_tiny(folder):
    path = folder / "dot.png"
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(path)
    return [path], "dot.png: must have at least 32 pixels a side, got 1x1"


def bad_output(folder):
    path = folder / "photo.png"
    Image.fromarray(data.chelsea()[:64, :64]).save(path)
    return [path, "-o", folder / "nowhere" / "out.png"], "nowhere: no such folder; make it first"


def bad_ending(folder):
    arguments, _ = bad_output(folder)
    return [arguments[0], "-o", folder / "out.gif"], "the name must end in one of .jpg"


def bad_model(folder):
    arguments, _ = bad_output(folder)
    return [arguments[0], "--model", "best"], "model must be one of"


def missing(folder):
    return [folder / "none.jpg"], "none.jpg: no such file"


@pytest.mark.parametrize(
    "make", [bad_text, bad_truncated, bad_tiny, bad_output, bad_ending, bad_model, missing]
)
def test_deblur_refuses_in_one_line_and_leaves_nothing(tmp_path, capsys, make):
    arguments, message = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert deblur([str(argument) for argument in arguments]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before
