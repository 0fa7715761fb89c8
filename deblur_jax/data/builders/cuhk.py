"""CUHK blur detection (Shi et al. 2014): photos with a mask of what is blurred."""

from deblur_jax.data.builders.fields import IMAGE, MASK, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder


class Cuhk(ManualBuilder):
    """Photos blurred by motion or by focus, and their masks.

    The splits are "motion" and "out_of_focus", by the names of the files. Masks are stored as
    black and white as they are; that white is blurred is not certain.
    """

    HOME = "http://www.cse.cuhk.edu.hk/leojia/projects/dblurdetect/dataset.html"
    LAYOUT = (
        "BlurDatasetImage.zip and BlurDatasetGT.zip, unpacked, so that this folder holds "
        "image/motion0001.jpg, image/out_of_focus0001.jpg and so on, and gt/motion0001.png and "
        "so on"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the photo and its mask."""
        return {"blurry": IMAGE, "mask": MASK}

    def find(self) -> dict[str, list[Example]]:
        """Returns every photo and mask."""
        names = {path.stem for path in self.source.glob("image/*.jpg")}
        names |= {path.stem for path in self.source.glob("gt/*.png")}
        return {
            split: [
                Example(
                    name,
                    {
                        "blurry": self.source / "image" / f"{name}.jpg",
                        "mask": self.source / "gt" / f"{name}.png",
                    },
                )
                for name in sorted(names)
                if name.startswith(split)
            ]
            for split in ("motion", "out_of_focus")
        }
