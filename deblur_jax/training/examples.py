"""Examples for training and for evaluation, simulated where a task needs it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.data.examples import KERNELS, PICTURES, Source, plane, size_of


Example = dict[str, jax.Array]
Simulate = Callable[[jax.Array, Example], Example]


def simulated(simulate: Simulate, batch: Example, key: jax.Array) -> Example:
    """Returns what `simulate` makes of each example of a batch, each with a key of its own."""
    count = len(next(iter(batch.values())))
    return jax.vmap(simulate)(jax.random.split(key, count), batch)


def blurry_inputs(simulate: Simulate, batch: Example, key: jax.Array) -> tuple[jax.Array]:
    """Returns what networks of one blurry photo are called with: a task's `model_inputs`."""
    return (simulated(simulate, batch, key)["blurry"],)


def held_out(
    source: Source,
    simulate: Simulate,
    *,
    seed: int,
    height: int,
    width: int,
    per_example: int = 1,
    group: int = 0,
) -> Iterator[tuple[str, Example]]:
    """Yields `(name, example)`: the middle of each of the source's examples, simulated.

    Args:
        source: what the network was not trained on.
        simulate: makes an example of a task out of one of the source.
        seed: of the simulation; an example depends on it and on its place alone.
        height: of the middle part that is used, in pixels.
        width: likewise.
        per_example: how often each is simulated.
        group: how many examples of the source, one after the other, make one of the task, as in
            `data.pipeline.training_batches`; 0 for one without the axis of a group.

    Raises:
        ValueError: if an example is smaller than that.
    """
    make_example = jax.jit(simulate)
    for index in range(len(source)):
        middle = _group(source, index, height, width, group)
        for number in range(per_example):
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), index), number)
            yield f"{Path(source.name(index)).stem}-{number}", make_example(key, middle)


def _group(source: Source, index: int, height: int, width: int, group: int) -> Example:
    """Returns the middle of an example, or those of a group of them, the last before the first."""
    places = [(index + number) % len(source) for number in range(group or 1)]
    middles = [_middle(source[place], height, width, source.name(place)) for place in places]
    if not group:
        return middles[0]
    return {name: jnp.stack([middle[name] for middle in middles]) for name in middles[0]}


def _middle(example: dict[str, np.ndarray], height: int, width: int, name: str) -> Example:
    rows, columns = size_of(example)
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
