"""From examples by index to endless, shuffled, sharded batches of crops.

The stream is a function of (seed, position): each example's crop is drawn by its position in the
whole stream, before the processes share the stream out, so neither the number of processes nor of
workers changes it, and a run that resumes at a step starts there without replaying anything.
"""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import grain
import numpy as np

from deblur_jax.data.augment import RandomCrop
from deblur_jax.data.examples import Example, Source


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
    source: Source,
    *,
    seed: int,
    crop: int,
    largest_scale: float,
    batch_size: int,
    workers: int,
    permute_channels: bool = False,
    group: int = 0,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Example]:
    """Returns an endless iterator over this process's share of the batches.

    Args:
        source: the examples.
        seed: of the order and the crops.
        crop: side of the crops in pixels.
        largest_scale: how many times larger the piece may be that is shrunk to a crop; 1 for
            pieces as they are.
        batch_size: examples in a batch over all processes.
        workers: processes that decode and crop beside the training process; 0 for threads in it.
        permute_channels: whether the colours are put in a random order.
        group: how many crops of different photos make one example, for the layers of
            `simulate.scenes`; 0 for one without the axis of a group.
        start_step: the first batch to give, counted from 0.
        process_index: which share is this process's.
        process_count: how many processes share each batch.

    Returns:
        Batches of the arrays that the source's examples have, with the axis `b = batch_size /
        process_count` before the others, and then the axis of a group if there is one. Pictures
        are float32 in [0, 1].

    Raises:
        ValueError: if the batch does not divide by the processes, or there are fewer examples
            than processes.
    """
    if batch_size % process_count:
        raise ValueError(
            f"batches.batch_size must divide by the number of processes, got {batch_size} "
            f"for {process_count}"
        )
    if len(source) < process_count:
        raise ValueError(
            f"each process needs one of the examples, got {len(source)} examples for "
            f"{process_count} processes; add some or use fewer processes"
        )
    dataset = grain.MapDataset.source(source).seed(seed).shuffle().repeat()
    dataset = dataset.random_map(RandomCrop(crop, largest_scale, permute_channels))
    dataset = dataset.batch(group, drop_remainder=True) if group else dataset
    dataset = dataset[process_index::process_count]
    dataset = dataset.batch(batch_size // process_count, drop_remainder=True)[start_step:]
    dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4))
    if workers:
        options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
        dataset = dataset.mp_prefetch(options, die_with_parent)
    return _copied(iter(dataset))


def _copied(batches: Any) -> Iterator[Example]:
    """Yields copies: workers hand batches over in shared memory that they use again."""
    try:
        for batch in batches:
            yield {name: np.array(array) for name, array in batch.items()}
    finally:
        batches.close()
