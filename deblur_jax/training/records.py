"""The files that a run leaves: metrics as JSON lines and TensorBoard events, and a summary."""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import jax
import numpy as np
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.record_writer import masked_crc32c

from deblur_jax.io.files import whole_file, write_json
from deblur_jax.io.images import read_photo


FILE = "metrics.jsonl"
SUMMARY = "summary.json"
TEST = "test/"  # prefix of the names of an evaluation's metrics
SHOWN = 4  # pictures of an evaluation that are written to TensorBoard
BEST = ("max", "min")


class EventFile:
    """A new TensorBoard event file in a folder, written synchronously; earlier files stay.

    The writer of tensorboardX uses a thread, which dies when the disk is full, and the run then
    waits forever for room in its queue. Here a failed write raises an OSError in the caller.
    """

    def __init__(self, folder: Path, *, purge_step: int):
        """Open the file; TensorBoard discards events of earlier files from `purge_step` on."""
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("wb")
        self._write(Event(file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.START)
        self._write(Event(session_log=start, step=purge_step))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write scalars by name."""
        for name, value in values.items():
            self._write(Event(summary=summary.scalar(name, value), step=step))
        self._file.flush()

    def image(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Write an 8-bit picture `[h, w, 3]`."""
        picture = summary.image(name, pixels, dataformats="HWC")
        self._write(Event(summary=picture, step=step))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        data = event.SerializeToString()
        header = struct.pack("<Q", len(data))
        for part in (header, data):
            self._file.write(part + struct.pack("<I", masked_crc32c(part)))


class Records:
    """Writes metrics to `workdir/metrics.jsonl` and `workdir/events.*`.

    A run that resumes at a step first removes the records of later steps, which it will write
    again. Only the first of many processes writes.
    """

    def __init__(self, workdir: Path, *, step: int):
        """Open the records of a run that has finished `step` steps."""
        self._silent = jax.process_index() > 0
        if self._silent:
            return
        self._path = workdir / FILE
        with self._in_one_line():
            if self._path.exists():
                lines = self._path.read_text().splitlines()
                kept = [line + "\n" for line in lines if _step_of(line) <= step]
                with whole_file(self._path) as temporary:
                    temporary.write_text("".join(kept))
            self._file = self._path.open("a")
            self._events = EventFile(workdir, purge_step=step + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write one record."""
        if self._silent:
            return
        with self._in_one_line():
            self._file.write(json.dumps({"step": step, **metrics}) + "\n")
            self._file.flush()
            self._events.scalars(step, metrics)

    def show(self, step: int, folder: Path) -> None:
        """Write the first pictures in a folder to TensorBoard."""
        if self._silent:
            return
        for path in sorted(folder.glob("*.png"))[:SHOWN]:
            pixels = np.rint(255 * read_photo(path).pixels).astype(np.uint8)
            with self._in_one_line():
                self._events.image(step, f"pictures/{path.stem}", pixels)

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._silent:
            with self._in_one_line():
                self._file.close()
                self._events.close()

    @contextlib.contextmanager
    def _in_one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{self._path}: the records could not be written ({error.strerror or error}); "
                "the complete checkpoints are untouched: fix this and run the same command again"
            ) from error


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # the incomplete last line of a killed run
        return float("inf")


def read_evaluations(workdir: Path) -> dict[int, dict[str, float]]:
    """Return the metrics of every evaluation of a run, by step."""
    path, found = workdir / FILE, {}
    for line in path.read_text().splitlines() if path.exists() else []:
        if f'"{TEST}' in line and _step_of(line) < float("inf"):
            record = json.loads(line)
            found[record.pop("step")] = {
                name.removeprefix(TEST): value for name, value in record.items()
            }
    return found


def record_evaluation(
    records: Records, workdir: Path, step: int, metrics: dict[str, float]
) -> None:
    """Record the metrics and pictures of an evaluation at `step`."""
    records.write(step, {TEST + name: float(value) for name, value in metrics.items()})
    records.show(step, workdir / "pictures")


def best_step(workdir: Path, *, metric: str, wanted: str) -> int | None:
    """Return the step with the best evaluation; None before the first evaluation.

    Args:
        workdir: of the run.
        metric: the name of the metric that is compared.
        wanted: whether its `max` or its `min` is best.

    Raises:
        ValueError: if the task has no such metric.
    """
    if wanted not in BEST:
        raise ValueError(f"config.best_is must be one of {sorted(BEST)}, got {wanted!r}")
    evaluations = read_evaluations(workdir)
    for metrics in evaluations.values():
        if metric not in metrics:
            raise ValueError(f"config.best_metric must be one of {sorted(metrics)}, got {metric!r}")
    sign = 1 if wanted == "max" else -1
    scores = {step: sign * metrics[metric] for step, metrics in evaluations.items()}
    scores = {step: score for step, score in scores.items() if score == score}  # no nan
    return max(scores, key=scores.__getitem__, default=None)


def write_summary(workdir: Path, summary: dict[str, float | int]) -> None:
    """Write `workdir/summary.json` atomically."""
    write_json(workdir / SUMMARY, summary)


def read_summary(workdir: Path) -> dict[str, float | int] | None:
    """Return the summary of a finished run; None if it is missing or damaged."""
    try:
        return json.loads((workdir / SUMMARY).read_text())
    except (FileNotFoundError, ValueError):
        return None
