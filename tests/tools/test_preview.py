"""The preview draws every field of a sample."""

import importlib.util
from pathlib import Path

import numpy as np

from deblur_jax.io.images import read_rgb


ROOT = Path(__file__).parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


preview = load("preview")


def test_the_command_draws_a_row_for_each_sample(tmp_path, capsys):
    out, config = tmp_path / "sheet.png", ROOT / "configs" / "quickstart.py"
    options = ["--set", "source.limit=1", "batches.crop=32", "--samples", "2", "--out", str(out)]
    preview.main(["--config", f"{config}:smoke", *options])
    sheet = read_rgb(out)
    assert sheet.shape[0] >= 2 * 16  # the border is cut off
    assert sheet.shape[1] >= 3 * 16  # blurry, sharp and flow
    assert sheet.std() > 10
    assert f"{out}: 2 samples of" in capsys.readouterr().out


def test_kernels_are_drawn_as_they_mix_each_at_its_place():
    kernels = np.zeros((2, 3, 3))
    kernels[0, 1, 1], kernels[1, 1] = 1, 1 / 3
    mixing = np.zeros((16, 16, 2))
    mixing[:, :8, 0] = mixing[:, 8:, 1] = 1
    board = preview.kernel_field(kernels, mixing)
    assert board.shape == (8 * 4, 8 * 4, 3)
    np.testing.assert_array_equal(board[:3, :3, 0], 255 * kernels[0])
    np.testing.assert_array_equal(board[-4:-1, -4:-1, 0], np.where(kernels[1] > 0, 255, 0))
    assert preview.kernel_field(kernels, None).shape == (4, 8, 3)


def test_everything_that_an_example_holds_is_drawn():
    pictures = {name: np.full((20, 24, 3), 0.5) for name in preview.PICTURES}
    flow = np.ones((20, 24, 2))
    width = preview.draw(pictures).shape[1]
    assert width >= 24 * len(pictures)
    assert preview.draw({**pictures, "flow": flow}).shape[1] >= width + 24
