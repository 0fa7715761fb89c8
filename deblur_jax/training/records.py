"""What a run leaves to read: one JSON line a record, TensorBoard events, a progress bar."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter
from tqdm import tqdm

from deblur_jax.io.images import whole_file


class Records:
    """Writes metrics to `workdir/metrics.jsonl` and `workdir/events.*`.

    A run that resumes at a step first drops the records after it, which it will write again.
    """

    def __init__(self, workdir: Path, *, step: int):
        """Opens the records of a run that has finished `step` steps."""
        path = workdir / "metrics.jsonl"
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            with whole_file(path) as temporary:
                temporary.write_text("".join(line + "\n" for line in lines))
        self._file = path.open("a")
        self._events = SummaryWriter(str(workdir), purge_step=step + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes one record."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._events.close()


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # the last line of a run that was killed
        return float("inf")


class Progress:
    """A progress bar that shows steps, loss, images per second and the time left."""

    def __init__(self, *, step: int, steps: int, batch: int):
        """Starts the bar of a run at `step` of `steps`."""
        self._bar = tqdm(initial=step, total=steps, unit="step", desc="train", mininterval=0.5)
        self._batch = batch
        self._since, self._first = time.perf_counter(), step

    def note(self, text: str) -> None:
        """Shows what the run is busy with until the next loss."""
        self._bar.set_postfix_str(text)

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
