"""Overlapping tiles of one shape: where to cut an image, how to split and join it.

An axis of `length` output pixels, each of which depends on `reach + 1` input pixels, is cut into
`count` blocks of `block` output pixels. The tile of a block holds the `block + reach` input pixels
on which it depends, and is rounded up to a size with fast transforms.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


# In units of one pass of a transform over one pixel.
POINTWISE_COST = 12.0
TILE_COST = 30_000.0


@dataclasses.dataclass(frozen=True)
class Cut:
    """How one axis is cut: `count` blocks of `block` output pixels, with tiles of `tile` pixels."""

    count: int
    block: int
    tile: int


def fast_size(size: int) -> int:
    """Returns the smallest number of the form 2^a 3^b 5^c 7^d that is at least `size`."""
    while True:
        rest = size
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


@functools.cache
def plan(lengths: tuple[int, int], reach: int, limit: int) -> tuple[Cut, Cut]:
    """Returns the cuts of two axes with the lowest cost.

    The cost of a tile is that of its transforms, `n log n`, plus the pointwise products and a
    constant. A tile has at most `limit` pixels unless the reach requires more. Of the cuts with
    nearly the lowest cost, the one with the fewest rows in a tile is selected, because it moves
    the least memory at a time.

    Args:
        lengths: output pixels along both axes.
        reach: input pixels on which an output pixel depends along an axis, less one.
        limit: the largest number of pixels in a tile.
    """
    rows, columns = (_cuts(length, reach) for length in lengths)
    pairs = [(row, column) for row in rows for column in columns]
    allowed = [pair for pair in pairs if pair[0].tile * pair[1].tile <= limit]
    allowed = allowed or [min(pairs, key=lambda pair: pair[0].tile * pair[1].tile)]
    lowest = min(map(_cost, allowed))
    return min((pair for pair in allowed if _cost(pair) <= 1.05 * lowest), key=_height)


def _cuts(length: int, reach: int) -> list[Cut]:
    """Returns the cuts worth considering: down to blocks of half the reach, or of 8 pixels."""
    counts = range(1, max(1, length // max(8, reach // 2)) + 1)
    blocks = sorted({-(-length // count) for count in counts})
    return [Cut(-(-length // block), block, fast_size(block + reach)) for block in blocks]


def _cost(pair: tuple[Cut, Cut]) -> float:
    row, column = pair
    pixels = row.tile * column.tile
    work = pixels * (math.log2(max(2, pixels)) + POINTWISE_COST) + TILE_COST
    return row.count * column.count * work


def _height(pair: tuple[Cut, Cut]) -> int:
    return pair[0].block


def over_windows(
    function: Callable[..., Any],
    array: jax.Array,
    axis: int,
    cut: Cut,
    reach: int,
    *others: jax.Array,
) -> Any:
    """Applies a function to the overlapping windows of an axis, one after the other.

    The overlap with the next window is carried, so the windows are not copied in advance, and the
    derivative accumulates overlaps in the same way.

    Args:
        function: takes a window, with `cut.block + reach` pixels along `axis`, and one element of
            each of the others.
        array: has `reach` more pixels along `axis` than the blocks; extended with zeros if shorter.
        axis: the axis that is cut.
        cut: how the axis is cut.
        reach: pixels by which a window is longer than a block, at its front.
        *others: `[cut.count, ...]`.

    Returns:
        The results, `[cut.count, ...]`.
    """
    before, rest = jnp.split(array, [reach], axis)

    @jax.checkpoint
    def step(before, inputs):
        block, *parts = inputs
        window = jnp.concatenate([before, block], axis)
        return jnp.split(window, [cut.block], axis)[1], function(window, *parts)

    return lax.scan(step, before, (split(rest, axis, cut), *others))[1]


def over_sums(
    function: Callable[..., Any], axis: int, cut: Cut, reach: int, *inputs: jax.Array
) -> Any:
    """Adds up the overlapping results of a function along an axis: overlap-add.

    Args:
        function: takes one element of each input. Its result has `cut.block + reach` pixels along
            `axis`, or `cut.block` if there is only one block.
        axis: the axis that is cut.
        cut: how the axis is cut.
        reach: pixels by which a result extends into the next block.
        *inputs: `[cut.count, ...]`.

    Returns:
        The sums as blocks, `[cut.count, ...]`, without the extension of the last one.
    """
    if cut.count == 1:
        return function(*(array[0] for array in inputs))[None]

    @jax.checkpoint
    def step(before, parts):
        result = function(*parts)
        widths = [(0, 0)] * result.ndim
        widths[axis] = (0, cut.block)
        block, beyond = jnp.split(result + jnp.pad(before, widths), [cut.block], axis)
        return beyond, block

    first = jax.eval_shape(function, *(array[0] for array in inputs))
    shape = list(first.shape)
    shape[axis] = reach
    return lax.scan(step, jnp.zeros(shape, first.dtype), inputs)[1]


def split(array: jax.Array, axis: int, cut: Cut) -> jax.Array:
    """Splits an axis into blocks along a new leading axis, padded with zeros at the end."""
    array = _fit(jnp.moveaxis(array, axis, 0), cut.count * cut.block)
    blocks = array.reshape(cut.count, cut.block, *array.shape[1:])
    return jnp.moveaxis(blocks, 1, axis + 1)


def join(blocks: jax.Array, axis: int, length: int) -> jax.Array:
    """Joins blocks to an axis and returns its first `length` pixels: the inverse of `split`."""
    blocks = jnp.moveaxis(blocks, axis + 1, 1)
    whole = blocks.reshape(-1, *blocks.shape[2:])[:length]
    return jnp.moveaxis(whole, 0, axis)


def _fit(array: jax.Array, length: int) -> jax.Array:
    """Returns `array` with its first axis cropped or zero-padded to `length`."""
    missing = length - array.shape[0]
    if missing <= 0:
        return array[:length]
    return jnp.pad(array, ((0, missing),) + ((0, 0),) * (array.ndim - 1))
