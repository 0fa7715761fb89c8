"""Crops, turns and reflections of an example, with its flow and kernels moved as the image is.

Blurring and then turning gives what turning everything and then blurring gives. Under a quarter
turn counter-clockwise the motion (u, v) becomes (v, -u), under a left-right reflection (-u, v).
Correlation kernels are indexed by displacements in the image, so they are turned as it is.
"""

import dataclasses

import cv2
import grain
import numpy as np

from deblur_jax.data.examples import FLOWS, KERNELS, LABELS, PICTURES, Example, plane, size_of


def turned(example: Example, quarters: int, mirror: bool) -> Example:
    """Turns an example counter-clockwise by quarters of a circle, then reflects it left-right.

    Args:
        example: arrays by name, see `data.examples`.
        quarters: how many quarter turns.
        mirror: whether to reflect.
    """
    moved = {}
    for name, array in example.items():
        axes = plane(name)
        array = np.rot90(array, quarters, axes)
        array = np.flip(array, axes[1]) if mirror else array
        if name in FLOWS:
            u, v = array[..., 0], array[..., 1]
            for _ in range(quarters % 4):
                u, v = v, -u
            array = np.stack([-u if mirror else u, v], axis=-1)
        moved[name] = array
    return moved


def shrunk(example: Example, size: int) -> Example:
    """Shrinks a square example by area averaging, its flow's lengths with it.

    Segments keep the number at the nearest place.

    Raises:
        ValueError: if it has kernels, which cannot be shrunk so.
    """
    if any(name in example for name in KERNELS):
        raise ValueError("kernels cannot be shrunk with their image; set largest_scale to 1")
    side = size_of(example)[0]
    nearest = ((np.arange(size) + 0.5) * side / size).astype(int)
    small = {}
    for name, array in example.items():
        if name in LABELS:
            small[name] = array[..., nearest, :][..., nearest]
            continue
        channels = array.shape[-1]
        planes = np.ascontiguousarray(array).reshape(-1, side, side, channels)
        planes = [cv2.resize(each, (size, size), interpolation=cv2.INTER_AREA) for each in planes]
        small[name] = np.stack(planes).reshape(*array.shape[:-3], size, size, channels)
        if name in FLOWS:
            small[name] *= size / side
    return small


@dataclasses.dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """Cuts the same square out of all of an example, at a random place, scale, turn and reflection.

    Of several people's segmentations one is chosen.

    Attributes:
        size: side of the crop in pixels.
        largest_scale: the square cut out is up to this many times `size` (less in a small photo),
            and is shrunk to `size` by area averaging; the scale is log-uniform.
        permute_channels: whether the colours are put in a random order, the same in all pictures.
    """

    size: int
    largest_scale: float
    permute_channels: bool = False

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride]  grain's stub says None
        self, element: Example, rng: np.random.Generator
    ) -> Example:
        """Returns the crop, its pictures float32 in [0, 1] and its segments int32."""
        height, width = size_of(element)
        if min(height, width) < self.size:
            raise ValueError(
                f"a crop of {self.size} pixels does not fit in {width}x{height}; make "
                "batches.crop smaller or source.smallest larger"
            )
        largest = min(self.largest_scale, min(height, width) / self.size)
        side = min(round(self.size * np.exp(rng.uniform(0, np.log(largest)))), height, width)
        row, column = rng.integers(height - side + 1), rng.integers(width - side + 1)
        place = (slice(row, row + side), slice(column, column + side))
        crop = {name: _cut(name, array, place) for name, array in element.items()}
        crop = crop if side == self.size else shrunk(crop, self.size)
        crop = turned(crop, int(rng.integers(4)), bool(rng.random() < 0.5))
        if "segmentations" in crop:
            people = crop.pop("segmentations")
            crop["segments"] = people[rng.integers(len(people))]
        channels = rng.permutation(3) if self.permute_channels else np.arange(3)
        return {name: _finished(name, array, channels) for name, array in crop.items()}


def _cut(name: str, array: np.ndarray, place: tuple[slice, slice]) -> np.ndarray:
    if name in KERNELS:
        return array
    return array[(..., *place, *[slice(None)] * (-1 - plane(name)[1]))]


def _finished(name: str, array: np.ndarray, channels: np.ndarray) -> np.ndarray:
    if name in LABELS:
        return np.ascontiguousarray(array, np.int32)
    if name not in PICTURES:
        return np.ascontiguousarray(array, np.float32)
    array = array if array.shape[-1] == 1 else array[..., channels]
    return np.ascontiguousarray(array, np.float32) / 255
