"""Restoration from coarse to fine: at each size it starts from the restoration at half the size.

The error of an estimated kernel leaves ripples that are as long as the kernel. A denoiser sees a
few pixels around each pixel: it takes short ripples for noise, and long ones for texture. They are
removed where the photo is small. At larger sizes few steps are left to take, which add detail.

A blur adds up in light, and a photo holds display values. If the curve between them is known, the
photo is compared with the blurred restoration in light, while the denoiser sees display values.
"""

import dataclasses
import functools
import itertools
import math
from typing import Any, NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.coarse_to_fine import odd_side
from deblur_jax.blind.kernel_shape import resized
from deblur_jax.blind.restoration import (
    ESTIMATED_STEPS,
    effective_noise,
    restore_closed,
    room_of,
    side_of,
)
from deblur_jax.blind.working_photo import smaller
from deblur_jax.models.blocks import SMALLEST_SIDE
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.ops.periodic import canvas_side
from deblur_jax.ops.sensor import to_display, to_light
from deblur_jax.solvers.tiles import BLEND, WHOLE_PIXELS, TileProgress, restore_tiled
from deblur_jax.transfer import Transfer, display_from_light, light_from_display
from deblur_jax.typing import Array, Denoiser


SMALL = 100_000  # pixels: a photo is halved until it has no more, and at least once
LAST = 2  # steps, the last ones of all, at every size but the smallest
CANVAS = 1_700_000  # pixels of a tile's canvas; a larger one takes more memory
BRIGHTEST = 1.2  # display value of the brightest light that is restored
HALO = 32  # pixels beyond the reach of a kernel at a tile's inner edges that are not used


def restore_multiscale(
    photo: np.ndarray,
    blur: Any,
    *,
    denoise: Denoiser,
    steps: int = ESTIMATED_STEPS,
    transfer: Transfer = "linear",
    progress: TileProgress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Restore a photo whose blur was estimated, from coarse to fine.

    Args:
        photo: `[h, w, c]` in [0, 1].
        blur: a `UniformBlur` or a `WindowedBlur`.
        denoise: the prior.
        steps: at the smallest size; the last ones of them are taken at the others.
        transfer: from the photo's values to those in which the blur adds up, see `ops.sensor`.
        progress: called as `progress(tiles done, all tiles)` at the photo's own size.

    Returns:
        The restored photo, clipped to [0, 1], and the residual `blur(restored) - photo`.

    Raises:
        ValueError: if the photo has values outside [0, 1], or a kernel is larger than the photo.
    """
    if transfer in ("linear", 1.0):
        return _coarse_to_fine(photo, blur, denoise, steps, progress)
    light = light_from_display(photo, transfer).astype(np.float32)
    denoise = _denoise_light(denoise, transfer)
    restored, residual = _coarse_to_fine(light, blur, denoise, steps, progress)
    again = np.clip(light + residual, 0, 1)
    return display_from_light(restored, transfer), display_from_light(again, transfer) - photo


@functools.lru_cache(maxsize=8)  # the same function again, so that programs are compiled once
def _denoise_light(denoise: Denoiser, transfer: Transfer) -> Denoiser:
    """Return a denoiser of light that calls one of display values."""

    def denoise_light(image: Array, sigma: Array) -> jax.Array:
        displayed = denoise(to_display(jnp.maximum(image, 0), transfer), sigma)
        return to_light(jnp.clip(displayed, 0, BRIGHTEST), transfer)

    return denoise_light


def _coarse_to_fine(
    photo: np.ndarray, blur: Any, denoise: Denoiser, steps: int, progress: TileProgress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the restoration and its residual, both in the photo's values."""
    start = None
    for halvings in range(halvings_of(photo.shape[:2], blur), 0, -1):
        ratio = 0.5**halvings
        small, narrow = smaller(photo, ratio), scaled(blur, ratio)
        start, _ = _at_size(small, narrow, start, denoise, steps)
    return _at_size(photo, blur, start, denoise, steps, progress)


def halvings_of(size: tuple[int, ...], blur: Any) -> int:
    """Return how often a photo is halved before it is restored."""
    wanted = max(1, math.ceil(math.log(max(1.0, math.prod(size) / SMALL), 4)))
    able = (n for n in range(wanted, 0, -1) if _has_room(min(size) * 0.5**n, blur, 0.5**n))
    return next(able, 0)


def _has_room(shortest: float, blur: Any, ratio: float) -> bool:
    return shortest >= max(SMALLEST_SIDE, _scaled_side(blur, ratio) + 1)


def scaled(blur: Any, ratio: float) -> Any:
    """Return the blur of a photo that is shrunk by `ratio`."""
    side = _scaled_side(blur, ratio)
    if isinstance(blur, UniformBlur):
        return UniformBlur(jnp.asarray(resized(blur.kernel, side, ratio)))
    rows, columns = blur.kernels.shape[:2]
    flat = np.asarray(blur.kernels).reshape(rows * columns, *blur.kernels.shape[2:])
    kernels = np.stack([resized(kernel, side, ratio) for kernel in flat])
    return dataclasses.replace(
        blur,
        kernels=jnp.asarray(kernels).reshape(rows, columns, side, side),
        rows=ratio * blur.rows,
        columns=ratio * blur.columns,
    )


def _scaled_side(blur: Any, ratio: float) -> int:
    return odd_side(ratio * side_of(blur)) + 2


def _at_size(
    photo: np.ndarray,
    blur: Any,
    smaller_one: np.ndarray | None,
    denoise: Denoiser,
    steps: int,
    progress: TileProgress | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the restoration at one size and its residual; of a large photo tile by tile.

    Args:
        photo: at this size.
        blur: of the photo.
        smaller_one: the restoration at half the size, from which it starts; None at the smallest.
        denoise: the prior.
        steps: at the smallest size.
        progress: called as `progress(tiles done, all tiles)`.
    """
    restore = functools.partial(
        restore_closed, denoise=denoise, noise=effective_noise(photo), steps=steps,
        last=steps if smaller_one is None else LAST,
    )  # fmt: skip
    if smaller_one is None:
        start = photo
    else:
        start = cv2.resize(smaller_one, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    size = (photo.shape[0], photo.shape[1])
    if math.prod(size) <= WHOLE_PIXELS:
        found = restore(photo, blur, start=start)
        if progress is not None:
            progress(1, 1)
        return found

    def restore_tile(photo: np.ndarray, start: np.ndarray, blur: Any) -> Any:
        return restore(photo, blur, start=start)

    tile, halo = tile_of(size, blur)
    return restore_tiled(
        restore_tile, photo, start, blur, halo=halo, tile=tile, compiled=True, progress=progress
    )


def tile_of(size: tuple[int, int], blur: Any) -> tuple[tuple[int, int], int]:
    """Return the size of the tiles whose canvases have the fewest pixels together, and their halo.

    Args:
        size: height and width of the photo.
        blur: of the photo.
    """
    halo, room = side_of(blur) // 2 + HALO, room_of(blur)
    rows, columns = (_cuts(length, room, 2 * halo + BLEND) for length in size)
    pairs = list(itertools.product(rows, columns))
    small = [pair for pair in pairs if pair[0].canvas * pair[1].canvas <= CANVAS]
    best = min(small or pairs[-1:], key=lambda pair: math.prod(c.number * c.canvas for c in pair))
    return (best[0].tile, best[1].tile), halo


class _Cut(NamedTuple):
    """A way to cut an axis: the number of tiles, and the pixels of a tile and of its canvas."""

    number: int
    tile: int
    canvas: int


def _cuts(length: int, room: int, overlap: int) -> list[_Cut]:
    """Return the ways to cut an axis, from the whole axis down to tiles of twice their overlap."""
    most = max(1, (length - overlap) // overlap)
    tiles = [-(-(length + (number - 1) * overlap) // number) for number in range(1, most + 1)]
    return [_Cut(index + 1, tile, canvas_side(tile + room)) for index, tile in enumerate(tiles)]
