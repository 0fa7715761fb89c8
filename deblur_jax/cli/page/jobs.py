"""The photos of the page, one restored after the other, so that memory is that of one solve."""

import dataclasses
import queue
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deblur_jax.cli.page.worker import Order, Worker
from deblur_jax.cli.photos import plan
from deblur_jax.io.images import SUFFIXES


LINE = 8  # photos that may wait
KEPT = 4  # photos whose results can still be downloaded
LONGEST_NAME = 100  # letters


class BusyError(Exception):
    """Too many photos wait already."""


@dataclasses.dataclass
class Job:
    """A photo of the page.

    Attributes:
        key: a secret name, in its addresses and of its folder.
        name: what its owner calls it; never a place on this disk.
        path: where it lies.
        state: "arriving", "waiting", "working", "done", "failed" or "forgotten".
        says: what to tell people now; the reason of a failure.
        tiles: how many are done, of how many.
        seconds_left: None while that is not known.
        report: what came out.
    """

    key: str
    name: str
    path: Path
    state: str = "arriving"
    says: str = ""
    tiles: tuple[int, int] = (0, 0)
    seconds_left: float | None = None
    report: dict[str, Any] = dataclasses.field(default_factory=dict)
    first_tile: float = 0.0

    @property
    def result_name(self) -> str:
        """What the command would call the result."""
        return plan([Path(self.name)], None)[0].output.name


class Jobs:
    """Photos by their keys, and the thread that hands them to the worker."""

    def __init__(self, folder: Path, start: Callable[[], Worker], *, most_pixels: int) -> None:
        """Begins to wait for photos.

        Args:
            folder: an empty one, for what is being worked on.
            start: starts a worker.
            most_pixels: of a photo.
        """
        self._folder, self._start, self._most_pixels = folder, start, most_pixels
        self._jobs: dict[str, Job] = {}
        self._line: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        threading.Thread(target=self._work, daemon=True).start()

    def new(self, name: str) -> Job:
        """Returns a job with an empty folder, for a photo that is about to arrive.

        Raises:
            BusyError: if too many photos wait.
        """
        name = cleaned(name)
        key = secrets.token_urlsafe(16)
        suffix = Path(name).suffix.lower()
        path = self._folder / key / f"photo{suffix if suffix in SUFFIXES else ''}"
        with self._lock:
            if sum(job.state in ("arriving", "waiting") for job in self._jobs.values()) >= LINE:
                raise BusyError(f"{name}: {LINE} photos wait already; try again in a while")
            job = self._jobs[key] = Job(key, name, path)
        path.parent.mkdir()
        return job

    def submit(self, job: Job) -> None:
        """Puts a photo that has arrived at the end of the line."""
        job.state = "waiting"
        self._line.put(job)

    def find(self, key: str) -> Job | None:
        """Returns the job of that key, unless it has been forgotten."""
        return self._jobs.get(key)

    def ahead(self, job: Job) -> int:
        """Returns how many photos come before this one."""
        before = 0
        for other in list(self._jobs.values()):
            if other is job:
                break
            before += other.state in ("waiting", "working")
        return before if job.state == "waiting" else 0

    def forget(self, job: Job) -> None:
        """Removes a photo and all that was made of it; if it is being restored, that is stopped."""
        with self._lock:
            self._jobs.pop(job.key, None)
            working, job.state = job.state == "working", "forgotten"
            if working and self._worker is not None:
                self._worker.stop()
                self._worker = None
        shutil.rmtree(job.path.parent, ignore_errors=True)

    def close(self) -> None:
        """Stops what is being done."""
        if self._worker is not None:
            self._worker.stop()

    def _work(self) -> None:
        while True:
            job = self._line.get()
            with self._lock:
                if job.state != "waiting":
                    continue
                self._worker = self._worker or self._start()
                job.state = "working"
            kind, value = self._restored(job, self._worker)
            with self._lock:
                if kind == "done":
                    job.report = value
                else:
                    job.says = value
                if job.state == "working":
                    job.state = kind
            over = [other for other in self._jobs.values() if other.state in ("done", "failed")]
            for old in over[:-KEPT]:
                self.forget(old)

    def _restored(self, job: Job, worker: Worker) -> tuple[str, Any]:
        """Returns the last message about a photo: "done" or "failed", and what came out."""
        try:
            worker.connection.send(Order(job.path, job.name, self._most_pixels))
            while (message := worker.connection.recv())[0] not in ("done", "failed"):
                self._note(job, *message)
        except (EOFError, OSError):
            with self._lock:
                if self._worker is worker:
                    self._worker = None
            return "failed", (
                f"{job.name}: the process that restores broke off, most likely for want of memory; "
                "make the photo smaller"
            )
        return message

    def _note(self, job: Job, kind: str, value: Any) -> None:
        if kind == "says":
            job.says = value
            return
        job.tiles = done, total = value
        if done == 1:  # the first tile also compiles, and tells nothing about the others
            job.first_tile = time.monotonic()
        elif done > 1:
            each = (time.monotonic() - job.first_tile) / (done - 1)
            job.seconds_left = each * (total - done)


def cleaned(name: str) -> str:
    """Returns the last part of a file's name, without what cannot be printed."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip()[-LONGEST_NAME:]
    return kept if kept.strip(". ") else "photo"
