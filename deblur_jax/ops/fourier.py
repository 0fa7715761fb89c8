"""Basis blur by fast Fourier transforms of overlapping tiles.

Both functions take arrays that are padded already and return the pixels whose window lies
inside. Four decisions make them fast and small:

* Two real kernels ride on one complex transform, one in its real and one in its imaginary part.
  A complex transform costs hardly more than a real one here, so this halves the work.
* Tiles small enough for the cache (`TILE_PIXELS`), of sizes without large prime factors.
* The spectra of the kernels are those of one tile, made once for all tiles.
* Nothing of the size of `image x kernels` is ever held: one pair of kernels is applied to one
  tile at a time, and the backward pass makes a tile again instead of keeping it.
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.ops.tiling import Cut, fold, join, plan, split, unfold


# The largest tile. On a CPU three complex channels of a tile stay near the core; elsewhere
# launching many small transforms costs more than memory does.
TILE_PIXELS = {"cpu": 110_000}
TILE_PIXELS_ELSEWHERE = 4_000_000
# A loop over so few pairs is written out: on a CPU a transform inside a loop has one core.
UNROLLED_PAIRS = 4


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, tile_pixels: int = 0
) -> jax.Array:
    """Filters with every kernel, then mixes.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
        tile_pixels: the largest tile; 0 leaves it to the backend.

    Returns:
        `[h, w, c]`.
    """
    height, width, _ = mixing.shape
    rows, columns = plan(
        (height, width), kernels.shape[-1] - 1, tile_pixels or default_tile_pixels()
    )
    transfers = jnp.conj(_spectra(kernels, rows.tile, columns.tile))
    tiles = unfold(unfold(jnp.moveaxis(padded, 2, 0), 1, rows), 3, columns)  # [x, y, c, t, t]

    @jax.checkpoint
    def filter_tile(tile, mixing_tile):
        spectrum = jnp.fft.fft2(tile)

        @jax.checkpoint
        def add_pair(total, inputs):
            transfer, weights = inputs
            filtered = jnp.fft.ifft2(spectrum * transfer[None])[:, : rows.block, : columns.block]
            mixed = weights[0][None] * filtered.real + weights[1][None] * filtered.imag
            return total + mixed, None

        blank = jnp.zeros((tile.shape[0], rows.block, columns.block), tile.dtype)
        return _scan_pairs(add_pair, blank, transfers, mixing_tile)

    blocks = _map_tiles(filter_tile, tiles, mixing, rows, columns)
    return jnp.moveaxis(join(join(blocks, 3, width), 1, height), 0, 2)


def mix_then_filter(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, tile_pixels: int = 0
) -> jax.Array:
    """Mixes with every map, then filters.

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h + s - 1, w + s - 1, k]`, padded like the image.
        tile_pixels: the largest tile; 0 leaves it to the backend.

    Returns:
        `[h, w, c]`.
    """
    reach = kernels.shape[-1] - 1
    height, width, channels = padded.shape
    rows, columns = plan((height, width), reach, tile_pixels or default_tile_pixels())
    transfers = _spectra(kernels[:, ::-1, ::-1], rows.tile, columns.tile)
    blocks = split(split(jnp.moveaxis(padded, 2, 0), 1, rows), 3, columns)

    @jax.checkpoint
    def filter_tile(block, mixing_tile):
        @jax.checkpoint
        def add_pair(spectrum, inputs):
            transfer, weights = inputs
            pair = lax.complex(weights[0][None] * block, weights[1][None] * block)
            return spectrum + transfer[None] * jnp.fft.fft2(pair, (rows.tile, columns.tile)), None

        blank = jnp.zeros((channels, rows.tile, columns.tile), transfers.dtype)
        return jnp.fft.ifft2(_scan_pairs(add_pair, blank, transfers, mixing_tile)).real

    tiles = _map_tiles(filter_tile, blocks, mixing, rows, columns)
    blurred = fold(fold(tiles, 3, columns), 1, rows)[:, reach:height, reach:width]
    return jnp.moveaxis(blurred, 0, 2)


def default_tile_pixels() -> int:
    """Returns the largest number of pixels in a tile on the backend in use."""
    return TILE_PIXELS.get(jax.default_backend(), TILE_PIXELS_ELSEWHERE)


def _spectra(kernels: jax.Array, height: int, width: int) -> jax.Array:
    """Returns the spectra of `k0 - i k1` for each pair of kernels, `[pairs, height, width]`."""
    pairs = _even(kernels).reshape(-1, 2, *kernels.shape[1:])
    return jnp.fft.fft2(lax.complex(pairs[:, 0], -pairs[:, 1]), (height, width))


def _scan_pairs(step, start: jax.Array, transfers: jax.Array, mixing: jax.Array) -> jax.Array:
    """Returns the last carry of `step` over the pairs of kernels and of maps `[h, w, k]`."""
    pairs, basis = transfers.shape[0], mixing.shape[2]
    # A product with ones and zeros: it rearranges the maps, adds the missing one, and is faster
    # than a transposition and a copy.
    select = jnp.eye(2 * pairs, basis, dtype=mixing.dtype)
    maps = lax.dot_general(select, mixing, (((1,), (2,)), ((), ())), precision="highest")
    maps = maps.reshape(pairs, 2, *mixing.shape[:2])
    return lax.scan(step, start, (transfers, maps), unroll=pairs <= UNROLLED_PAIRS)[0]


def _even(array: jax.Array) -> jax.Array:
    """Returns `array` with a zero entry appended if its first axis has an odd number of them."""
    return jnp.pad(array, ((0, array.shape[0] % 2),) + ((0, 0),) * (array.ndim - 1))


def _map_tiles(function, tiles: jax.Array, mixing: jax.Array, rows: Cut, columns: Cut):
    """Applies `function(tile, mixing of its block)` to each tile, one at a time.

    The mixing is the largest array of all. It is cut into rows of blocks without a copy, and only
    one such row is rearranged at a time.

    Args:
        function: takes `[c, ...]` and `[rows.block, columns.block, k]`.
        tiles: `[columns.count, rows.count, c, ...]`.
        mixing: `[h, w, k]`.
        rows: how rows are cut.
        columns: how columns are cut.

    Returns:
        The results, `[columns.count, rows.count, ...]`.
    """
    if rows.count == columns.count == 1:
        return function(tiles[0, 0], mixing)[None, None]

    @jax.checkpoint  # else the rearranged mixing of every row is kept for the backward pass
    def map_row(inputs):
        row_tiles, row_mixing = inputs
        return lax.map(lambda pair: function(*pair), (row_tiles, split(row_mixing, 1, columns)))

    rows_first = lax.map(map_row, (jnp.moveaxis(tiles, 1, 0), split(mixing, 0, rows)))
    return jnp.moveaxis(rows_first, 0, 1)
