"""The machine of a run: other processes, a lock on its folder, signals."""

import contextlib
import fcntl
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils


LOCK = ".lock"


def join_processes(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Join this process to the others of a job; call it before anything uses a device.

    Args:
        coordinator: `host:port` of the first process; None lets JAX find it where it can (SLURM,
            Open MPI, GKE and Cloud TPU), or in the variable `JAX_COORDINATOR_ADDRESS`.
        processes: how many there are; None lets JAX find it.
        process: which one this is, from 0; None lets JAX find it.

    Raises:
        ValueError: if the others are not found.
    """
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(
            f"the other processes were not found ({first}); "
            "give --coordinator=HOST:PORT --processes=N --process=I to each"
        ) from error


def make_workdir(workdir: Path) -> None:
    """Create the folder; raise a one-line OSError if it is not writable."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        probe = workdir / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"--workdir {workdir} cannot be written to ({error.strerror}); choose another folder"
        ) from None


@contextlib.contextmanager
def alone_in(workdir: Path) -> Iterator[None]:
    """Lock `workdir` for one run; the lock is released when the process ends in any way.

    Raises:
        ValueError: if another run has locked it.
    """
    if jax.process_index():  # the first process locks it for all
        yield
        return
    with (workdir / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ValueError(
                f"--workdir {workdir} is in use by another run ({file.read().strip()}); "
                "choose another folder or stop that run"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)  # required by set_wakeup_fd

    def watch() -> None:
        while numbers := ours.recv(16):  # empty when the other end is closed
            if signal.SIGTERM in numbers:
                print(
                    "\nStopped before the first step; run the same command again.",
                    flush=True,
                )
                os._exit(0)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    before = signal.set_wakeup_fd(theirs.fileno())
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        theirs.close()
        watching.join()
        ours.close()


class Stopped(Exception):  # noqa: N818  not an error
    """A signal interrupted work that is repeated when the run is resumed."""


class StopRequest:
    """Turns the first SIGTERM or Ctrl-C into a request to stop after a step; a second one kills.

    Until `save_before_exit` is called there is nothing to save, and SIGTERM ends the process at
    once with status 0: Python's own handlers would wait until XLA has compiled. With many
    processes JAX's own service receives signals, and all processes agree on a step.
    """

    def __enter__(self) -> "StopRequest":
        self._asked = self._interruptible = False
        self._previous: dict[int, Any] = {}
        self._watch = contextlib.ExitStack()
        if jax.process_count() == 1:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._note)
            self._watch.enter_context(_exit_on_sigterm())
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._asked = True
        signal.signal(number, self._previous[number])
        if self._interruptible:
            raise Stopped

    def save_before_exit(self) -> None:
        """From now on let a signal only request a stop: a step was taken and must be saved."""
        self._watch.close()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the first signal inside raise `Stopped` at once."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def reached(self, step: int) -> bool:
        """Return whether to stop after `step`; the same for all processes."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._asked
