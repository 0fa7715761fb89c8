"""Examples of neighbouring frames of a video."""

import itertools
import re
from pathlib import PurePosixPath

from deblur_jax.data.checks import check_option
from deblur_jax.data.examples import PICTURES, NumpyExample, Source


OFFSETS = {"next": 1, "previous": -1}  # of the neighbours' frame numbers


class NeighbourSource:
    """Frames with their neighbours: `sharp`, `blurry`, `next_sharp`, `next_blurry`, and so on.

    The next frame of a video lies in the same folder and has the next number; the number is the
    last one in its name. Frames without a neighbour, such as the last one of a video, are left out.

    Attributes:
        skipped: messages of the source of frames.
    """

    def __init__(self, frames: Source, count: int = 1):
        """Finds the neighbours by their names.

        Args:
            frames: source of single frames.
            count: 1 for the next frame, 2 for the next and the previous frame.

        Raises:
            ValueError: if no frame has its neighbours.
        """
        check_option("source.neighbours", count, range(1 + len(OFFSETS)))
        self._frames = frames
        self.skipped: tuple[str, ...] = frames.skipped
        self._offsets = dict(itertools.islice(OFFSETS.items(), count))
        places = {_place(frames.name(index)): index for index in range(len(frames))}
        self._groups = []
        for (video, number), index in sorted(places.items()):
            beside = [places.get((video, number + offset)) for offset in self._offsets.values()]
            if None not in beside:
                self._groups.append((index, *beside))
        if not self._groups:
            raise ValueError(
                "no frame has its neighbours; expected names like video/0001 and video/0002, "
                f"got {frames.name(0) if len(frames) else 'none'}"
            )

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> NumpyExample:
        here, *beside = self._groups[index]
        first = self._frames[here]
        found = {name: first[name] for name in first if name in PICTURES}
        for prefix, place in zip(self._offsets, beside, strict=True):
            other = self._frames[place]
            for name in ("blurry", "sharp"):
                if other[name].shape != first[name].shape:
                    raise ValueError(
                        f"{self._frames.name(place)}: {name} is {list(other[name].shape)}, "
                        f"expected {list(first[name].shape)} as in {self._frames.name(here)}; "
                        "the frames of a video must have one size"
                    )
                found[f"{prefix}_{name}"] = other[name]
        return found

    def name(self, index: int) -> str:
        """Returns the name of the frame."""
        return self._frames.name(self._groups[index][0])


def _place(name: str) -> tuple[str, int]:
    path = PurePosixPath(name)
    numbers = re.findall(r"\d+", path.name)
    return str(path.parent), int(numbers[-1]) if numbers else -1
