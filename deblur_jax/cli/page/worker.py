"""A process of its own for the work of the page, replaced when it dies.

Decoders can crash on damaged files, and the system kills processes that run out of memory. The
pool of `concurrent.futures` has one process and gets one call at a time, so that a death fails that
call only.
"""

import asyncio
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from typing import Any

from deblur_jax.cli.restore_photo import ENOUGH, seconds_left


SHARE, END, PROCESS, STOPPED = range(4)  # what the numbers of a board mean
NEW_BOARD = [0.0, 0.0, 0.0, 0.0]


class DiedError(Exception):
    """The process died."""


@dataclasses.dataclass(frozen=True)
class Pool:
    """One process.

    Attributes:
        executor: runs functions in it.
        board: shared numbers: the share of the call that is done, the time at which it should end
            (0 if unknown), the identifier of the process (0 before it has started), and whether it
            must end as soon as it has started.
        kill: ends the process.
    """

    executor: Executor
    board: Any  # a multiprocessing array; its type depends on the system
    kill: Callable[[], None]


own: threading.local = threading.local()  # `own.board` is the board of this process


def start_process() -> Pool:
    """Returns a pool of one process, which starts with the first call."""
    processes = multiprocessing.get_context("spawn")
    board = processes.RawArray("d", NEW_BOARD)
    executor = ProcessPoolExecutor(1, processes, initializer=begin, initargs=(board,))

    def kill() -> None:
        board[STOPPED] = 1.0
        if board[PROCESS]:
            os.kill(int(board[PROCESS]), signal.SIGKILL)

    return Pool(executor, board, kill)


def begin(board: Any) -> None:
    """Prepares a process of the page: it ignores Ctrl-C and ends when the server does."""
    own.board = board
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # two processes share a GPU
    server = multiprocessing.parent_process()
    if server is not None:
        threading.Thread(target=_end_after, args=(server,), daemon=True).start()
    board[PROCESS] = os.getpid()
    if board[STOPPED]:
        os._exit(1)


def _end_after(server: Any) -> None:
    server.join()
    os._exit(1)


def progress_on_board() -> Callable[[float], None]:
    """Returns a progress callback for the work of this process, which starts now."""
    begun, board = time.monotonic(), own.board

    def note(share: float) -> None:
        now = time.monotonic()
        board[END] = now + seconds_left(now - begun, share) if share >= ENOUGH else 0.0
        board[SHARE] = share

    return note


class Worker:
    """Runs one call at a time in a process; the others wait in their order."""

    def __init__(self, start: Callable[[], Pool] = start_process) -> None:
        """Starts nothing yet.

        Args:
            start: makes a pool, for the first call and after each death.
        """
        self._start, self._turn = start, asyncio.Lock()
        self._pool: Pool | None = None

    async def run(
        self, function: Callable[..., Any], *arguments: Any, begun: Callable[[], None] | None = None
    ) -> Any:
        """Returns what a function returns, or raises what it raises.

        A call that is cancelled while it runs ends the process.

        Args:
            function: of a module, so that the process can import it.
            *arguments: for the function.
            begun: called when it is the turn of this call.

        Raises:
            DiedError: if the process died.
        """
        async with self._turn:
            pool = self._pool = self._pool or self._start()
            pool.board[SHARE] = pool.board[END] = 0.0
            if begun is not None:
                begun()
            try:
                return await asyncio.wrap_future(pool.executor.submit(function, *arguments))
            except asyncio.CancelledError:
                self.stop()
                raise
            except BrokenExecutor:
                self.stop()
                raise DiedError("the process died") from None

    def progress(self) -> tuple[float, float | None]:
        """Returns the share of the running call that is done, and the seconds left if known."""
        share, end, *_ = NEW_BOARD if self._pool is None else self._pool.board
        return share, max(end - time.monotonic(), 0.0) if end else None

    def stop(self) -> None:
        """Ends the process; the next call starts another one."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it may be dead already
            pool.kill()
        pool.executor.shutdown(wait=False, cancel_futures=True)
