"""Data parallelism over the devices of one or many processes.

The state is the same on every device and has no device axis, so it can be saved, restored and
printed as it is; only the batch is split. Example `i` of a batch is on the device of rank
`i mod D`, whether one process holds the D devices or many do, so it is given the same random key.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from deblur_jax.training.step import DEVICES


Devices = Sequence[Any]  # of jax.Device, which type checkers do not take for a class

PARALLEL = ("pmap", "shard_map")
EVERYWHERE, SHARED_OUT = PartitionSpec(), PartitionSpec(DEVICES)


def over_devices(step: Callable, devices: Devices, *, parallel: str) -> Callable:
    """Map a `(state, batch) -> (state, metrics)` step over `devices`; the old state is donated.

    Args:
        step: takes the state, and one device's share of the batch without a device axis.
        devices: of all processes.
        parallel: `pmap`, or `shard_map` over a mesh of one axis. Both give the same numbers;
            `pmap` is implemented by `shard_map` and in maintenance mode.
    """
    if parallel == "pmap":
        axes = {"in_axes": (None, 0), "out_axes": None}
        return jax.pmap(step, axis_name=DEVICES, donate_argnums=0, devices=devices, **axes)
    if parallel == "shard_map":
        mapped = jax.shard_map(
            lambda state, batch: step(state, jax.tree.map(lambda x: x[0], batch)),
            mesh=_mesh(devices),
            in_specs=(EVERYWHERE, SHARED_OUT),
            out_specs=EVERYWHERE,
            check_vma=False,
        )
        return jax.jit(mapped, donate_argnums=0)
    raise ValueError(f"config.parallel must be one of {sorted(PARALLEL)}, got {parallel!r}")


@functools.lru_cache(maxsize=8)
def over_examples(score: Callable[..., Any], devices: tuple[Any, ...]) -> Callable[..., Any]:
    """Map a function `(variables, *example)` over one example for each of this process's devices.

    The function that is returned takes the variables, as `on_all` places them, and a tuple of
    arrays whose first axis has one entry for each device; so have its results.
    """

    def one(variables: Any, examples: Any) -> Any:
        results = score(variables, *jax.tree.map(lambda x: x[0], examples))
        return jax.tree.map(lambda x: x[None], results)

    return jax.jit(
        jax.shard_map(
            one,
            mesh=_mesh(devices),
            in_specs=(EVERYWHERE, SHARED_OUT),
            out_specs=SHARED_OUT,
            check_vma=False,
        )
    )


def on_all(tree: Any, devices: Devices) -> Any:
    """Copy every array to all `devices`, which are of this process."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), EVERYWHERE))


def local_copy(tree: Any) -> Any:
    """Return arrays that are the same on all devices, on the first device of this process."""
    device = jax.local_devices()[0]
    return jax.tree.map(lambda x: jax.device_put(x.addressable_data(0), device), tree)


def split_batch(batch: Any, devices: Devices, *, parallel: str = "pmap") -> Any:
    """Put this process's arrays `[b, ...]` on its devices, as `[devices, b / devices, ...]`."""
    ours = [device for device in devices if device.process_index == jax.process_index()]
    sharding = NamedSharding(_mesh(ours), SHARED_OUT)

    def split(array: np.ndarray) -> jax.Array:
        shares = array.reshape(-1, len(ours), *array.shape[1:]).swapaxes(0, 1)
        return jax.device_put(shares, sharding)

    shares = jax.tree.map(split, batch)
    if parallel == "shard_map" and len(ours) < len(devices):
        return multihost_utils.host_local_array_to_global_array(shares, _mesh(devices), SHARED_OUT)
    return shares


def check_batch_size(batch_size: int, devices: Devices, *, accumulate: int = 1) -> None:
    """Raise a ValueError if the batch size does not divide by the devices and parts."""
    if batch_size < 1:
        raise ValueError(f"batches.batch_size must be at least 1, got {batch_size}")
    if accumulate < 1:
        raise ValueError(f"config.accumulate must be at least 1, got {accumulate}")
    unit = len(devices) * accumulate
    if batch_size % unit:
        parts = f" times {accumulate} parts each" if accumulate > 1 else ""
        raise ValueError(
            f"batches.batch_size must divide by the number of devices, got {batch_size} examples "
            f"for {len(devices)} devices{parts}; take a multiple of {unit}"
        )


def replicate(tree: Any, devices: Devices) -> Any:
    """Copy every array, equal in every process, to all `devices`."""
    sharding = NamedSharding(_mesh(devices), EVERYWHERE)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(x.shape, sharding, lambda _: np.asarray(x)), tree
    )


def joined(tree: Any, devices: Devices) -> Any:
    """Return this process's results of `pmap` as arrays over the devices of all, uncopied."""
    if jax.process_count() == 1:
        return tree
    sharding = NamedSharding(_mesh(devices), EVERYWHERE)

    def join(x: jax.Array) -> jax.Array:
        if not x.is_fully_addressable:
            return x
        shards = [shard.data for shard in x.addressable_shards]
        return jax.make_array_from_single_device_arrays(x.shape, sharding, shards)

    return jax.tree.map(join, tree)


def _mesh(devices: Devices) -> Mesh:
    return Mesh(np.asarray(devices), (DEVICES,))
