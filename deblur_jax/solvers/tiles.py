"""Restore large photos in overlapping tiles of one shape.

The outer pixels of a tile lack the light from outside the tile, so `halo` pixels along each inner
edge are discarded, and over the next `blend` pixels a tile fades into its neighbour. Nothing is
discarded at the photo's own edges. All tiles have one shape and lie inside the photo, so that the
restoration is compiled once.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from deblur_jax.ops.tiling import fast_size
from deblur_jax.threads import accelerators, in_order


WHOLE_PIXELS = 1_500_000  # a larger photo is restored in tiles
BLEND = 16  # pixels
SHARE = 0.4  # of the device's memory that a tile may take
AT_ONCE = 2  # tiles; more would take more memory, and convolutions use all cores
SMALLEST = 64  # pixels a side

TileProgress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Tile:
    """The place of a tile and the weights of its pixels.

    Attributes:
        rows: the tile's rows of the photo.
        columns: the tile's columns of the photo.
        weights: `[tile height, tile width, 1]`.
    """

    rows: slice
    columns: slice
    weights: np.ndarray


def restore_tiled(
    restore: Callable[..., Any],
    *photos: Any,
    shared: tuple[Any, ...] = (),
    halo: int,
    blend: int = BLEND,
    tile: tuple[int, int] | None = None,
    memory: int | None = None,
    compiled: bool = False,
    progress: TileProgress | None = None,
) -> Any:
    """Applies an image-to-image function to a large photo, tile by tile.

    The function may be an operator, an estimator or a whole solve:

        restore_tiled(lambda y, blur: steepest_descent(blur, y, ...)[0], photo, blur, halo=48)

    If a tile does not fit into the device's memory, the tiles are halved along their longer side
    and the computation starts again.

    Args:
        restore: maps the parts of one tile to a tree of arrays with the same rows and columns. It
            is compiled once, and not again when the same function is passed again.
        photos: what is cut into tiles: arrays `[h, w, ...]`, such as the photo, first; and blurs,
            such as `LineBlur`. They stay on the host.
        shared: arguments of `restore` that come first and are the same for all tiles, such as the
            parameters of a network.
        halo: pixels along a tile's inner edges that are discarded. With the radius of an operator
            the result is exact. An iterative solver reaches further, with little effect.
        blend: pixels over which two tiles fade into each other.
        tile: rows and columns of a tile; from the device's memory if None.
        memory: bytes that one tile may need; a share of the device's memory if None.
        compiled: whether `restore` is called as it is, because it runs compiled programs itself; it
            then needs a `tile`.
        progress: called as `progress(tiles done, all tiles)`.

    Returns:
        The tree of `restore` for the whole photo, NumPy arrays `[h, w, ...]`.

    Raises:
        ValueError: if the photos differ in size, or a tile is too small for its halo.
        MemoryError: if even the smallest tile does not fit.

    Example:
        >>> photo = np.ones((200, 300, 3), np.float32)
        >>> restore_tiled(lambda x: 0.5 * x, photo, halo=8, tile=(128, 128)).shape
        (200, 300, 3)
    """
    arrays = [photo for photo in photos if hasattr(photo, "shape")]
    if len({array.shape[:2] for array in arrays}) != 1:
        raise ValueError(
            "restore_tiled: photos must be given and have one height and width, got "
            f"{[list(array.shape) for array in arrays]}"
        )
    if halo < 0 or blend < 0:
        raise ValueError(
            f"restore_tiled: halo and blend must be at least 0, got {halo} and {blend}"
        )
    size = (arrays[0].shape[0], arrays[0].shape[1])
    photos = jax.tree.map(np.asarray, photos)
    run = restore if compiled else jax.jit(restore)
    if tile is None:
        tile = _affordable(run, shared, photos, size, halo, blend, memory or device_memory(SHARE))
    tile = (min(tile[0], size[0]), min(tile[1], size[1]))
    while True:
        try:
            pieces = list(tiles(size, tile, halo, blend))
            return _stitch(run, shared, photos, pieces, size, progress)
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            smaller = halved(tile)
            out_of_memory = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
            if not out_of_memory:
                raise
            if tile == smaller or not _fits(smaller, size, halo, blend):
                raise MemoryError(
                    f"restore_tiled: a tile of {tile[0]}x{tile[1]} pixels does not fit into "
                    "memory, and a smaller one not around its halo; free memory or reduce halo"
                ) from error
            tile = smaller


def tiles(
    size: tuple[int, int], tile: tuple[int, int], halo: int, blend: int = BLEND
) -> Iterator[Tile]:
    """Yields tiles that cover a photo; their weights sum to one at every pixel.

    Args:
        size: rows and columns of the photo.
        tile: rows and columns of a tile, at most those of the photo.
        halo: pixels along inner edges of weight zero.
        blend: pixels over which weights rise beyond the halo.

    Raises:
        ValueError: if a tile is too small for its halo.
    """
    if not _fits(tile, size, halo, blend):
        raise ValueError(
            f"tiles: a tile must be larger than its two halos and blends, {2 * (halo + blend)} "
            f"pixels, or as large as the photo, got {tile[0]}x{tile[1]}"
        )
    rows, columns = (
        _axis(length, extent, halo, blend) for length, extent in zip(size, tile, strict=True)
    )
    for start, down in rows:
        for left, across in columns:
            yield Tile(
                slice(start, start + tile[0]),
                slice(left, left + tile[1]),
                np.outer(down, across)[..., None].astype(np.float32),
            )


def halved(tile: tuple[int, int]) -> tuple[int, int]:
    """Returns the size of a tile whose longer side is halved."""
    height, width = tile
    return (height, -(-width // 2)) if width >= height else (-(-height // 2), width)


def device_memory(share: float = 1.0) -> int:
    """Returns a share of the default device's free memory, in bytes."""
    device = jax.devices()[0]
    statistics = device.memory_stats() or {}
    if "bytes_limit" in statistics:
        return int(share * (statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)))
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    listing = Path("/proc/meminfo")
    if listing.exists():  # MemAvailable includes caches that the system can drop
        lines = dict(line.split(":") for line in listing.read_text().splitlines() if ":" in line)
        free = int(lines.get("MemAvailable", f"{free // 1024} kB").split()[0]) * 1024
    return int(share * free)


def _fits(tile: tuple[int, int], size: tuple[int, int], halo: int, blend: int) -> bool:
    return all(
        extent >= length or extent > 2 * (halo + blend)
        for extent, length in zip(tile, size, strict=True)
    )


def _axis(length: int, extent: int, halo: int, blend: int) -> list[tuple[int, np.ndarray]]:
    """Returns the start of each tile along an axis and the weights of its pixels."""
    overlap = 2 * halo + blend
    count = 1 if extent >= length else math.ceil((length - overlap) / (extent - overlap))
    starts = np.round(np.linspace(0, length - extent, count)).astype(int) if count > 1 else [0]
    place = np.arange(extent) + 0.5
    ramps = []
    for index, start in enumerate(starts):
        weights = np.ones(extent)
        if index > 0:
            weights = np.minimum(weights, (place - halo) / max(blend, 1e-3))
        if index < count - 1:
            weights = np.minimum(weights, (extent - place - halo) / max(blend, 1e-3))
        ramps.append((int(start), np.clip(weights, 0, 1)))
    total = np.zeros(length)
    for start, weights in ramps:
        total[start : start + extent] += weights
    return [(start, weights / total[start : start + extent]) for start, weights in ramps]


def _affordable(
    compiled: Any, shared: tuple[Any, ...], photos: tuple[Any, ...], size: tuple[int, int],
    halo: int, blend: int, memory: int,
) -> tuple[int, int]:  # fmt: skip
    """Returns the largest tile that takes at most `memory` bytes, as the compiler estimates it."""
    least = 2 * (halo + blend) + SMALLEST
    probe = (min(size[0], least), min(size[1], least))
    parts = [_cut(photo, slice(probe[0]), slice(probe[1])) for photo in photos]
    needs = compiled.lower(*shared, *parts).compile().memory_analysis()
    each = 1.0
    if needs is not None:
        bytes_needed = (
            needs.temp_size_in_bytes + needs.argument_size_in_bytes + needs.output_size_in_bytes
        )
        each = max(1.0, bytes_needed / math.prod(probe))
    tile = size
    while math.prod(tile) * each > memory and _fits(halved(tile), size, halo, blend):
        tile = halved(tile)
    if tile == size:
        return tile
    return (min(size[0], fast_size(tile[0])), min(size[1], fast_size(tile[1])))


def _cut(photo: Any, rows: slice, columns: slice) -> Any:
    return photo.cut(rows, columns) if hasattr(photo, "cut") else photo[rows, columns]


def _stitch(
    restore: Callable, shared: tuple[Any, ...], photos: tuple[Any, ...], pieces: list[Tile],
    size: tuple[int, int], progress: TileProgress | None,
) -> Any:  # fmt: skip
    devices = accelerators()

    def restore_piece(piece: Tile) -> Any:
        parts = [_cut(photo, piece.rows, piece.columns) for photo in photos]
        return jax.tree.map(np.asarray, restore(*shared, *parts))

    whole = None
    found = in_order(restore_piece, pieces, at_once=max(AT_ONCE, len(devices)), devices=devices)
    for number, (piece, result) in enumerate(zip(pieces, found, strict=True)):
        if whole is None:
            whole = jax.tree.map(lambda x: np.zeros((*size, *x.shape[2:]), x.dtype), result)
        jax.tree.map(functools.partial(_add, piece), whole, result)
        if progress is not None:
            progress(number + 1, len(pieces))
    return whole


def _add(piece: Tile, whole: np.ndarray, result: np.ndarray) -> None:
    weights = piece.weights.reshape(*piece.weights.shape[:2], *(1,) * (result.ndim - 2))
    whole[piece.rows, piece.columns] += (weights * result).astype(result.dtype)
