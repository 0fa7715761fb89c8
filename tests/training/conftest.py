"""A training run small enough for a test."""

from pathlib import Path

import numpy as np
import pytest

from deblur_jax.config_file import load_config


QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.py"


@pytest.fixture
def smoke_config():
    """Returns a function that makes the quick start's smoke config, steps and all."""

    def make(**fields):
        config = load_config(f"{QUICKSTART}:smoke")
        config.update(fields)
        return config

    return make


class TwoPhotos:
    """Two photos of noise, without files."""

    skipped = ()
    paths = (Path("a.png"), Path("b.png"))

    def __init__(self, height, width):
        self._pixels = np.random.default_rng(0).integers(256, size=(2, height, width, 3))

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"sharp": self._pixels[index].astype(np.uint8)}

    def name(self, index):
        return str(self.paths[index])


@pytest.fixture
def two_photos():
    """Returns a source of two sharp photos, 48 x 52 pixels."""
    return TwoPhotos(48, 52)
