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


def unfold(array: jax.Array, axis: int, cut: Cut) -> jax.Array:
    """Returns the overlapping tiles of an axis, zero beyond its end, as a new leading axis.

    Args:
        array: any shape; `axis` holds at most what the tiles cover.
        axis: the axis to cut, which then holds one tile.
        cut: how.

    Returns:
        `[cut.count, ...]`, tile `i` starting at pixel `i * cut.block`.
    """
    array = jnp.moveaxis(array, axis, 0)
    pieces = -(-cut.tile // cut.block)
    blocks = cut.count + pieces - 1
    array = _fit(array, blocks * cut.block).reshape(blocks, cut.block, *array.shape[1:])
    shifted = [array[piece : piece + cut.count] for piece in range(pieces)]
    tiles = jnp.concatenate(shifted, axis=1)[:, : cut.tile]
    return jnp.moveaxis(tiles, 1, axis + 1)


def fold(tiles: jax.Array, axis: int, cut: Cut) -> jax.Array:
    """Returns the sum of overlapping tiles along an axis, the adjoint of `unfold`.

    Args:
        tiles: `[cut.count, ...]`, of which `axis + 1` holds one tile.
        axis: the axis that the tiles cover in the result.
        cut: how they overlap.
    """
    pieces = -(-cut.tile // cut.block)
    tiles = jnp.moveaxis(tiles, axis + 1, 1)
    tiles = jnp.moveaxis(_fit(jnp.moveaxis(tiles, 1, 0), pieces * cut.block), 0, 1)
    total = jnp.zeros((cut.count + pieces - 1, cut.block, *tiles.shape[2:]), tiles.dtype)
    for piece in range(pieces):
        part = tiles[:, piece * cut.block : (piece + 1) * cut.block]
        widths = ((piece, pieces - 1 - piece),) + ((0, 0),) * (part.ndim - 1)
        total = total + jnp.pad(part, widths)
    return jnp.moveaxis(total.reshape(-1, *tiles.shape[2:]), 0, axis)


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
