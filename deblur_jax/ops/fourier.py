"""Basis blur by fast Fourier transforms of overlapping tiles.

Both functions take padded arrays and return the pixels whose windows lie inside. Four decisions
make them fast and keep their memory small:

* Real transforms compute half of the spectrum, in the derivatives, too.
* Tiles fit into the cache (`TILE_PIXELS`), and their sizes have no large prime factors.
* The spectra of the kernels have the size of one tile and are computed once for all tiles.
* No array of the size of `image x kernels` is stored: one kernel is applied to one tile at a time,
  and the backward pass recomputes each tile. Several kernels are applied at once only where tiles
  are small (`GROUP_NUMBERS`, `STEPS_WRITTEN_OUT`).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from deblur_jax.ops.tiling import fast_size, join, over_sums, over_windows, plan, split


# The largest tile. On a CPU the spectra of three channels of a tile fit into the cache; elsewhere
# launching many small transforms would cost more than the memory.
TILE_PIXELS = {"cpu": 110_000}
TILE_PIXELS_ELSEWHERE = 4_000_000
# The complex numbers transformed at once, which determine the number of kernels in a loop step.
GROUP_NUMBERS = 120_000
# The largest number of steps for which the loop of a single tile is unrolled: XLA then makes better
# use of a CPU's cores, and stores a few kernels of a small tile. Elsewhere tiles are large.
STEPS_WRITTEN_OUT = {"cpu": 12}


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, tile_pixels: int = 0
) -> jax.Array:
    """Filters with every kernel, then mixes (gather order).

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
        tile_pixels: pixels in the largest tile; 0 selects the default of the backend.

    Returns:
        `[h, w, c]`.
    """
    height, width, _ = mixing.shape
    reach = kernels.shape[-1] - 1
    rows, columns = plan((height, width), reach, tile_pixels or default_tile_pixels())
    sizes, alone = (rows.tile, columns.tile), rows.count == columns.count == 1
    sources, spectra_of = _spectra(kernels, sizes, alone)

    def filter_tile(tile, mixing):  # [c, ...], [h, w, k]
        spectrum = jnp.fft.rfft2(tile, sizes)

        def add_filtered(total, sources, maps):
            transfers = jnp.conj(spectra_of(sources))
            filtered = jnp.fft.irfft2(spectrum[None] * transfers[:, None], sizes)
            for weights, planes in zip(maps, filtered, strict=True):
                total = total + weights[None] * planes[:, : rows.block, : columns.block]
            return total

        blank = jnp.zeros((tile.shape[0], rows.block, columns.block), tile.dtype)
        return _over_kernels(add_filtered, blank, sources, mixing, spectrum.size, alone)

    def filter_row(window, mixing):  # [h, w, c], [h, w, k]
        window, mixing = jnp.moveaxis(window, 2, 0), split(mixing, 1, columns)
        blocks = over_windows(filter_tile, window, 2, columns, reach, mixing)
        return jnp.moveaxis(join(blocks, 2, width), 0, 2)

    blocks = over_windows(filter_row, padded, 0, rows, reach, split(mixing, 0, rows))
    return join(blocks, 0, height)


def mix_then_filter(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, tile_pixels: int = 0
) -> jax.Array:
    """Mixes with every map, then filters (scatter order).

    Args:
        padded: `[h + s - 1, w + s - 1, c]`.
        kernels: `[k, s, s]`.
        mixing: `[h + s - 1, w + s - 1, k]`, padded like the image.
        tile_pixels: pixels in the largest tile; 0 selects the default of the backend.

    Returns:
        `[h, w, c]`.
    """
    reach = kernels.shape[-1] - 1
    height, width, channels = padded.shape
    cuts = plan((height, width), reach, tile_pixels or default_tile_pixels())
    # Light that leaves a single tile may wrap around: it falls on the margin that is cropped.
    rows, columns = (
        dataclasses.replace(cut, tile=fast_size(cut.block)) if cut.count == 1 else cut
        for cut in cuts
    )
    seen = [cut.block + (reach if cut.count > 1 else 0) for cut in (rows, columns)]
    sizes, alone = (rows.tile, columns.tile), rows.count == columns.count == 1
    sources, spectra_of = _spectra(kernels[:, ::-1, ::-1], sizes, alone)

    def filter_tile(block, mixing):  # [c, h, w], [h, w, k]
        def add_filtered(spectrum, sources, maps):
            mixed = jnp.fft.rfft2(maps[:, None] * block[None], sizes)
            for transfer, each in zip(spectra_of(sources), mixed, strict=True):
                spectrum = spectrum + transfer[None] * each
            return spectrum

        complex_dtype = np.result_type(block.dtype, np.complex64)  # keeps the precision
        blank = jnp.zeros((channels, rows.tile, columns.tile // 2 + 1), complex_dtype)
        spectrum = _over_kernels(add_filtered, blank, sources, mixing, blank.size, alone)
        return jnp.fft.irfft2(spectrum, sizes)[:, : seen[0], : seen[1]]

    def filter_row(block, mixing):  # [h, w, c], [h, w, k]
        inputs = split(jnp.moveaxis(block, 2, 0), 2, columns), split(mixing, 1, columns)
        blocks = over_sums(filter_tile, 2, columns, reach, *inputs)
        return jnp.moveaxis(join(blocks, 2, width), 0, 2)

    blocks = over_sums(filter_row, 0, rows, reach, split(padded, 0, rows), split(mixing, 0, rows))
    return join(blocks, 0, height)[reach:, reach:]


def default_tile_pixels() -> int:
    """Returns the largest number of pixels in a tile on the backend in use."""
    return TILE_PIXELS.get(jax.default_backend(), TILE_PIXELS_ELSEWHERE)


def _spectra(kernels: jax.Array, sizes: tuple[int, int], alone: bool):
    """Returns a source for each kernel, and a function from sources to spectra.

    Several tiles share the spectra, `[k, height, width // 2 + 1]`. For a single tile the spectra
    would take as much memory as all the rest, so each is computed where it is used.
    """

    def spectra(kernels):
        return jnp.fft.rfft2(kernels, sizes)

    if alone:
        return kernels, spectra
    return spectra(kernels), lambda spectra: spectra


def _over_kernels(
    add, total: jax.Array, sources: jax.Array, mixing: jax.Array, numbers: int, alone: bool
) -> jax.Array:
    """Returns `total` after `add(total, sources [n, ...], maps [n, h, w])` for all kernels.

    Args:
        add: adds the contributions of some kernels.
        total: the initial value.
        sources: the sources of the kernels, from `_spectra`.
        mixing: `[h, w, k]`.
        numbers: complex numbers transformed for one kernel, which determine how many kernels are
            applied at once.
        alone: whether this is the only tile; a few steps are then unrolled.
    """
    maps = jnp.moveaxis(mixing, 2, 0)
    group = min(len(maps), max(1, GROUP_NUMBERS // numbers))
    steps = len(maps) // group

    @jax.checkpoint
    def step(total, inputs):
        return add(total, *inputs), None

    def of_steps(array):
        return array[: steps * group].reshape(steps, group, *array.shape[1:])

    written_out = alone and steps <= STEPS_WRITTEN_OUT.get(jax.default_backend(), 0)
    total, _ = lax.scan(step, total, (of_steps(sources), of_steps(maps)), unroll=written_out)
    if steps * group < len(maps):
        total, _ = step(total, (sources[steps * group :], maps[steps * group :]))
    return total
