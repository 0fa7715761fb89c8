"""A profiler trace of a few steps."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax


SETTLED = 2  # steps before a trace: the first compiles
FOLDER = "profile"


@contextlib.contextmanager
def profiled(steps: int, workdir: Path) -> Iterator[Callable[[int, Any], None]]:
    """Writes a trace of `steps` steps to `workdir/profile`, whole even if the run ends before.

    Yields:
        What is to be told, after each step, its number in this run from 1 and what it returned.
    """
    running = False

    def after(number: int, results: Any) -> None:
        nonlocal running
        if steps and number == SETTLED:
            jax.block_until_ready(results)
            jax.profiler.start_trace(str(workdir / FOLDER))
            running = True
        elif running and number == SETTLED + steps:
            jax.block_until_ready(results)
            jax.profiler.stop_trace()
            running = False

    try:
        yield after
    finally:
        if running:
            jax.profiler.stop_trace()
