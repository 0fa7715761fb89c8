"""What a run shows while it trains: progress bar, timing, metrics of each step, profiler trace."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from deblur_jax.io.files import whole_file
from deblur_jax.training.overview import peak_flops
from deblur_jax.training.records import Records


SETTLED = 2  # steps before a profiler trace starts: the first compiles
FOLDER = "profile"


def due(number: int, every: int, steps: int) -> bool:
    """Return whether something done every so many steps, and after the last, is due at a step.

    Args:
        number: of the step.
        every: the interval in steps; 0 for after the last step only.
        steps: the number of the last step.
    """
    return number == steps or bool(every and number and number % every == 0)


class Stopwatch:
    """Splits the time of a step into waiting for data, waiting for devices, and the rest."""

    def __init__(self):
        self._since, self._steps = time.perf_counter(), 0
        self._seconds: dict[str, float] = {"data": 0.0, "compute": 0.0, "host": 0.0}

    @contextlib.contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Count the time inside as `name`, and the time since the last call as `host`."""
        self._add("host")
        try:
            yield
        finally:
            self._add(name)

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """Pause the timer, so that compilation and evaluation are not counted."""
        self._add("host")
        try:
            yield
        finally:
            self._since = time.perf_counter()

    def _add(self, name: str) -> None:
        now = time.perf_counter()
        self._seconds[name] += now - self._since
        self._since = now

    def step(self) -> None:
        """Count a step."""
        self._steps += 1

    def means(self) -> dict[str, float]:
        """Return seconds per step, `{"time/data", "time/compute", "time/host"}`, and reset.

        Before the first counted step the result is `{}`.
        """
        self._add("host")
        seconds, self._seconds = self._seconds, dict.fromkeys(self._seconds, 0.0)
        steps, self._steps = self._steps, 0
        return {f"time/{name}": each / steps for name, each in seconds.items()} if steps else {}


class Progress:
    """A progress bar that shows steps, loss, images per second and the time left."""

    def __init__(self, *, step: int, steps: int):
        """Start the bar of a run at `step` of `steps`."""
        hidden = jax.process_index() > 0
        self._bar = tqdm(
            initial=step, total=steps, unit="step", desc="train", mininterval=0.5, disable=hidden
        )

    def advance(self, step: int, shown: str = "") -> None:
        """Move the bar to `step`, and replace the text behind it if a new one is given."""
        if shown:
            self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class Reader:
    """Reads the metrics of each step while the next one runs, so that no device waits."""

    def __init__(self, config: Any, workdir: Path, records: Records, progress: Progress):
        """Write to `records` and show on `progress`."""
        self._config, self._workdir = config, workdir
        self._records, self._progress = records, progress
        self._unread: tuple[int, Any, Any] | None = None
        self.watch: Stopwatch = Stopwatch()
        self.flops = 0  # of a step, on each device; 0 if not counted

    def add(self, number: int, batch: Any, metrics: Any) -> None:
        """Take the metrics of a step that may still be running; wait for the one before."""
        self.finish()
        self._unread = (number, batch, metrics)

    def finish(self) -> None:
        """Wait for the newest step, record it, and stop the run if its loss is not finite.

        Raises:
            FloatingPointError: if its loss or gradient is not finite; its batch is saved.
        """
        if self._unread is None:
            return
        (number, batch, metrics), self._unread = self._unread, None
        with self.watch.on("compute"):
            loss, norm = jax.device_get((metrics["loss/total"], metrics["norm/grads"]))
        if not (np.isfinite(loss) and np.isfinite(norm)):
            _stop_at(self._workdir, number, batch, float(loss), float(norm))
        if not due(number, self._config.log_every, self._config.steps):
            self._progress.advance(number)
            return
        times = self.watch.means()
        speed = self._speed(sum(times.values())) if times else {}
        values = {name: float(value) for name, value in metrics.items()}
        self._records.write(number, {**values, **times, **speed})
        rate = f", {speed['speed/images']:.0f} images/s" if speed else ""
        self._progress.advance(number, f"loss {float(loss):.3f}{rate}")

    def _speed(self, seconds: float) -> dict[str, float]:
        """Return images per second of all devices, FLOPs of one, and their share of its peak."""
        speed = {"speed/images": self._config.batches.batch_size / seconds}
        if self.flops:
            speed["speed/teraflops"] = self.flops / seconds / 1e12
            peak = peak_flops(jax.local_devices()[0].device_kind, self._config.precision)
            if peak:
                speed["speed/part_of_peak"] = self.flops / seconds / peak
        return speed


def _stop_at(workdir: Path, number: int, batch: Any, loss: float, norm: float) -> None:
    """Save the batch of a step whose loss or gradient is not finite, and stop the run."""
    path = workdir / f"not-a-number-step-{number}-process-{jax.process_index()}.npz"
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, step=number, **batch)
    name, value = ("loss/total", loss) if not np.isfinite(loss) else ("norm/grads", norm)
    raise FloatingPointError(
        f"{name} is {value} at step {number}; its batch is in {path}. Resuming from the newest "
        "checkpoint repeats this step; lower optimizer.peak_rate"
    )


@contextlib.contextmanager
def profiled(steps: int, workdir: Path) -> Iterator[Callable[[int, Any], None]]:
    """Write a profiler trace of `steps` steps to `workdir/profile`.

    The trace is complete even if the run ends before all of its steps.

    Yields:
        A function to call after each step, with its number in this run from 1 and its results.
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


@contextlib.contextmanager
def announced(text: str) -> Iterator[None]:
    """Print the start and the duration of a slow operation."""
    loud = jax.process_index() == 0
    if loud:
        print(f"{text} ...", end=" ", flush=True)
    since = time.perf_counter()
    try:
        yield
    finally:
        if loud:
            print(f"{time.perf_counter() - since:.1f} s", flush=True)
