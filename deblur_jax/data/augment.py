"""Crops, rotations and reflections of an example, including its flow and kernels.

The transforms are equivariant: transforming all arrays of an example commutes with blurring. A
counter-clockwise quarter turn maps the motion (u, v) to (v, -u), and a left-right reflection maps
it to (-u, v). Correlation kernels are indexed by displacements in the image, so they are rotated
like the image.
"""

import dataclasses

import cv2
import grain
import numpy as np

from deblur_jax.data.examples import FLOWS, KERNELS, LABELS, PICTURES, NumpyExample, plane, size_of


def turned(example: NumpyExample, quarters: int, mirror: bool) -> NumpyExample:
    """Rotates an example counter-clockwise by quarter turns, then reflects it left-right.

    Args:
        example: arrays by name, see `data.examples`.
        quarters: number of quarter turns.
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


def shrunk(example: NumpyExample, size: int) -> NumpyExample:
    """Downsamples a square example to `size` pixels a side by area averaging.

    The values of flows are scaled, too. Segments are sampled at the nearest pixel.

    Raises:
        ValueError: if the example has kernels, which cannot be resized.
    """
    if any(name in example for name in KERNELS):
        raise ValueError("kernels cannot be resized with their image; set largest_scale to 1")
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
    """Crops a random square from all arrays of an example, with a random scale and orientation.

    One of several `segmentations` is chosen at random.

    Attributes:
        size: side of the crop in pixels.
        largest_scale: largest side of the cropped square in units of `size`, less for a small
            photo. The square is downsampled to `size`; its scale is log-uniform.
        permute_channels: whether to permute the colour channels, in all pictures alike.
    """

    size: int
    largest_scale: float
    permute_channels: bool = False

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride]  grain's stub says None
        self, element: NumpyExample, rng: np.random.Generator
    ) -> NumpyExample:
        """Returns the crop, with pictures as float32 in [0, 1] and segments as int32."""
        height, width = _fitting(element, self.size)
        largest = min(self.largest_scale, min(height, width) / self.size)
        side = min(round(self.size * np.exp(rng.uniform(0, np.log(largest)))), height, width)
        row, column = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = _cut_all(element, row, column, side)
        crop = crop if side == self.size else shrunk(crop, self.size)
        crop = turned(crop, int(rng.integers(4)), bool(rng.random() < 0.5))
        crop = _with_one_segmentation(crop, rng)
        channels = rng.permutation(3) if self.permute_channels else np.arange(3)
        return {name: _finished(name, array, channels) for name, array in crop.items()}


@dataclasses.dataclass(frozen=True)
class CentreCrop(grain.transforms.RandomMap):
    """Crops the middle square from all arrays of an example, at its scale and orientation.

    One of several `segmentations` is chosen at random.

    Attributes:
        size: side of the crop in pixels.
    """

    size: int

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride]  grain's stub says None
        self, element: NumpyExample, rng: np.random.Generator
    ) -> NumpyExample:
        """Returns the crop, with pictures as float32 in [0, 1] and segments as int32."""
        height, width = _fitting(element, self.size)
        crop = _cut_all(element, (height - self.size) // 2, (width - self.size) // 2, self.size)
        crop = _with_one_segmentation(crop, rng)
        return {name: _finished(name, array, np.arange(3)) for name, array in crop.items()}


def _fitting(example: NumpyExample, size: int) -> tuple[int, int]:
    """Returns the height and width of an example; raises a ValueError if a crop does not fit."""
    height, width = size_of(example)
    if min(height, width) < size:
        raise ValueError(
            f"a crop of {size} pixels does not fit into {width}x{height}; decrease "
            "batches.crop or increase source.smallest"
        )
    return height, width


def _cut_all(example: NumpyExample, row: int, column: int, side: int) -> NumpyExample:
    place = (slice(row, row + side), slice(column, column + side))
    return {name: _cut(name, array, place) for name, array in example.items()}


def _with_one_segmentation(example: NumpyExample, rng: np.random.Generator) -> NumpyExample:
    """Returns an example with one of its annotators' `segmentations` as `segments`."""
    if "segmentations" not in example:
        return example
    annotators = example["segmentations"]
    others = {name: array for name, array in example.items() if name != "segmentations"}
    return {**others, "segments": annotators[rng.integers(len(annotators))]}


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
