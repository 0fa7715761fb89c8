"""Several estimates at the same time: a compiled program of transforms keeps one core busy."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax


AT_ONCE = min(4, os.cpu_count() or 1)

Found = TypeVar("Found")


def in_order(find: Callable[..., Found], *given: Sequence[Any]) -> Iterator[Found]:
    """Yield `find(*entry)` for each entry of the sequences, in order.

    Up to `AT_ONCE` are found at the same time, on the default device of the calling thread. When
    the iteration ends early, those that were not begun are never found.
    """
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]

    def find_here(*entry: Any) -> Found:
        with jax.default_device(device):
            return find(*entry)

    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield from pool.map(find_here, *given)
    finally:
        pool.shutdown(cancel_futures=True)
