"""The photos of the page: restored one at a time, to bound the memory.

One worker restores whole photos. A second one does what a person waits for: it draws uploads,
restores parts, and writes downloads. Everything here runs in the event loop of the server.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deblur_jax.cli.page import work
from deblur_jax.cli.page.work import Order, PhotoError
from deblur_jax.cli.page.worker import DiedError, Worker
from deblur_jax.cli.photos import plan
from deblur_jax.cli.restore_photo import Settings
from deblur_jax.io.images import PHOTO_SUFFIXES


LINE = 16  # photos that may wait
KEPT = 16  # finished photos whose results can still be downloaded
KEPT_BYTES = 4_000_000_000  # of their restorations, together
PARTS = 8  # restored parts of a photo whose pictures are kept
LONGEST_NAME = 100  # characters
BYTES_A_PIXEL = 16  # of a restoration: three colours and the trust
DIED = "the process that restored it died, probably because it ran out of memory; reduce the photo"


class BusyError(Exception):
    """Too many photos are waiting."""


@dataclasses.dataclass
class Job:
    """A photo of the page.

    Attributes:
        key: a secret identifier, used in its URLs and as the name of its folder.
        order: its file, its names and how it is restored.
        state: "arriving", "waiting", "working", "done" or "failed".
        says: the reason of a failure.
        shown: what `work.look` returned; empty before.
        report: what `work.restore` returned; empty before.
        task: what restores it.
        parts: numbers the restored parts.
    """

    key: str
    order: Order
    state: str = "arriving"
    says: str = ""
    shown: dict[str, Any] = dataclasses.field(default_factory=dict)
    report: dict[str, Any] = dataclasses.field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    parts: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    @property
    def folder(self) -> Path:
        """The folder that holds the photo and its results, and nothing else."""
        return self.order.path.parent

    @property
    def size(self) -> int:
        """Bytes of its restoration."""
        return BYTES_A_PIXEL * self.shown.get("width", 0) * self.shown.get("height", 0)


class Jobs:
    """All photos by their keys, and the two workers."""

    def __init__(
        self, folder: Path, settings: Settings, most_pixels: int, make: Callable[[], Worker]
    ) -> None:
        """Starts nothing yet.

        Args:
            folder: an empty folder for uploads and results.
            settings: how photos are restored, as of the command.
            most_pixels: largest number of pixels of a photo.
            make: makes a worker.
        """
        self._folder, self._settings, self._most_pixels = folder, settings, most_pixels
        self._jobs: dict[str, Job] = {}
        self._restorer, self._helper = make(), make()
        self._warm: asyncio.Task[None] | None = None

    def new(self, name: str, model: str | None) -> Job:
        """Returns a job with an empty folder, for a photo that will be uploaded.

        Raises:
            BusyError: if too many photos are waiting.
        """
        name = cleaned(name)
        if sum(job.state in ("arriving", "waiting") for job in self._jobs.values()) >= LINE:
            raise BusyError(f"{name}: {LINE} photos are already waiting; try again later")
        key = secrets.token_urlsafe(16)
        suffix = Path(name).suffix.lower()
        path = self._folder / key / f"photo{suffix if suffix in PHOTO_SUFFIXES else ''}"
        result_name = plan([Path(name)], None)[0].output.name
        order = Order(path, name, result_name, self._most_pixels, self._settings_of(model))
        job = self._jobs[key] = Job(key, order)
        job.folder.mkdir()
        return job

    def submit(self, job: Job, model: str | None = None) -> None:
        """Appends an uploaded photo to the queue, or a finished one again.

        Args:
            job: the photo.
            model: restores it with another model; None for the same.
        """
        job.order = self._order_with(job, model)
        if job.task is not None:
            job.task.cancel()
        self._jobs[job.key] = self._jobs.pop(job.key)  # the last one
        job.state, job.says, job.report = "waiting", "", {}
        job.task = asyncio.create_task(self._restore(job))

    def find(self, key: str) -> Job | None:
        """Returns the job of that key; None if there is none, or if it was removed."""
        return self._jobs.get(key)

    def status(self, job: Job) -> dict[str, Any]:
        """Returns what the page shows of a photo."""
        share, left = self._restorer.progress() if job.state == "working" else (0.0, None)
        before = itertools.takewhile(lambda other: other is not job, self._jobs.values())
        busy = sum(other.state in ("waiting", "working") for other in before)
        return {
            "state": job.state,
            "name": job.order.name,
            "says": job.says,
            "ahead": busy if job.state == "waiting" else 0,
            "share": share,
            "seconds_left": left,
            "model": job.order.settings.model,
            "result_name": job.order.result_name,
            **job.shown,
            **job.report,
        }

    async def help(self, order: Order, function: Callable[..., Any], *arguments: Any) -> Any:
        """Returns what a function of an order returns; it does not wait for the queue.

        Raises:
            PhotoError: if it fails.
        """
        try:
            return await self._helper.run(work.attempt, function, order, *arguments)
        except DiedError:
            raise PhotoError(f"{order.name}: {DIED}") from None

    def warm_up(self, model: str) -> None:
        """Prepares a process for the first part that is tried, once."""
        if self._warm is None:
            self._warm = asyncio.create_task(self._warm_up(self._settings_of(model)))

    async def _warm_up(self, settings: Settings) -> None:
        with contextlib.suppress(Exception):  # a photo reports what is wrong
            await self._helper.run(work.warm_up, settings)

    async def try_part(
        self, job: Job, model: str | None, across: float, down: float
    ) -> dict[str, Any]:
        """Restores a part of a photo with a model, see `work.try_part`."""
        number = next(job.parts)
        for name in work.part_names(number - PARTS):
            (job.folder / name).unlink(missing_ok=True)
        return await self.help(self._order_with(job, model), work.try_part, number, across, down)

    def forget(self, job: Job) -> None:
        """Removes a photo and its results, and stops its restoration if it is running."""
        self._jobs.pop(job.key, None)
        if job.task is not None:
            job.task.cancel()
        shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """Stops all work, in the event loop."""
        for task in (self._warm, *(job.task for job in self._jobs.values())):
            if task is not None:
                task.cancel()
        self.stop()

    def stop(self) -> None:
        """Ends the processes."""
        self._restorer.stop()
        self._helper.stop()

    def _settings_of(self, model: str | None) -> Settings:
        if model is None or model == self._settings.model:
            return self._settings
        return Settings(model=model, device=self._settings.device)

    def _order_with(self, job: Job, model: str | None) -> Order:
        if model is None:
            return job.order
        return dataclasses.replace(job.order, settings=self._settings_of(model))

    async def _restore(self, job: Job) -> None:
        def begun() -> None:
            job.state = "working"

        try:
            if not job.shown:
                job.shown = await self.help(job.order, work.look)
            job.report = await self._restorer.run(
                work.attempt, work.restore, job.order, begun=begun
            )
        except PhotoError as error:
            job.state, job.says = "failed", str(error)
        except DiedError:
            job.state, job.says = "failed", f"{job.order.name}: {DIED}"
        else:
            job.state = "done"
        self._forget_old()

    def _forget_old(self) -> None:
        """Removes the oldest finished photos, if there are too many or too large ones."""
        over = [job for job in self._jobs.values() if job.state in ("done", "failed")]
        while len(over) > KEPT or (len(over) > 1 and sum(job.size for job in over) > KEPT_BYTES):
            self.forget(over.pop(0))


def cleaned(name: str) -> str:
    """Returns the last component of a client's file name, without unprintable characters."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if letter.isprintable()).strip()[-LONGEST_NAME:]
    return kept if kept.strip(". ") else "photo"
