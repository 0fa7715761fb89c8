"""Fields of a prepared example: how their files are checked and stored."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from deblur_jax.data.checks import describe_size
from deblur_jax.data.pairs import read_kernels
from deblur_jax.io.flow import read_flow
from deblur_jax.io.images import read_grey, read_orientation, read_rgb


@dataclasses.dataclass(frozen=True)
class Field:
    """One array of an example.

    Attributes:
        read: converts a file to the stored value, and returns it with its `(height, width)`, or
            None if it has no pixels. Raises an OSError or ValueError that names a bad file.
        feature: creates the tfds feature.
    """

    read: Callable[[Any], tuple[Any, tuple[int, int] | None]]
    feature: Callable[[], Any]


def _store_image(path: Path) -> tuple[bytes, tuple[int, int]]:
    pixels = read_rgb(path)
    return path.read_bytes() if read_orientation(path) == 1 else _png(pixels), pixels.shape[:2]


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _store_frames(paths: list[Path]) -> tuple[list[bytes], tuple[int, int]]:
    stored, size = [], None
    for path in paths:
        data, found = _store_image(path)
        size = size or found
        if found != size:
            raise ValueError(
                f"{path}: {describe_size(found)}, expected {describe_size(size)} as in {paths[0]}"
            )
        stored.append(data)
    return stored, size or (0, 0)


def _store_mask(path: Path) -> tuple[bytes, tuple[int, int]]:
    mask = read_grey(path)
    return _png(np.where(mask > 127, np.uint8(255), np.uint8(0))), mask.shape


def _store_flow(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    flow = read_flow(path)
    return flow, flow.shape[:2]


def _tensor(shape: tuple[int | None, ...], dtype: Any) -> Callable[[], Any]:
    return lambda: tfds.features.Tensor(shape=shape, dtype=dtype, encoding="zlib")


def _image(channels: int) -> Callable[[], Any]:
    return lambda: tfds.features.Image(shape=(None, None, channels))


IMAGE = Field(_store_image, _image(3))
FRAMES = Field(_store_frames, lambda: tfds.features.Sequence(_image(3)()))
MASK = Field(_store_mask, _image(1))
FLOW = Field(_store_flow, _tensor((None, None, 2), np.float32))
KERNELS = Field(lambda path: (read_kernels(path), None), _tensor((None, None, None), np.float32))
PAIR = {"blurry": IMAGE, "sharp": IMAGE}
