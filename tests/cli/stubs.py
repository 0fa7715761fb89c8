"""A restoration that costs nothing, for tests in which only files and messages matter."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_jax import deblurring
from deblur_jax.deblurring import Result
from deblur_jax.ops.operators import LineBlur


PICTURE = data.chelsea()[:40, :48]


class Darker:
    """Makes every photo half as bright, as by a motion of five pixels.

    Attributes:
        seen: the mean brightness of each photo that was given.
        transfers: the curves that it was told.
        dark: photos below this brightness are not trusted.
    """

    def __init__(self):
        self.seen, self.transfers, self.dark = [], [], -1.0

    def __call__(self, image, network, *, transfer, progress, **options):
        progress(1.0)
        self.seen.append(round(float(image.mean()), 3))
        self.transfers.append(transfer)
        flow = np.full((*image.shape[:2], 2), (3.0, 4.0), np.float32)
        explained = 0.95 if image.mean() > self.dark else 0.3
        return Result(
            image / 2, LineBlur(flow), np.zeros_like(image), explained, restored=image / 2
        )


@pytest.fixture
def darker(monkeypatch):
    stub = Darker()
    monkeypatch.setattr(deblurring, "deblur", stub)
    return stub


def save_grey(path, value):
    """Write a photo of one brightness, 0 to 255, by which a test knows it again."""
    Image.fromarray(np.full((40, 48, 3), value, np.uint8)).save(path)
