"""BSDS500 (Arbelaez et al. 2011): photographs with segmentations by several annotators."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from deblur_jax.data.builders.fields import IMAGE, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder
from deblur_jax.data.segmentations import read_bsds
from deblur_jax.io.folders import list_files


def _store(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    segmentations = read_bsds(path)
    return segmentations, segmentations.shape[1:]


SEGMENTATIONS = Field(
    _store,
    lambda: tfds.features.Tensor(shape=(None, None, None), dtype=np.uint16, encoding="zlib"),
)


class Bsds(ManualBuilder):
    """Photos with their segmentations; the variant "photos" is without segmentations."""

    VARIANTS: tuple[str, ...] = ("segmentations", "photos")
    HOME: str = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html"
    LAYOUT: str = (
        "BSR_bsds500.tgz, unpacked, and name its folder BSDS500/data, which holds "
        "images/{train,val,test}/*.jpg and groundTruth/{train,val,test}/*.mat"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the fields of a photo and, except for the variant "photos", its segmentations."""
        if self.variant == "photos":
            return {"sharp": IMAGE}
        return {"sharp": IMAGE, "segmentations": SEGMENTATIONS}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns every photo; without the needed segmentations it is a problem."""
        splits = ("train", "val", "test")
        if self.variant == "segmentations":
            return {split: self.segmented("bsds", split, "segmentations") for split in splits}
        folders = {split: self.source / "images" / split for split in splits}
        return {
            split: [
                ExampleFiles(path.stem, {"sharp": path})
                for path in list_files(folder, (".jpg",), deep=False).files
            ]
            for split, folder in folders.items()
        }
