"""Training, export and deblurring with the commands of the README."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image
from skimage import data

from deblur_jax.cli.deblur import main as deblur


ROOT = Path(__file__).parents[1]
SMOKE = "configs/quickstart.py:smoke"


def test_the_quick_start_trains_evaluates_and_draws(tmp_path, main_command):
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
    assert last.startswith(f"Pictures are in {workdir / 'pictures'}. 4 steps were taken")
    assert "images/s" in shown.stderr

    exported = tmp_path / "net.safetensors"
    main_command("--config", SMOKE, "--workdir", workdir, "--mode=export", f"--output={exported}")
    photo = tmp_path / "photo.png"
    Image.fromarray(data.coffee()[:64, :80]).save(photo)
    assert deblur([str(photo), "--model", str(exported)]) == 0
