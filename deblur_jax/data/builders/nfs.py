"""NfS, Need for Speed (Kiani Galoogahi et al. 2017): films at 240 frames a second."""

from deblur_jax.data.builders.fields import FRAMES, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder, folders


LENGTHS = {"seven": 7, "twenty_three": 23}


class Nfs(ManualBuilder):
    """Runs of frames in a row, to be averaged to blurry ones; the variant says how many.

    A film's runs do not overlap; the frames left over at its end are in none. That the frames
    lie two folders deep, below the rate, is from other readers of the data set.
    """

    VARIANTS = ("seven", "twenty_three")
    HOME = "http://ci2cv.net/nfs/index.html"
    LAYOUT = "the films, unpacked, so that this folder holds FILM/240/FILM/00001.jpg and so on"

    def fields(self) -> dict[str, Field]:
        """Returns the frames."""
        return {"frames": FRAMES}

    def find(self) -> dict[str, list[Example]]:
        """Returns the runs of every film."""
        length, examples = LENGTHS[self.variant], []
        for film in folders(self.source):
            frames = sorted((film / "240" / film.name).glob("*.jpg"))
            examples += [
                Example(f"{film.name}/{frames[start].stem}", {"frames": frames[start:end]})
                for start, end in zip(
                    range(0, len(frames), length),
                    range(length, len(frames) + 1, length),
                    strict=False,
                )
            ]
        return {"train": examples}
