"""From photos by index to endless, shuffled, sharded batches of crops.

The stream is a function of (seed, position): each photo's crop is drawn by its position in the
whole stream, before the processes share the stream out, so neither the number of processes nor of
workers changes it, and a run that resumes at a step starts there without replaying anything.
"""

import dataclasses
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

import cv2
import grain
import numpy as np

from deblur_jax.data.augment import RandomPairCrop
from deblur_jax.data.pairs import Pair
from deblur_jax.data.sources import PhotoSource


class Pairs(Protocol):
    """Pairs by index: arrays by name, among them `blurry` and `sharp`, `[h, w, 3]` uint8."""

    def __len__(self) -> int:
        """Returns how many there are."""
        ...

    def __getitem__(self, index: int, /) -> Pair:
        """Returns one."""
        ...


@dataclasses.dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """Cuts a square out of a photo, at a random place, scale, turn and reflection.

    Attributes:
        size: side of the crop in pixels.
        largest_scale: the square cut out is up to this many times `size` (less in a small photo),
            and is shrunk to `size` by area averaging; the scale is log-uniform.
    """

    size: int
    largest_scale: float

    def random_map(  # pyright: ignore[reportIncompatibleMethodOverride]  grain's stub says None
        self, element: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Returns the crop, `[size, size, 3]` float32 in [0, 1]."""
        height, width = element.shape[:2]
        largest = min(self.largest_scale, min(height, width) / self.size)
        side = min(round(self.size * np.exp(rng.uniform(0, np.log(largest)))), height, width)
        row, column = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = element[row : row + side, column : column + side]
        if side != self.size:
            crop = cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_AREA)
        crop = np.rot90(crop, int(rng.integers(4)))
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return np.ascontiguousarray(crop, np.float32) / 255


def die_with_parent(worker_index: int, worker_count: int) -> None:
    """Ends a worker whose parent was killed; workers would outlive it and hold its output open."""
    del worker_index, worker_count
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def training_batches(
    source: PhotoSource,
    *,
    seed: int,
    crop: int,
    largest_scale: float,
    batch_size: int,
    workers: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
    """Returns an endless iterator over this process's share of the batches.

    Args:
        source: the photos.
        seed: of the order and the crops.
        crop: side of the crops in pixels.
        largest_scale: see `RandomCrop`.
        batch_size: crops in a batch over all processes.
        workers: processes that decode and crop beside the training process; 0 for threads in it.
        start_step: the first batch to give, counted from 0.
        process_index: which share is this process's.
        process_count: how many processes share each batch.

    Returns:
        Batches `{"sharp": [b, crop, crop, 3]}` float32 in [0, 1], `b = batch_size / process_count`.

    Raises:
        ValueError: if the batch does not divide by the processes, or there are fewer photos than
            processes.
    """
    batches = _batches(
        source,
        RandomCrop(crop, largest_scale),
        things="photos",
        seed=seed,
        batch_size=batch_size,
        workers=workers,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
    )
    return ({"sharp": np.array(batch)} for batch in batches)


def pair_batches(
    source: Pairs,
    *,
    seed: int,
    crop: int,
    batch_size: int,
    workers: int,
    permute_channels: bool = False,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
    """Returns an endless iterator over this process's share of batches of pairs.

    Args:
        source: the pairs by index, `data.pairs.PairSource` or a prepared data set; each side at
            least `crop`.
        seed: of the order and the crops.
        crop: side of the crops in pixels.
        batch_size: crops in a batch over all processes.
        workers: processes that decode and crop beside the training process; 0 for threads in it.
        permute_channels: see `RandomPairCrop`.
        start_step: the first batch to give, counted from 0.
        process_index: which share is this process's.
        process_count: how many processes share each batch.

    Returns:
        Batches of `blurry` and `sharp`, `[b, crop, crop, 3]` float32 in [0, 1], and of `flow`,
        `[b, crop, crop, 2]`, and `kernels`, `[b, k, s, s]`, where the source has them.

    Raises:
        ValueError: if the batch does not divide by the processes, or there are fewer pairs than
            processes.
    """
    batches = _batches(
        source,
        RandomPairCrop(crop, permute_channels),
        things="pairs",
        seed=seed,
        batch_size=batch_size,
        workers=workers,
        start_step=start_step,
        process_index=process_index,
        process_count=process_count,
    )
    return ({name: np.array(array) for name, array in batch.items()} for batch in batches)


def _batches(
    source: Any,
    transform: grain.transforms.RandomMap,
    *,
    things: str,
    seed: int,
    batch_size: int,
    workers: int,
    start_step: int,
    process_index: int,
    process_count: int,
) -> Iterator[Any]:
    """Returns batches of what `transform` makes of `source`.

    They are to be copied: workers hand them over in shared memory that they use again.
    """
    if batch_size % process_count:
        raise ValueError(
            f"batches.batch_size must divide by the number of processes, got {batch_size} "
            f"for {process_count}"
        )
    if len(source) < process_count:
        raise ValueError(
            f"each process needs one of the {things}, got {len(source)} {things} for "
            f"{process_count} processes; add {things} or use fewer processes"
        )
    dataset = grain.MapDataset.source(source).seed(seed).shuffle().repeat()
    dataset = dataset.random_map(transform)
    dataset = dataset[process_index::process_count]
    dataset = dataset.batch(batch_size // process_count, drop_remainder=True)[start_step:]
    dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4))
    if workers:
        options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
        dataset = dataset.mp_prefetch(options, die_with_parent)
    return iter(dataset)
