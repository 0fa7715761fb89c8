"""Data parallelism: the only file that knows how many devices there are.

`jax.pmap` is in maintenance mode and, since JAX 0.9.2, always `jit` of `shard_map` underneath.
Nothing outside this file would change if that were called directly.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from deblur_jax.training.step import DEVICES


Devices = Sequence[Any]  # of jax.Device, which is no class to a type checker


def over_devices(step: Callable, devices: Devices) -> Callable:
    """Maps a `(state, batch) -> (state, metrics)` step over `devices`.

    The state and the metrics are the same everywhere and carry no device axis, so they can be
    saved, restored and printed as they are; only the batch is split. The old state is consumed.
    """
    return jax.pmap(
        step,
        axis_name=DEVICES,
        in_axes=(None, 0),
        out_axes=None,
        donate_argnums=0,
        devices=devices,
    )


def split_batch(batch: Any, devices: Devices) -> Any:
    """Puts every array `[b, ...]` on the devices, as `[devices, b / devices, ...]`."""
    sharding = NamedSharding(_mesh(devices), PartitionSpec(DEVICES))

    def split(array: np.ndarray) -> jax.Array:
        shares = array.reshape(len(devices), -1, *array.shape[1:])
        return jax.device_put(shares, sharding)

    return jax.tree.map(split, batch)


def check_batch_size(batch_size: int, devices: Devices) -> None:
    """Raises a ValueError if a batch of this process cannot be shared out evenly."""
    if batch_size < 1:
        raise ValueError(f"batches.batch_size must be at least 1, got {batch_size}")
    if batch_size % len(devices):
        raise ValueError(
            f"batches.batch_size must divide by the number of devices, got {batch_size} examples "
            f"for {len(devices)} devices; take a multiple of {len(devices)}"
        )


def replicate(tree: Any, devices: Devices) -> Any:
    """Copies every array to all `devices`, so that the first step compiles once."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), PartitionSpec()))


def _mesh(devices: Devices) -> Mesh:
    return Mesh(np.asarray(devices), (DEVICES,))
