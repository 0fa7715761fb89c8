"""NfS, Need for Speed (Kiani Galoogahi et al. 2017): films at 240 frames a second."""

from deblur_jax.data.builders.fields import FRAMES, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder, subfolders
from deblur_jax.io.folders import list_files


LENGTHS = {"seven": 7, "twenty_three": 23}


class Nfs(ManualBuilder):
    """Windows of consecutive frames for averaging; the variant is the number of frames.

    The windows of a film do not overlap, and the remaining frames at its end are unused. The layout
    of the folders is the one that other readers of the data set expect.
    """

    VARIANTS: tuple[str, ...] = ("seven", "twenty_three")
    HOME: str = "http://ci2cv.net/nfs/index.html"
    LAYOUT: str = "the films, unpacked, so that this folder holds FILM/240/FILM/00001.jpg and so on"

    def fields(self) -> dict[str, Field]:
        """Returns the field of the frames."""
        return {"frames": FRAMES}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns the windows of every film."""
        length, examples = LENGTHS[self.variant], []
        for film in subfolders(self.source):
            frames = list(list_files(film / "240" / film.name, (".jpg",), deep=False).files)
            examples += [
                ExampleFiles(f"{film.name}/{frames[start].stem}", {"frames": frames[start:end]})
                for start, end in zip(
                    range(0, len(frames), length),
                    range(length, len(frames) + 1, length),
                    strict=False,
                )
            ]
        return {"train": examples}
