"""GoPro (Nah et al. 2017): pairs from averaged high-speed video."""

from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder, sibling_files, subfolders


class GoPro(ManualBuilder):
    """Blurry and sharp frames of GOPRO_Large.

    The variant "blur" is the average of display values, which most published figures use;
    "blur_gamma" is the average of light.
    """

    VARIANTS: tuple[str, ...] = ("blur", "blur_gamma")
    HOME: str = "https://seungjunnah.github.io/Datasets/gopro.html"
    LAYOUT: str = (
        "GOPRO_Large, unpacked, so that this folder holds train/ and test/ with "
        "GOPR*/blur/*.png, GOPR*/blur_gamma/*.png and GOPR*/sharp/*.png"
    )

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the frames of every video."""
        return {
            split: [
                example
                for video in subfolders(self.source / split)
                for example in sibling_files(
                    video, video.name, ("blurry", self.variant), ("sharp", "sharp")
                )
            ]
            for split in ("train", "test")
        }
