"""BSDS500 (Arbelaez et al. 2011): photographs, each segmented by several people."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from deblur_jax.data.builders.fields import IMAGE, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder
from deblur_jax.data.segmentations import read_bsds


def _store(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    segmentations = read_bsds(path)
    return segmentations, segmentations.shape[1:]


SEGMENTATIONS = Field(
    _store,
    lambda: tfds.features.Tensor(shape=(None, None, None), dtype=np.uint16, encoding="zlib"),
)


class Bsds(ManualBuilder):
    """Photos with their segmentations, or, as the variant "photos", without."""

    VARIANTS = ("segmentations", "photos")
    HOME = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html"
    LAYOUT = (
        "BSR_bsds500.tgz, unpacked, and name its folder BSDS500/data, which holds "
        "images/{train,val,test}/*.jpg and groundTruth/{train,val,test}/*.mat"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the photo and, unless only photos are asked for, what people made of it."""
        if self.variant == "photos":
            return {"sharp": IMAGE}
        return {"sharp": IMAGE, "segmentations": SEGMENTATIONS}

    def find(self) -> dict[str, list[Example]]:
        """Returns every photo, with segmentations if asked for; one without is then a problem."""
        splits = ("train", "val", "test")
        if self.variant == "segmentations":
            return {split: self.outlined("bsds", split, "segmentations") for split in splits}
        return {
            split: [
                Example(path.stem, {"sharp": path})
                for path in sorted((self.source / "images" / split).glob("*.jpg"))
            ]
            for split in splits
        }
