"""Koehler et al. 2012: real camera shake, played back by a robot before four printed pictures."""

import re
from pathlib import Path

from deblur_jax.data.builders.fields import FRAMES, IMAGE, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder
from deblur_jax.io.images import SUFFIXES


class Kohler(ManualBuilder):
    """Blurry pictures, each with the sharp frames along the camera's path.

    The variant "middle" gives the frame in the middle of the path as `sharp`; "all" gives all,
    some 200, as `frames`, which the data set's own score compares with. That a frame's name ends
    in its number is from other readers of the data set, not from its page.
    """

    VARIANTS = ("middle", "all")
    HOME = "https://webdav.tuebingen.mpg.de/pixel/benchmark4camerashake/"
    LAYOUT = (
        "BlurryImages.zip and GroundTruth_pngs_Image1.zip to Image4.zip, unpacked, so that this "
        "folder holds Blurry1_1.png to Blurry4_12.png (here or in BlurryImages/) and "
        "Image1/Kernel1/GroundTruth1_1_1.png and so on"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the blurry picture and one or all sharp frames."""
        if self.variant == "all":
            return {"blurry": IMAGE, "frames": FRAMES}
        return {"blurry": IMAGE, "sharp": IMAGE}

    def find(self) -> dict[str, list[Example]]:
        """Returns an example for every blurry picture."""
        examples = []
        for blurry in sorted([*self.source.glob("Blurry*_*"), *self.source.glob("*/Blurry*_*")]):
            found = re.fullmatch(r"Blurry(\d+)_(\d+)", blurry.stem)
            if not found or blurry.suffix.lower() not in SUFFIXES:
                continue
            place = self.source / f"Image{found[1]}" / f"Kernel{found[2]}"
            frames = sorted(place.glob("GroundTruth*_*_*"), key=_number)
            if not frames:
                self.problems.append(f"{blurry}: has no sharp frames in {place}")
                continue
            sharp = frames if self.variant == "all" else frames[(len(frames) - 1) // 2]
            field = "frames" if self.variant == "all" else "sharp"
            examples.append(Example(blurry.stem, {"blurry": blurry, field: sharp}))
        return {"test": examples}


def _number(path: Path) -> int:
    last = path.stem.rsplit("_", 1)[-1]
    return int(last) if last.isdecimal() else -1
