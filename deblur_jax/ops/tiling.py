"""Overlapping tiles of one shape: where to cut, how to take apart and put together.

An axis of `length` output pixels, each of which sees `reach + 1` input pixels, is cut into
`count` blocks of `block` output pixels; the tile of a block holds the `block + reach` input
pixels that it sees and is rounded up to a size that transforms fast.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
from jax import lax


# In units of one pass of a transform over one pixel.
POINTWISE_COST = 12.0
TILE_COST = 30_000.0


@dataclasses.dataclass(frozen=True)
class Cut:
    """How one axis is cut: `count` blocks of `block` pixels, each seen through `tile` pixels."""

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
    """Returns the cuts of two axes that cost the fewest operations.

    The cost of a tile is that of its transforms, `n log n`, of the pointwise products, and a
    constant; a tile has at most `limit` pixels unless the reach alone asks for more. Of cuts that
    cost nearly the same, the one with the lowest tiles is taken, which rearranges the least at a
    time.

    Args:
        lengths: output pixels along both axes.
        reach: input pixels that an output pixel sees along an axis, less one.
        limit: of the pixels in a tile.
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


def over_windows(function, array: jax.Array, axis: int, cut: Cut, reach: int, *others: jax.Array):
    """Applies a function to the overlapping windows of an axis, one after the other.

    What a window shares with the one before is handed on, so that nothing is copied beforehand,
    and the derivative adds up overlaps in the same way.

    Args:
        function: takes a window, of which `axis` has `cut.block + reach` pixels, and a part of
            each of the others.
        array: `axis` holds `reach` pixels more than the blocks; zero where it is too short.
        axis: the axis that is cut.
        cut: how.
        reach: pixels that a window has more than a block, in front.
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


def over_sums(function, axis: int, cut: Cut, reach: int, *inputs: jax.Array):
    """Adds up the overlapping results of a function along an axis, in the manner of the above.

    Args:
        function: takes a part of each input. `axis` of its result has `cut.block + reach` pixels;
            or, if there is one block alone, as many as that.
        axis: the axis that is cut.
        cut: how.
        reach: pixels that a result reaches into the next block.
        *inputs: `[cut.count, ...]`.

    Returns:
        The sums as blocks, `[cut.count, ...]`, without what reaches beyond the last one.
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
    """Returns the blocks of an axis, without overlap and zero beyond its end, as a leading axis."""
    array = _fit(jnp.moveaxis(array, axis, 0), cut.count * cut.block)
    blocks = array.reshape(cut.count, cut.block, *array.shape[1:])
    return jnp.moveaxis(blocks, 1, axis + 1)


def join(blocks: jax.Array, axis: int, length: int) -> jax.Array:
    """Returns the first `length` pixels of an axis put together from its blocks."""
    blocks = jnp.moveaxis(blocks, axis + 1, 1)
    whole = blocks.reshape(-1, *blocks.shape[2:])[:length]
    return jnp.moveaxis(whole, 0, axis)


def _fit(array: jax.Array, length: int) -> jax.Array:
    """Returns `array` with its first axis cropped, or continued with zeros, to `length`."""
    missing = length - array.shape[0]
    if missing <= 0:
        return array[:length]
    return jnp.pad(array, ((0, missing),) + ((0, 0),) * (array.ndim - 1))
