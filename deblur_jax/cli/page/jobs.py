"""The queue of the page: photos are restored one at a time, to bound the memory."""

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
from deblur_jax.cli.restore_photo import ENOUGH, seconds_left
from deblur_jax.io.images import SUFFIXES


LINE = 8  # photos that may wait
KEPT = 4  # finished photos whose results can still be downloaded
LONGEST_NAME = 100  # characters


class BusyError(Exception):
    """Too many photos are waiting."""


@dataclasses.dataclass
class Job:
    """A photo of the page.

    Attributes:
        key: a secret identifier, used in its URLs and as the name of its folder.
        name: its file name at the client, for messages; never used as a path.
        path: the uploaded file.
        state: "arriving", "waiting", "working", "done", "failed" or "forgotten".
        says: a status message, or the reason of a failure.
        share: of the work that is done, from 0 to 1.
        seconds_left: estimated time left; None if unknown.
        report: the worker's description of the result.
        begun: time at which its restoration began.
    """

    key: str
    name: str
    path: Path
    state: str = "arriving"
    says: str = ""
    share: float = 0.0
    seconds_left: float | None = None
    report: dict[str, Any] = dataclasses.field(default_factory=dict)
    begun: float = 0.0

    @property
    def result_name(self) -> str:
        """The name that the command gives to the result."""
        return plan([Path(self.name)], None)[0].output.name


class Jobs:
    """All photos by their keys, and the thread that passes them to the worker."""

    def __init__(self, folder: Path, start: Callable[[], Worker], *, most_pixels: int) -> None:
        """Starts the thread.

        Args:
            folder: an empty folder for uploads and results.
            start: starts a worker.
            most_pixels: largest number of pixels of a photo.
        """
        self._folder, self._start, self._most_pixels = folder, start, most_pixels
        self._jobs: dict[str, Job] = {}
        self._line: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        threading.Thread(target=self._work, daemon=True).start()

    def new(self, name: str) -> Job:
        """Returns a job with an empty folder, for a photo that will be uploaded.

        Raises:
            BusyError: if too many photos are waiting.
        """
        name = cleaned(name)
        key = secrets.token_urlsafe(16)
        suffix = Path(name).suffix.lower()
        path = self._folder / key / f"photo{suffix if suffix in SUFFIXES else ''}"
        with self._lock:
            if sum(job.state in ("arriving", "waiting") for job in self._jobs.values()) >= LINE:
                raise BusyError(f"{name}: {LINE} photos are already waiting; try again later")
            job = self._jobs[key] = Job(key, name, path)
        path.parent.mkdir()
        return job

    def submit(self, job: Job) -> None:
        """Appends an uploaded photo to the queue."""
        job.state = "waiting"
        self._line.put(job)

    def find(self, key: str) -> Job | None:
        """Returns the job of that key; None if there is none, or if it was removed."""
        return self._jobs.get(key)

    def ahead(self, job: Job) -> int:
        """Returns the number of photos before this one in the queue."""
        before = 0
        for other in list(self._jobs.values()):
            if other is job:
                break
            before += other.state in ("waiting", "working")
        return before if job.state == "waiting" else 0

    def forget(self, job: Job) -> None:
        """Removes a photo and its results, and stops its restoration if it is running."""
        with self._lock:
            self._jobs.pop(job.key, None)
            working, job.state = job.state == "working", "forgotten"
            if working and self._worker is not None:
                self._worker.stop()
                self._worker = None
        shutil.rmtree(job.path.parent, ignore_errors=True)

    def close(self) -> None:
        """Stops the worker."""
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
        """Returns the worker's last message: "done" and a report, or "failed" and the reason."""
        try:
            job.begun = time.monotonic()
            worker.connection.send(Order(job.path, job.name, self._most_pixels))
            while (message := worker.connection.recv())[0] not in ("done", "failed"):
                self._note(job, *message)
        except (EOFError, OSError):
            with self._lock:
                if self._worker is worker:
                    self._worker = None
            return "failed", (
                f"{job.name}: the worker process died, probably because it ran out of memory; "
                "reduce the photo"
            )
        return message

    def _note(self, job: Job, kind: str, value: Any) -> None:
        if kind == "says":
            job.says = value
            return
        job.share = value
        if value >= ENOUGH:
            job.seconds_left = seconds_left(time.monotonic() - job.begun, value)


def cleaned(name: str) -> str:
    """Returns the last component of a client's file name, without unprintable characters."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip()[-LONGEST_NAME:]
    return kept if kept.strip(". ") else "photo"
