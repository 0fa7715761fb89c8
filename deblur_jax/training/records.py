"""What a run leaves to read: one JSON line a record, TensorBoard events, a progress bar."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from deblur_jax.io.files import whole_file
from deblur_jax.io.images import read_photo
from deblur_jax.training.events import EventFile
from deblur_jax.training.overview import peak_flops


FILE = "metrics.jsonl"
TEST = "test/"  # what the names of an evaluation's metrics begin with
SHOWN = 4  # pictures of an evaluation that TensorBoard gets


class Records:
    """Writes metrics to `workdir/metrics.jsonl` and `workdir/events.*`.

    A run that resumes at a step first drops the records after it, which it will write again. Of
    many processes only the first writes.
    """

    def __init__(self, workdir: Path, *, step: int):
        """Opens the records of a run that has finished `step` steps."""
        self._silent = jax.process_index() > 0
        if self._silent:
            return
        self._path = workdir / FILE
        with self._told():
            if self._path.exists():
                lines = self._path.read_text().splitlines()
                kept = [line + "\n" for line in lines if _step_of(line) <= step]
                with whole_file(self._path) as temporary:
                    temporary.write_text("".join(kept))
            self._file = self._path.open("a")
            self._events = EventFile(workdir, purge_step=step + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes one record."""
        if self._silent:
            return
        with self._told():
            self._file.write(json.dumps({"step": step, **metrics}) + "\n")
            self._file.flush()
            self._events.scalars(step, metrics)

    def show(self, step: int, folder: Path) -> None:
        """Gives TensorBoard the first pictures in a folder."""
        if self._silent:
            return
        for path in sorted(folder.glob("*.png"))[:SHOWN]:
            pixels = np.rint(255 * read_photo(path).pixels).astype(np.uint8)
            with self._told():
                self._events.image(step, f"pictures/{path.stem}", pixels)

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._silent:
            with self._told():
                self._file.close()
                self._events.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{self._path}: the records could not be written ({error.strerror or error}); "
                "the complete checkpoints are untouched: mend this and run the same command again"
            ) from error


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # the last line of a run that was killed
        return float("inf")


def read_evaluations(workdir: Path) -> dict[int, dict[str, float]]:
    """Returns the metrics of every evaluation of a run, by step."""
    path, found = workdir / FILE, {}
    for line in path.read_text().splitlines() if path.exists() else []:
        if f'"{TEST}' in line and _step_of(line) < float("inf"):
            record = json.loads(line)
            found[record.pop("step")] = {
                name.removeprefix(TEST): value for name, value in record.items()
            }
    return found


class Stopwatch:
    """Splits the time of a step into waiting for data, waiting for devices, and the rest."""

    def __init__(self):
        self._since, self._steps = time.perf_counter(), 0
        self._seconds: dict[str, float] = {"data": 0.0, "compute": 0.0, "host": 0.0}

    @contextlib.contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Books what runs inside as `name`, and what ran since the last booking as `host`."""
        self._book("host")
        try:
            yield
        finally:
            self._book(name)

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """Books what runs inside as nothing: compiling and evaluating are no part of a step."""
        self._book("host")
        try:
            yield
        finally:
            self._since = time.perf_counter()

    def _book(self, name: str) -> None:
        now = time.perf_counter()
        self._seconds[name] += now - self._since
        self._since = now

    def step(self) -> None:
        """Counts a step."""
        self._steps += 1

    def means(self) -> dict[str, float]:
        """Returns seconds a step, `{"time/data", "time/compute", "time/host"}`, and starts anew.

        Before the first counted step there are none: `{}`.
        """
        self._book("host")
        seconds, self._seconds = self._seconds, dict.fromkeys(self._seconds, 0.0)
        steps, self._steps = self._steps, 0
        return {f"time/{name}": each / steps for name, each in seconds.items()} if steps else {}


class Progress:
    """A progress bar that shows steps, loss, images per second and the time left."""

    def __init__(self, *, step: int, steps: int):
        """Starts the bar of a run at `step` of `steps`."""
        hidden = jax.process_index() > 0
        self._bar = tqdm(
            initial=step, total=steps, unit="step", desc="train", mininterval=0.5, disable=hidden
        )

    def advance(self, step: int, shown: str = "") -> None:
        """Moves the bar to `step`, and shows a text behind it if there is a new one."""
        if shown:
            self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class Reader:
    """Reads the metrics of each step while the next one is under way: no device waits for it."""

    def __init__(self, config: Any, workdir: Path, records: Records, progress: Progress):
        """Reads for `records` and `progress`."""
        self._config, self._workdir = config, workdir
        self._records, self._progress = records, progress
        self._unread: tuple[int, Any, Any] | None = None
        self.watch = Stopwatch()
        self.flops = 0  # of a step, on each device; 0 if not counted

    def add(self, number: int, batch: Any, metrics: Any) -> None:
        """Takes the metrics of a step that may still be under way; waits for the one before."""
        self.finish()
        self._unread = (number, batch, metrics)

    def finish(self) -> None:
        """Waits for the newest step, stops the run if it went wrong, and records it.

        Raises:
            FloatingPointError: if its loss or gradient is not a number; its batch is saved.
        """
        if self._unread is None:
            return
        (number, batch, metrics), self._unread = self._unread, None
        with self.watch.on("compute"):
            loss, norm = jax.device_get((metrics["loss/total"], metrics["norm/grads"]))
        if not (np.isfinite(loss) and np.isfinite(norm)):
            _stop_at(self._workdir, number, batch, float(loss), float(norm))
        if number % self._config.log_every and number != self._config.steps:
            self._progress.advance(number)
            return
        times = self.watch.means()
        speed = self._speed(sum(times.values())) if times else {}
        values = {name: float(value) for name, value in metrics.items()}
        self._records.write(number, {**values, **times, **speed})
        rate = f", {speed['speed/images']:.0f} images/s" if speed else ""
        self._progress.advance(number, f"loss {float(loss):.3f}{rate}")

    def _speed(self, seconds: float) -> dict[str, float]:
        """Per second: images over all devices, operations of one, and their part of its peak."""
        speed = {"speed/images": self._config.batches.batch_size / seconds}
        if self.flops:
            speed["speed/teraflops"] = self.flops / seconds / 1e12
            peak = peak_flops(jax.local_devices()[0].device_kind, self._config.precision)
            if peak:
                speed["speed/part_of_peak"] = self.flops / seconds / peak
        return speed


def _stop_at(workdir: Path, number: int, batch: Any, loss: float, norm: float) -> None:
    """Saves the batch of a step that gave no number, and stops the run."""
    path = workdir / f"not-a-number-step-{number}-process-{jax.process_index()}.npz"
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, step=number, **batch)
    name, value = ("loss/total", loss) if not np.isfinite(loss) else ("norm/grads", norm)
    raise FloatingPointError(
        f"{name} is {value} at step {number}; its batch is in {path}, and the newest checkpoint "
        "leads there again; lower optimizer.peak_rate"
    )


@contextlib.contextmanager
def announced(text: str) -> Iterator[None]:
    """Says on standard output what takes long, and how long it took."""
    loud = jax.process_index() == 0
    if loud:
        print(f"{text} ...", end=" ", flush=True)
    since = time.perf_counter()
    try:
        yield
    finally:
        if loud:
            print(f"{time.perf_counter() - since:.1f} s", flush=True)
