"""ADE20K (Zhou et al. 2017): photographs with every object outlined."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from deblur_jax.data.builders.fields import IMAGE, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder
from deblur_jax.data.segmentations import read_ade


def _store(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    segments = read_ade(path)
    return segments, segments.shape


SEGMENTS = Field(
    _store, lambda: tfds.features.Tensor(shape=(None, None), dtype=np.uint16, encoding="zlib")
)


class Ade(ManualBuilder):
    """Photos and their segments.

    Both the release of 2016 and that of 2021 are read; of the latter's folders we know from other
    readers only.
    """

    HOME = "https://groups.csail.mit.edu/vision/datasets/ADE20K/"
    LAYOUT = (
        "the full data set (not the scene parsing benchmark), unpacked, so that below this folder "
        "there are training/**/ADE_train_*.jpg with ADE_train_*_seg.png beside them, and "
        "validation/ likewise"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the photo and its segments."""
        return {"sharp": IMAGE, "segments": SEGMENTS}

    def find(self) -> dict[str, list[Example]]:
        """Returns every photo that has segments; what has no partner is a problem."""
        return {
            split: self.outlined("ade", folder, "segments")
            for split, folder in (("train", "training"), ("val", "validation"))
        }
