"""REDS (Nah et al. 2019): pairs of dynamic scenes, from interpolated and averaged video."""

from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder, sibling_files, subfolders


class Reds(ManualBuilder):
    """Blurry and sharp frames; the variant "blur_comp" is also compressed as a video.

    The test set is not supported, since its sharp frames are not public.
    """

    VARIANTS: tuple[str, ...] = ("blur", "blur_comp")
    HOME: str = "https://seungjunnah.github.io/Datasets/reds.html"
    LAYOUT: str = (
        "train_sharp.zip, train_blur.zip, val_sharp.zip and val_blur.zip (or *_blur_comp.zip), "
        "unpacked, so that this folder holds train/train_sharp/000/*.png, "
        "train/train_blur/000/*.png, val/val_sharp/000/*.png and val/val_blur/000/*.png"
    )

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the frames of every clip."""
        return {
            split: [
                example
                for clip in self._clips(split)
                for example in sibling_files(
                    self.source / split,
                    clip,
                    ("blurry", f"{split}_{self.variant}/{clip}"),
                    ("sharp", f"{split}_sharp/{clip}"),
                )
            ]
            for split in ("train", "val")
        }

    def _clips(self, split: str) -> list[str]:
        kinds = (self.variant, "sharp")
        places = [self.source / split / f"{split}_{kind}" for kind in kinds]
        return sorted({clip.name for place in places for clip in subfolders(place)})
