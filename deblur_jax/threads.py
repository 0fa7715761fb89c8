"""Several computations at the same time: a compiled program of transforms keeps one core busy."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax


AT_ONCE = min(4, os.cpu_count() or 1)

Found = TypeVar("Found")


def in_order(
    find: Callable[..., Found],
    *given: Sequence[Any],
    at_once: int = AT_ONCE,
    devices: Sequence[Any] = (),
) -> Iterator[Found]:
    """Yield `find(*entry)` for each entry of the sequences, in order.

    When the iteration ends early, those that were not begun are never computed.

    Args:
        find: the computation.
        given: its arguments, a sequence for each.
        at_once: how many run at the same time.
        devices: that the entries are shared among in turn; the default device of the calling thread
            if empty.
    """
    # Both may be set for the calling thread only.
    default = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    double = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]

    def find_on(device: Any, *entry: Any) -> Found:
        with jax.default_device(device), jax.enable_x64(double):
            return find(*entry)

    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(find_on, itertools.cycle(devices or (default,)), *given)
    finally:
        pool.shutdown(cancel_futures=True)


def accelerators() -> list[Any]:
    """Return the devices of this process among which independent work is shared.

    They are all accelerators, unless a default device is set. Computations at the same time share
    the cores of a CPU already, so its devices are left out.
    """
    chosen = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if chosen is not None or jax.default_backend() == "cpu":
        return []
    return jax.local_devices()
