"""Examples: arrays by name, with the same names in files, records, batches and simulations.

    sharp, blurry                    [h, w, 3]      a picture
    next_sharp, next_blurry          [h, w, 3]      the next frame of a video
    previous_sharp, previous_blurry  [h, w, 3]      the previous frame of a video
    frames                           [n, h, w, 3]   consecutive frames
    mask                             [h, w, 1]      a binary mask
    flow, backward_flow              [h, w, 2]      motion in pixels, (u right, v down)
    segments                         [h, w]         integer labels of objects
    segmentations                    [n, h, w]      labels by several annotators
    kernels                          [k, s, s]      correlation kernels, odd s

Pictures and masks are uint8 in a source and float32 in [0, 1] in a batch.
"""

from typing import Protocol

import numpy as np


NumpyExample = dict[str, np.ndarray]  # on the device it is a `simulate.training_sets.Example`

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
        skipped: a message for each bad example that was left out.
    """

    skipped: tuple[str, ...]

    def __len__(self) -> int:
        """Returns the number of examples."""
        ...

    def __getitem__(self, index: int) -> NumpyExample:
        """Returns an example."""
        ...

    def name(self, index: int, /) -> str:
        """Returns the name of an example, from its file."""
        ...


def plane(name: str) -> tuple[int, int]:
    """Returns the (negative) axes of rows and columns of the array of this name.

    Raises:
        ValueError: if no array of an example has this name.
    """
    if name in PICTURES or name in FLOWS:
        return -3, -2
    if name in LABELS or name in KERNELS:
        return -2, -1
    known = sorted(PICTURES + FLOWS + LABELS + KERNELS)
    raise ValueError(f"the arrays of an example are named {known}, got {name!r}")


def size_of(example: NumpyExample) -> tuple[int, int]:
    """Returns the height and width of the pictures."""
    for name, array in example.items():
        if name not in KERNELS:
            rows, columns = plane(name)
            return array.shape[rows], array.shape[columns]
    raise ValueError(f"an example must have a picture, got {sorted(example)}")
