"""GoPro (Nah et al. 2017): pairs from averaged high-speed video."""

from deblur_jax.data.builders.manual import Example, ManualBuilder, folders, partners


class GoPro(ManualBuilder):
    """Blurry and sharp frames of GOPRO_Large.

    The variant "blur" was averaged as displayed, which most published figures use; "blur_gamma"
    was averaged in light.
    """

    VARIANTS = ("blur", "blur_gamma")
    HOME = "https://seungjunnah.github.io/Datasets/gopro.html"
    LAYOUT = (
        "GOPRO_Large, unpacked, so that this folder holds train/ and test/ with "
        "GOPR*/blur/*.png, GOPR*/blur_gamma/*.png and GOPR*/sharp/*.png"
    )

    def find(self) -> dict[str, list[Example]]:
        """Returns the frames of every video."""
        return {
            split: [
                example
                for video in folders(self.source / split)
                for example in partners(
                    video, video.name, ("blurry", self.variant), ("sharp", "sharp")
                )
            ]
            for split in ("train", "test")
        }
