"""Endless, shuffled, sharded batches of random crops.

The stream is a function of the seed and the position. Crops are drawn before the stream is sharded,
so it does not depend on the number of processes or workers, and a resumed run starts at its step
without replaying the stream.
"""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np

from deblur_jax.data.augment import CentreCrop, RandomCrop
from deblur_jax.data.checks import check_option
from deblur_jax.data.examples import NumpyExample, Source


PLACES = ("random", "centre")


def exit_with_parent(worker_index: int, worker_count: int) -> None:
    """Makes a worker exit when its parent is killed; otherwise it would keep its output open."""
    del worker_index, worker_count
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def training_batches(
    source: Source,
    *,
    seed: int,
    crop: int,
    largest_scale: float,
    batch_size: int,
    workers: int,
    place: str = "random",
    permute_channels: bool = False,
    group: int = 0,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[NumpyExample]:
    """Returns an endless iterator over this process's share of the batches.

    Args:
        source: examples by index.
        seed: random seed of the order and the crops.
        crop: side of the crops in pixels.
        largest_scale: largest scale of the random downsampling, see `RandomCrop`; 1 for none.
        batch_size: number of examples in a batch, over all processes.
        workers: number of processes that decode and crop; 0 uses threads of this process.
        place: "random" takes crops anywhere, in random scale and orientation, see `RandomCrop`;
            "centre" takes the middle of each example as it is.
        permute_channels: whether to permute the colour channels.
        group: number of crops of different photos that form one example, for the layers of
            `simulate.scenes`; 0 for single crops without a group axis.
        start_step: index of the first batch.
        process_index: index of this process.
        process_count: number of processes that share each batch.

    Returns:
        Batches of the source's arrays, with the axes `[b, ...]` or `[b, group, ...]`, where b is
        `batch_size / process_count`. Pictures are float32 in [0, 1].

    Raises:
        ValueError: if the number of processes does not divide the batch size, or exceeds the number
            of examples; also if `place` is unknown, or "centre" with an augmentation.
    """
    if batch_size % process_count:
        raise ValueError(
            f"batches.batch_size must be a multiple of the number of processes, got {batch_size} "
            f"for {process_count}"
        )
    if len(source) < process_count:
        raise ValueError(
            f"each process needs at least one example, got {len(source)} examples for "
            f"{process_count} processes; add examples or use fewer processes"
        )
    dataset = grain.MapDataset.source(source).seed(seed).shuffle().repeat()
    dataset = dataset.random_map(_cropping(place, crop, largest_scale, permute_channels))
    dataset = dataset.batch(group, drop_remainder=True) if group else dataset
    dataset = dataset[process_index::process_count]
    dataset = dataset.batch(batch_size // process_count, drop_remainder=True)[start_step:]
    dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4))
    if workers:
        options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
        dataset = dataset.mp_prefetch(options, exit_with_parent)
    return _copied(iter(dataset))


def _cropping(
    place: str, crop: int, largest_scale: float, permute_channels: bool
) -> RandomCrop | CentreCrop:
    check_option("batches.place", place, PLACES)
    if place == "random":
        return RandomCrop(crop, largest_scale, permute_channels)
    if largest_scale != 1 or permute_channels:
        raise ValueError(
            "batches.place=centre takes crops as they are; set batches.largest_scale to 1 and "
            "batches.permute_channels to False"
        )
    return CentreCrop(crop)


def _copied(batches: Any) -> Iterator[NumpyExample]:
    """Yields copies of the batches, because workers reuse their shared memory."""
    try:
        for batch in batches:
            yield {name: np.array(array) for name, array in batch.items()}
    finally:
        batches.close()
