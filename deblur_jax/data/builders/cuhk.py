"""CUHK blur detection (Shi et al. 2014): photos with masks of the blurred regions."""

from deblur_jax.data.builders.fields import IMAGE, MASK, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder
from deblur_jax.io.folders import list_files


class Cuhk(ManualBuilder):
    """Photos blurred by motion or by focus, and their masks.

    The splits are "motion" and "out_of_focus", from the names of the files. Masks keep the polarity
    of the files; the data set does not document that white means blurred.
    """

    HOME: str = "http://www.cse.cuhk.edu.hk/leojia/projects/dblurdetect/dataset.html"
    LAYOUT: str = (
        "BlurDatasetImage.zip and BlurDatasetGT.zip, unpacked, so that this folder holds "
        "image/motion0001.jpg, image/out_of_focus0001.jpg and so on, and gt/motion0001.png and "
        "so on"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the fields of a photo and its mask."""
        return {"blurry": IMAGE, "mask": MASK}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns every photo and mask."""
        photos = list_files(self.source / "image", (".jpg",), deep=False)
        masks = list_files(self.source / "gt", (".png",), deep=False)
        names = {path.stem for path in (*photos.files, *masks.files)}
        return {
            split: [
                ExampleFiles(
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
