"""Koehler et al. 2012: recorded camera shake, replayed by a robot in front of four pictures."""

import re
from pathlib import Path

from deblur_jax.data.builders.fields import FRAMES, IMAGE, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder
from deblur_jax.io.folders import list_files
from deblur_jax.io.images import SUFFIXES


class Kohler(ManualBuilder):
    """Blurry pictures, each with the sharp frames along the camera's path.

    The variant "middle" has the frame in the middle of the path as `sharp`. The variant "all" has
    all frames, about 200, as `frames`; the data set's own score uses them. Frames are ordered by
    the number at the end of their name, as in other readers of the data set.
    """

    VARIANTS: tuple[str, ...] = ("middle", "all")
    HOME: str = "https://webdav.tuebingen.mpg.de/pixel/benchmark4camerashake/"
    LAYOUT: str = (
        "BlurryImages.zip and GroundTruth_pngs_Image1.zip to Image4.zip, unpacked, so that this "
        "folder holds Blurry1_1.png to Blurry4_12.png (here or in BlurryImages/) and "
        "Image1/Kernel1/GroundTruth1_1_1.png and so on"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the fields of a blurry picture and one or all sharp frames."""
        if self.variant == "all":
            return {"blurry": IMAGE, "frames": FRAMES}
        return {"blurry": IMAGE, "sharp": IMAGE}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns an example for every blurry picture."""
        examples = []
        for blurry in sorted([*self.source.glob("Blurry*_*"), *self.source.glob("*/Blurry*_*")]):
            found = re.fullmatch(r"Blurry(\d+)_(\d+)", blurry.stem)
            if not found or blurry.suffix.lower() not in SUFFIXES or blurry.is_dir():
                continue
            place = self.source / f"Image{found[1]}" / f"Kernel{found[2]}"
            files = list_files(place, SUFFIXES, deep=False).files
            frames = sorted((x for x in files if x.match("GroundTruth*_*_*")), key=_number)
            if not frames:
                self.problems.append(f"{blurry}: no sharp frames in {place}")
                continue
            sharp = frames if self.variant == "all" else frames[(len(frames) - 1) // 2]
            field = "frames" if self.variant == "all" else "sharp"
            examples.append(ExampleFiles(blurry.stem, {"blurry": blurry, field: sharp}))
        return {"test": examples}


def _number(path: Path) -> int:
    last = path.stem.rsplit("_", 1)[-1]
    return int(last) if last.isdecimal() else -1
