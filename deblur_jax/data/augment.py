"""Crops, turns and reflections of a pair, with its flow and kernels moved as the image is.

Blurring and then turning gives what turning everything and then blurring gives. Under a quarter
turn counter-clockwise the motion (u, v) becomes (v, -u), under a left-right reflection (-u, v).
Correlation kernels are indexed by displacements in the image, so they are turned as it is.
"""

import dataclasses

import grain
import numpy as np

from deblur_jax.data.pairs import Pair


IMAGES = ("blurry", "sharp")
MAPS = (*IMAGES, "flow")  # what has a value for each pixel


def turned(pair: Pair, quarters: int, mirror: bool) -> Pair:
    """Turns a pair counter-clockwise by quarters of a circle, then reflects it left-right.

    Args:
        pair: `[h, w, c]` arrays by name; of them `flow` is `[h, w, 2]`, and `kernels` is
            `[k, s, s]`.
        quarters: how many quarter turns.
        mirror: whether to reflect.
    """
    moved = {}
    for name, array in pair.items():
        rows, columns = (0, 1) if name in MAPS else (1, 2)
        array = np.rot90(array, quarters, (rows, columns))
        moved[name] = np.flip(array, columns) if mirror else array
    if "flow" in moved:
        u, v = moved["flow"][..., 0], moved["flow"][..., 1]
        for _ in range(quarters % 4):
            u, v = v, -u
        moved["flow"] = np.stack([-u if mirror else u, v], axis=-1)
    return moved


@dataclasses.dataclass(frozen=True)
class RandomPairCrop(grain.transforms.RandomMap):
    """Cuts the same square out of all of a pair, at a random place, turn and reflection.

    Attributes:
        size: side of the crop in pixels.
        permute_channels: whether the colours are put in a random order, the same in both images.
    """

    size: int
    permute_channels: bool = False

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride]  grain's stub says None
        self, element: Pair, rng: np.random.Generator
    ) -> Pair:
        """Returns the pair with images `[size, size, 3]` float32 in [0, 1]."""
        height, width = element["blurry"].shape[:2]
        if min(height, width) < self.size:
            raise ValueError(
                f"a crop of {self.size} pixels does not fit in a pair of {width}x{height}; "
                "make batches.crop smaller or leave the pair out"
            )
        row, column = rng.integers(height - self.size + 1), rng.integers(width - self.size + 1)
        crop = {
            name: array[row : row + self.size, column : column + self.size]
            if name in MAPS
            else array
            for name, array in element.items()
        }
        crop = turned(crop, int(rng.integers(4)), bool(rng.random() < 0.5))
        channels = rng.permutation(3) if self.permute_channels else np.arange(3)
        for name in IMAGES:
            crop[name] = crop[name][..., channels].astype(np.float32) / 255
        return {name: np.ascontiguousarray(array) for name, array in crop.items()}
