"""What a run leaves to read: one JSON line a record, TensorBoard events, a progress bar."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
import numpy as np
from tensorboardX import SummaryWriter
from tqdm import tqdm

from deblur_jax.io.images import read_photo, whole_file


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
        path = workdir / FILE
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            with whole_file(path) as temporary:
                temporary.write_text("".join(line + "\n" for line in lines))
        self._file = path.open("a")
        self._events = SummaryWriter(str(workdir), purge_step=step + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes one record."""
        if self._silent:
            return
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)

    def show(self, step: int, folder: Path) -> None:
        """Gives TensorBoard the first pictures in a folder."""
        if self._silent:
            return
        for path in sorted(folder.glob("*.png"))[:SHOWN]:
            pixels = np.rint(255 * read_photo(path).pixels).astype(np.uint8)
            self._events.add_image(f"pictures/{path.stem}", pixels, step, dataformats="HWC")

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._silent:
            self._file.close()
            self._events.close()


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

    def _book(self, name: str) -> None:
        now = time.perf_counter()
        self._seconds[name] += now - self._since
        self._since = now

    def step(self) -> None:
        """Counts a step."""
        self._steps += 1

    def means(self) -> dict[str, float]:
        """Returns seconds a step, `{"time/data", "time/compute", "time/host"}`, and starts anew."""
        self._book("host")
        steps, self._steps = max(self._steps, 1), 0
        means = {f"time/{name}": seconds / steps for name, seconds in self._seconds.items()}
        self._seconds = dict.fromkeys(self._seconds, 0.0)
        return means


class Progress:
    """A progress bar that shows steps, loss, images per second and the time left."""

    def __init__(self, *, step: int, steps: int, batch: int):
        """Starts the bar of a run at `step` of `steps`."""
        hidden = jax.process_index() > 0
        self._bar = tqdm(
            initial=step, total=steps, unit="step", desc="train", mininterval=0.5, disable=hidden
        )
        self._batch = batch
        self._since, self._first = time.perf_counter(), step

    def advance(self, step: int, loss: float | None) -> None:
        """Moves the bar to `step`, and shows the loss if it was read."""
        if loss is not None:
            seconds = max(time.perf_counter() - self._since, 1e-9)
            rate = (step - self._first) * self._batch / seconds
            self._bar.set_postfix_str(f"loss {loss:.3f}, {rate:.0f} images/s", refresh=False)
            self._since, self._first = time.perf_counter(), step
        self._bar.update(step - self._bar.n)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


@contextlib.contextmanager
def announced(text: str) -> Iterator[None]:
    """Says on standard output what takes long, and how long it took."""
    loud = jax.process_index() == 0
    if loud:
        print(f"{text} ...", end=" ", flush=True)
    since = time.perf_counter()
    yield
    if loud:
        print(f"{time.perf_counter() - since:.1f} s", flush=True)
