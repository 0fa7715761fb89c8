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
        """Returns every photo, and every segmentation even if it has no photo."""
        return {split: self._find(split) for split in ("train", "val", "test")}

    def _find(self, split: str) -> list[Example]:
        photos, truths = (self.source / kind / split for kind in ("images", "groundTruth"))
        names = {path.stem for path in photos.glob("*.jpg")}
        if self.variant == "segmentations":
            names |= {path.stem for path in truths.glob("*.mat")}
        examples = []
        for name in sorted(names):
            files = {"sharp": photos / f"{name}.jpg", "segmentations": truths / f"{name}.mat"}
            examples.append(Example(name, {field: files[field] for field in self.fields()}))
        return examples
