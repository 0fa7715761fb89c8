"""DVD (Su et al. 2017): pairs of hand-held video, from averaged high-speed frames."""

from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder, sibling_files, subfolders


# The data set's page does not define a split. Papers that evaluate on it use ten test videos; this
# list has no public reference, so check it against the paper that you compare with.
TEST = (
    "720p_240fps_2", "IMG_0003", "IMG_0021", "IMG_0030", "IMG_0031", "IMG_0032", "IMG_0033",
    "IMG_0037", "IMG_0039", "IMG_0049",
)  # fmt: skip


class Dvd(ManualBuilder):
    """Blurry (`input`) and sharp (`GT`) frames of the quantitative part."""

    HOME: str = "https://www.cs.ubc.ca/labs/imager/tr/2017/DeepVideoDeblurring/"
    LAYOUT: str = (
        "DeepVideoDeblurring_Dataset.zip, unpacked, so that this folder holds "
        "quantitative_datasets/IMG_0001/input/*.jpg and quantitative_datasets/IMG_0001/GT/*.jpg"
    )

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the frames of every video."""
        splits: dict[str, list[ExampleFiles]] = {"train": [], "test": []}
        for video in subfolders(self.source / "quantitative_datasets"):
            split = "test" if video.name in TEST else "train"
            splits[split] += sibling_files(video, video.name, ("blurry", "input"), ("sharp", "GT"))
        return splits
