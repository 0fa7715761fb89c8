"""What an example is: arrays by name, the same names in files, records, batches and simulations.

    sharp, blurry                  [h, w, 3]      a picture
    next_sharp, next_blurry        [h, w, 3]      the one that follows it in a video
    previous_sharp, previous_blurry               the one before it
    frames                         [n, h, w, 3]   pictures in a row
    mask                           [h, w, 1]      white where something is so
    flow, backward_flow            [h, w, 2]      motion in pixels, (u right, v down)
    segments                       [h, w]         integers: which object is seen
    segmentations                  [n, h, w]      the same, as seen by several people
    kernels                        [k, s, s]      correlation kernels, odd s

Pictures and masks are uint8 in a source and float32 in [0, 1] in a batch.
"""

from typing import Protocol

import numpy as np


Example = dict[str, np.ndarray]

PICTURES = (
    "sharp", "blurry", "next_sharp", "next_blurry", "previous_sharp", "previous_blurry", "frames",
    "mask",
)  # fmt: skip
FLOWS = ("flow", "backward_flow")
LABELS = ("segments", "segmentations")
KERNELS = ("kernels",)


class Source(Protocol):
    """Examples by index.

    Attributes:
        skipped: one line for each thing that was left out because it is bad.
    """

    skipped: tuple[str, ...]

    def __len__(self) -> int:
        """Returns how many there are."""
        ...

    def __getitem__(self, index: int) -> Example:
        """Returns one."""
        ...

    def name(self, index: int, /) -> str:
        """Returns what an example is called, after its file."""
        ...


def plane(name: str) -> tuple[int, int]:
    """Returns which axes of the array of this name are rows and columns, counted from the end.

    Raises:
        ValueError: if no array of an example has this name.
    """
    if name in PICTURES or name in FLOWS:
        return -3, -2
    if name in LABELS or name in KERNELS:
        return -2, -1
    known = sorted(PICTURES + FLOWS + LABELS + KERNELS)
    raise ValueError(f"the arrays of an example are named {known}, got {name!r}")


def size_of(example: Example) -> tuple[int, int]:
    """Returns the rows and columns of what is pictured."""
    for name, array in example.items():
        if name not in KERNELS:
            rows, columns = plane(name)
            return array.shape[rows], array.shape[columns]
    raise ValueError(f"an example holds a picture, got {sorted(example)}")
