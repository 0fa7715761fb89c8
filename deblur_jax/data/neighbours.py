"""Two neighbouring frames of a video as one example."""

import re
from pathlib import PurePosixPath

from deblur_jax.data.examples import PICTURES, Example, Source


class NeighbourSource:
    """Frames with the ones that follow them: `sharp`, `blurry`, `next_sharp`, `next_blurry`.

    A frame follows another one if it lies in the same folder and its number is one higher; the
    number is the last one in its name. The last frame of a video begins no example.

    Attributes:
        skipped: what the frames' source left out.
    """

    def __init__(self, frames: Source):
        """Finds the neighbours by their names.

        Raises:
            ValueError: if no two frames follow each other.
        """
        self._frames, self.skipped = frames, frames.skipped
        places = {_place(frames.name(index)): index for index in range(len(frames))}
        self._pairs = [
            (index, places[video, number + 1])
            for (video, number), index in sorted(places.items())
            if (video, number + 1) in places
        ]
        if not self._pairs:
            raise ValueError(
                "no two frames follow each other; neighbours have names like video/0001 and "
                f"video/0002, got {frames.name(0) if len(frames) else 'none'}"
            )

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Example:
        first, second = (self._frames[each] for each in self._pairs[index])
        for name, array in first.items():
            if name in second and second[name].shape != array.shape:
                raise ValueError(
                    f"{self._frames.name(self._pairs[index][1])}: {name} is "
                    f"{list(second[name].shape)}, expected {list(array.shape)} as of the frame "
                    "before; videos have frames of one size"
                )
        following = {f"next_{name}": second[name] for name in ("sharp", "blurry")}
        return {name: first[name] for name in first if name in PICTURES} | following

    def name(self, index: int) -> str:
        """Returns what the first of two frames is called."""
        return self._frames.name(self._pairs[index][0])


def _place(name: str) -> tuple[str, int]:
    path = PurePosixPath(name)
    numbers = re.findall(r"\d+", path.name)
    return str(path.parent), int(numbers[-1]) if numbers else -1
