"""ADE20K (Zhou et al. 2017): photographs with full object segmentations."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from deblur_jax.data.builders.fields import IMAGE, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder
from deblur_jax.data.segmentations import read_ade


def _store(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    segments = read_ade(path)
    return segments, segments.shape


SEGMENTS = Field(
    _store, lambda: tfds.features.Tensor(shape=(None, None), dtype=np.uint16, encoding="zlib")
)


class Ade(ManualBuilder):
    """Photos and their segments.

    Both the release of 2016 and that of 2021 are supported. The folders of the latter are those
    that other readers of the data set expect.
    """

    HOME: str = "https://groups.csail.mit.edu/vision/datasets/ADE20K/"
    LAYOUT: str = (
        "the full data set (not the scene parsing benchmark), unpacked, so that below this folder "
        "there are training/**/ADE_train_*.jpg and validation/**/ADE_val_*.jpg, each with a "
        "*_seg.png beside it"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the fields of a photo and its segments."""
        return {"sharp": IMAGE, "segments": SEGMENTS}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns every photo with segments; a file without a partner is a problem."""
        return {
            split: self.segmented("ade", folder, "segments")
            for split, folder in (("train", "training"), ("val", "validation"))
        }
