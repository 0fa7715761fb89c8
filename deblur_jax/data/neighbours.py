"""Neighbouring frames of a video as one example."""

import itertools
import re
from pathlib import PurePosixPath

from deblur_jax.data.checks import check_option
from deblur_jax.data.examples import PICTURES, Example, Source


OFFSETS = {"next": 1, "previous": -1}  # of the numbers of neighbours


class NeighbourSource:
    """Frames with the ones beside them: `sharp`, `blurry`, `next_sharp`, `next_blurry`, and so on.

    A frame follows another one if it lies in the same folder and its number is one higher; the
    number is the last one in its name. Frames that lack a neighbour, such as the last one of a
    video, are no example.

    Attributes:
        skipped: what the frames' source left out.
    """

    def __init__(self, frames: Source, count: int = 1):
        """Finds the neighbours by their names.

        Args:
            frames: by index.
            count: 1 for the frame that follows, 2 for the one before as well (`previous_blurry`).

        Raises:
            ValueError: if no two frames follow each other.
        """
        check_option("source.neighbours", count, range(1 + len(OFFSETS)))
        self._frames, self.skipped = frames, frames.skipped
        self._offsets = dict(itertools.islice(OFFSETS.items(), count))
        places = {_place(frames.name(index)): index for index in range(len(frames))}
        self._groups = []
        for (video, number), index in sorted(places.items()):
            beside = [places.get((video, number + offset)) for offset in self._offsets.values()]
            if None not in beside:
                self._groups.append((index, *beside))
        if not self._groups:
            raise ValueError(
                "no two frames follow each other; neighbours have names like video/0001 and "
                f"video/0002, got {frames.name(0) if len(frames) else 'none'}"
            )

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Example:
        here, *beside = self._groups[index]
        first = self._frames[here]
        found = {name: first[name] for name in first if name in PICTURES}
        for prefix, place in zip(self._offsets, beside, strict=True):
            other = self._frames[place]
            for name in ("blurry", "sharp"):
                if other[name].shape != first[name].shape:
                    raise ValueError(
                        f"{self._frames.name(place)}: {name} is {list(other[name].shape)}, "
                        f"expected {list(first[name].shape)} as of {self._frames.name(here)}; "
                        "videos have frames of one size"
                    )
                found[f"{prefix}_{name}"] = other[name]
        return found

    def name(self, index: int) -> str:
        """Returns what the frame in question is called."""
        return self._frames.name(self._groups[index][0])


def _place(name: str) -> tuple[str, int]:
    path = PurePosixPath(name)
    numbers = re.findall(r"\d+", path.name)
    return str(path.parent), int(numbers[-1]) if numbers else -1
