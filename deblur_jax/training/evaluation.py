"""Evaluating a network on held-out examples: one loop for every task, built once per run.

A task scores one example, `(variables, example, key) -> (metrics, arrays to draw)`. Here the
examples are cut out of a source, simulated, scored on all devices and averaged:

    source --middle part--> simulate --> score --> mean of the metrics, a few pictures
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from deblur_jax.data.examples import KERNELS, PICTURES, Source, plane, size_of
from deblur_jax.metrics import mean_metrics, psnr, ssim
from deblur_jax.pictures import write_panels
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.parallel import Devices, on_all, over_examples
from deblur_jax.typing import Array


Arrays = dict[str, Array]
Score = Callable[[Any, Example, jax.Array], tuple[Arrays, Arrays]]
Draw = Callable[[Arrays, Arrays, dict[str, float]], Arrays]
Held = tuple[str, Example, jax.Array]  # a name, an example, a key for its score
Restore = Callable[[Any, Example], Array]  # (variables, example) -> a picture
FOLDER = "pictures"


def held_out(
    source: Source,
    simulate: Simulate,
    *,
    seed: int,
    height: int = 0,
    width: int = 0,
    per_example: int = 1,
    group: int = 0,
    part: tuple[int, int] = (0, 1),
) -> Iterator[Held]:
    """Yield `(name, example, key)`: the middle of each of the source's examples, simulated.

    Args:
        source: examples that the network was not trained on.
        simulate: makes an example of a task out of one of the source.
        seed: of the simulation; an example depends on it and on its index only.
        height: of the middle part that is used, in pixels; 0 for all of it.
        width: of the middle part that is used, in pixels; 0 for all of it.
        per_example: how often each example is simulated.
        group: how many consecutive examples of the source make one of the task, as in
            `data.pipeline.training_batches`; 0 for one without a group axis.
        part: `(i, n)` yields every n-th example, from the i-th on.

    Raises:
        ValueError: if an example is smaller than `height` x `width`.
    """
    make_example = jax.jit(simulate)
    for index in range(len(source)):
        numbers = range(index * per_example, (index + 1) * per_example)
        if all(number % part[1] != part[0] for number in numbers):
            continue
        middle = middle_part(source, index, height=height, width=width, group=group)
        key = jax.random.fold_in(jax.random.key(seed), index)
        for repeat, number in enumerate(numbers):
            if number % part[1] == part[0]:
                example = make_example(jax.random.fold_in(key, repeat), middle)
                yield f"{Path(source.name(index)).stem}-{repeat}", example, key


def middle_part(source: Source, index: int, *, height: int, width: int, group: int) -> Example:
    """Return the middle of an example, or those of a group of consecutive ones (cyclic)."""
    places = [(index + number) % len(source) for number in range(group or 1)]
    middles = [_middle(source[place], height, width, source.name(place)) for place in places]
    if not group:
        return middles[0]
    return {name: jnp.stack([middle[name] for middle in middles]) for name in middles[0]}


def _middle(example: dict[str, np.ndarray], height: int, width: int, name: str) -> Example:
    rows, columns = size_of(example)
    height, width = height or rows, width or columns
    if rows < height or columns < width:
        raise ValueError(
            f"{name}: evaluation takes {width}x{height} pixels of every photo, got "
            f"{columns}x{rows}; lower evaluate.width and evaluate.height"
        )
    top, left = (rows - height) // 2, (columns - width) // 2

    def cut(field: str, array: np.ndarray) -> jax.Array:
        if field not in KERNELS:
            row_axis, column_axis = plane(field)
            array = array.take(range(top, top + height), row_axis)
            array = array.take(range(left, left + width), column_axis)
        return jnp.asarray(array, jnp.float32) / 255 if field in PICTURES else jnp.asarray(array)

    return {field: cut(field, array) for field, array in example.items()}


def score_restored(restorations: Mapping[str, Restore]) -> Score:
    """Return a score that compares restored pictures and the blurry ones with the sharp ones.

    Args:
        restorations: functions `(variables, example) -> picture [h, w, c]`, by name.

    Returns:
        A score with the metrics `psnr/NAME` and `ssim/NAME` of each restoration, clipped to
        [0, 1], and of `blurred`, and with these pictures to draw.
    """

    def score(variables: Any, example: Example, key: jax.Array) -> tuple[Arrays, Arrays]:
        del key
        shown: Arrays = {"blurred": example["blurry"]}
        for name, restore in restorations.items():
            shown[name] = jnp.clip(restore(variables, example), 0, 1)
        sharp, metrics = example["sharp"], {}
        for name, picture in shown.items():
            metrics |= {f"psnr/{name}": psnr(picture, sharp), f"ssim/{name}": ssim(picture, sharp)}
        return metrics, shown

    return score


def draw_restored(example: Arrays, shown: Arrays, metrics: Mapping[str, float]) -> Arrays:
    """Return the pictures of `score_restored` and the sharp one, by title."""
    titled = {f"{name}, {metrics[f'psnr/{name}']:.1f} dB": shown[name] for name in shown}
    return {**titled, "sharp": example["sharp"]}


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The evaluation of a run: everything but the variables. See `make_evaluation`.

    Attributes:
        source: examples that the network was not trained on.
        simulate: makes an example of the task out of one of the source.
        score: `(variables, example, key) -> (metrics, arrays to draw)`.
        draw: `(example, arrays, metrics) -> pictures by title`.
        pictures: how many of the examples to draw.
        chosen: the other arguments of `held_out`.
    """

    source: Source
    simulate: Simulate
    score: Score
    draw: Draw
    pictures: int
    chosen: dict[str, int]

    def rehearse(self, variables: Any) -> list[str]:
        """Check the evaluation without computing anything; return the names of its metrics.

        Every example is read, so that one that is too small is reported before training starts;
        simulation and score are traced with the shapes of the first.

        Args:
            variables: the network's, or their shapes.

        Raises:
            ValueError: if an example is too small, or does not suit the task.
        """
        sizes = {name: self.chosen[name] for name in ("height", "width", "group")}
        parts = [middle_part(self.source, index, **sizes) for index in range(len(self.source))]
        key = jax.random.key(0)
        example = jax.eval_shape(self.simulate, key, parts[0])
        metrics, _ = jax.eval_shape(self.score, variables, example, key)
        return sorted(metrics)

    def __call__(self, variables: Any, workdir: Path, devices: Devices) -> dict[str, float]:
        """Score all examples, and draw the first ones into `workdir/pictures`.

        Args:
            variables: of the network; on one device of this process, or in NumPy.
            workdir: gets the pictures.
            devices: of all processes; each process scores its share of the examples on its own.

        Returns:
            The means of the metrics in the first process, `{}` in the others.
        """
        process, processes = jax.process_index(), jax.process_count()
        total = len(self.source) * self.chosen["per_example"]
        ours = [device for device in devices if device.process_index == process]
        ours = ours[: max(1, len(range(process, total, processes)))]
        (workdir / FOLDER).mkdir(exist_ok=True)
        score, variables = over_examples(self.score, tuple(ours)), on_all(variables, ours)
        examples = held_out(self.source, self.simulate, part=(process, processes), **self.chosen)
        rows: list[Any] = []
        for batch in _batches(examples, len(ours)):
            names, arrays, keys = zip(*batch, strict=True)
            stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *_filled(arrays, len(ours)))
            metrics, shown = score(variables, (stacked, jnp.stack(_filled(keys, len(ours)))))
            for number, name in enumerate(names):
                row = {key: float(values[number]) for key, values in metrics.items()}
                if len(rows) * processes + process < self.pictures:
                    drawn: Any = {key: np.asarray(values[number]) for key, values in shown.items()}
                    example: Any = jax.tree.map(np.asarray, arrays[number])
                    panels = self.draw(example, drawn, row)
                    write_panels(workdir / FOLDER / f"{name}.png", panels)
                rows.append(row)
        rows = _of_all_processes(rows, total)
        return {} if process else mean_metrics(rows)


def _batches(examples: Iterator[Held], size: int) -> Iterator[list[Held]]:
    """Yield lists of at most `size` consecutive examples whose arrays have the same shapes."""
    for _, alike in itertools.groupby(examples, lambda each: jax.tree.map(jnp.shape, each[1])):
        while some := list(itertools.islice(alike, size)):
            yield some


def _filled(items: Sequence[Any], size: int) -> list[Any]:
    """Return the items, with the last one repeated up to `size`: one compiled shape for all."""
    return [*items, *[items[-1]] * (size - len(items))]


def _of_all_processes(rows: list[Any], total: int) -> list[Any]:
    """Gather the rows of all processes, in the order of the examples, in the first process."""
    processes = jax.process_count()
    if processes == 1:
        return rows
    names = list(rows[0]) if rows else []
    width = int(np.max(multihost_utils.process_allgather(np.asarray(len(names)))))
    table = np.full((-(-total // processes), width), np.nan)  # the shares may differ by one
    for number, row in enumerate(rows):
        table[number] = list(row.values())
    tables = np.asarray(multihost_utils.process_allgather(table))
    order = [(number % processes, number // processes) for number in range(total)]
    return [dict(zip(names, tables[place].tolist(), strict=False)) for place in order]


def make_evaluation(
    task: Any,
    model: Any,
    source: Source,
    simulate: Simulate,
    *,
    seed: int,
    height: int = 0,
    width: int = 0,
    group: int = 0,
    per_example: int = 1,
    pictures: int = 0,
    **options: Any,
) -> Evaluation:
    """Return the evaluation of a network.

    Args:
        task: a module of `training.tasks`.
        model: the network.
        source: examples that the network was not trained on.
        simulate: makes an example of the task out of one of the source.
        seed: see `held_out`.
        height: see `held_out`.
        width: see `held_out`.
        group: see `held_out`.
        per_example: see `held_out`.
        pictures: how many of the examples to draw.
        **options: of the task's `make_score`.
    """
    sizes = {"height": height, "width": width, "group": group, "per_example": per_example}
    score = task.make_score(model, **options)
    return Evaluation(source, simulate, score, task.draw, pictures, {"seed": seed, **sizes})


def evaluate(
    task: Any,
    model: Any,
    variables: Any,
    source: Source,
    simulate: Simulate,
    *,
    workdir: Path,
    **fields: Any,
) -> dict[str, float]:
    """Evaluate a network once, on one device; see `make_evaluation`.

    Args:
        task: a module of `training.tasks`.
        model: the network.
        variables: its parameters and statistics.
        source: examples that the network was not trained on.
        simulate: makes an example of the task out of one of the source.
        workdir: gets `pictures/`.
        **fields: of `make_evaluation`.
    """
    evaluation = make_evaluation(task, model, source, simulate, **fields)
    return evaluation(variables, workdir, jax.local_devices()[:1])
