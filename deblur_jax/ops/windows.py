"""Overlapping windows on a periodic canvas: cut, bridged, blended.

A blur that varies slowly is nearly uniform within a window, so that each window has one kernel and
its transforms. The windows' weights sum to one at every pixel (a partition of unity), and are
zero outside the window's cell and a ramp, so that the cost follows the area and not the number of
windows. All windows have one shape, and all of the geometry is static: programs depend on the
canvas and on the class of the kernel's side only.

Source: Hirsch et al., "Efficient Filter Flow for Space-Variant Multiframe Blind Deconvolution",
CVPR 2010.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.periodic import bridge, filtered, kernel_spectrum
from deblur_jax.ops.tiling import fast_size


RAMP = 48  # pixels over which neighbours fade into each other
GAP = 16  # pixels, least width of the bridge between opposite borders of a window
BATCH = 8  # windows whose transforms run together
# Largest side of a kernel, pixels of a cell, and pixels around a window's ramp that are discarded.
ENLARGED = (4, 2)  # times that a cell is enlarged, at most to the spacing of the kernels
CLASSES = ((43, 128, 32), (83, 256, 64), (123, 256, 96), (511, 512, 256))


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of a canvas. Hashable, and static in compiled programs.

    Attributes:
        canvas: height and width of the canvas.
        counts: rows and columns of windows.
        content: height and width of the part of the canvas that a window holds.
        plane: height and width of the periodic plane that the content lies on.
        ramp: pixels over which neighbours fade into each other.
    """

    canvas: tuple[int, int]
    counts: tuple[int, int]
    content: tuple[int, int]
    plane: tuple[int, int]
    ramp: int = RAMP

    @property
    def number(self) -> int:
        """Rows times columns."""
        return self.counts[0] * self.counts[1]


def windows_of(
    canvas: tuple[int, int], side: int, *, ramp: int = RAMP, spacing: float = 0.0
) -> Windows:
    """Return the windows of a canvas for kernels of a side.

    Args:
        canvas: height and width.
        side: of the largest kernel.
        ramp: pixels over which neighbours fade into each other; 0 where nothing is blended.
        spacing: pixels between kernels that differ. Where they are far apart, windows are larger,
            and less of their planes overlaps.
    """
    _, cell, halo = next((c for c in CLASSES if side <= c[0]), CLASSES[-1])
    cell *= next((times for times in ENLARGED if spacing >= times * cell), 1)
    counts, content, plane = [], [], []
    for length in canvas:
        count = max(1, round(length / cell))
        extent = -(-length // count) + ramp + 2 * halo
        counts.append(count)
        content.append(extent)
        plane.append(fast_size(extent + GAP))
    return Windows(canvas, _pair(counts), _pair(content), _pair(plane), ramp)


def centres(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each row and column of windows, in pixels of the canvas."""
    rows, columns = (
        (np.arange(count) + 0.5) * length / count - 0.5
        for count, length in zip(windows.counts, windows.canvas, strict=True)
    )
    return rows, columns


def cut_windows(canvas: jax.Array, windows: Windows) -> jax.Array:
    """Return the content of each window of a periodic canvas `[h, w, ...]`: `[n, y, x, ...]`."""
    starts, padding = _starts(windows)
    padded = jnp.pad(canvas, (*padding, *((0, 0),) * (canvas.ndim - 2)), mode="wrap")
    rest = (0,) * (canvas.ndim - 2)
    shape = (*windows.content, *canvas.shape[2:])

    def cut(start):
        return jax.lax.dynamic_slice(padded, (start[0], start[1], *rest), shape)

    return jax.vmap(cut)(jnp.asarray(starts))


def on_planes(content: jax.Array, windows: Windows) -> jax.Array:
    """Return contents `[n, y, x, ...]` on periodic planes, opposite borders bridged smoothly."""
    planes = masks_on_planes(content, windows, beside=0)
    extent = jnp.asarray(windows.content)
    return jax.vmap(lambda plane: bridge(plane, extent, relaxations=0))(planes)


def masks_on_planes(content: jax.Array, windows: Windows, *, beside: float) -> jax.Array:
    """Return contents `[n, y, x, ...]` on planes that have the value `beside` in the gap."""
    gaps = [(0, a - b) for a, b in zip(windows.plane, windows.content, strict=True)]
    rest = ((0, 0),) * (content.ndim - 3)
    return jnp.pad(content, ((0, 0), *gaps, *rest), constant_values=beside)


def window_responses(kernels: jax.Array, windows: Windows) -> jax.Array:
    """Return the spectra of kernels `[n, s, s]` on the windows' planes, `[n, y, x // 2 + 1, 1]`."""
    return jax.vmap(lambda kernel: kernel_spectrum(kernel, windows.plane))(kernels)[..., None]


def blur_windows(canvas: jax.Array, responses: jax.Array, windows: Windows) -> jax.Array:
    """Return a canvas `[h, w, c]` blurred window by window.

    Args:
        canvas: periodic.
        responses: from `window_responses`.
        windows: of the canvas.
    """
    planes = on_planes(cut_windows(canvas, windows), windows)
    blurred = jax.lax.map(lambda entry: filtered(*entry), (responses, planes), batch_size=BATCH)
    return blend_windows(blurred, windows)


def blend_windows(planes: jax.Array, windows: Windows) -> jax.Array:
    """Return the canvas `[h, w, ...]` that windows `[n, y, x, ...]` make up by their weights.

    Args:
        planes: contents, or planes, of which the part beside the content is ignored.
        windows: their geometry.
    """
    starts, padding = _starts(windows)
    down, across = weights(windows)
    rows, columns = windows.counts
    length = tuple(
        size + before + after for size, (before, after) in zip(windows.canvas, padding, strict=True)
    )
    rest = planes.shape[3:]
    content = planes[:, : windows.content[0], : windows.content[1]]
    share = (down[:, None, :, None] * across[None, :, None, :]).reshape(
        rows * columns, *windows.content, *(1,) * len(rest)
    )

    def add(canvas, entry):
        piece, start = entry
        place = (start[0], start[1], *(0,) * len(rest))
        old = jax.lax.dynamic_slice(canvas, place, piece.shape)
        return jax.lax.dynamic_update_slice(canvas, old + piece, place), None

    canvas = jnp.zeros((*length, *rest), planes.dtype)
    weighted = content * jnp.asarray(share, planes.dtype)
    canvas, _ = jax.lax.scan(add, canvas, (weighted, jnp.asarray(starts)))
    for axis in (0, 1):
        canvas = _folded(canvas, axis, windows.canvas[axis], padding[axis][0])
    return canvas


def weights(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of each row and each column of windows, `[r, y]` and `[c, x]`.

    The weight of a window's pixel is their product.
    """
    down, across = (
        _ramps(length, count, extent, max(windows.ramp, 1))
        for length, count, extent in zip(
            windows.canvas, windows.counts, windows.content, strict=True
        )
    )
    return down, across


def cells(windows: Windows) -> np.ndarray:
    """Return whether each pixel of a window's content lies in its cell, `[n, y, x]`.

    Every pixel of the canvas lies in one cell.
    """
    inside = [
        _in_cell(_first(length, count, extent)[:, None] + np.arange(extent), length, count)
        for length, count, extent in zip(
            windows.canvas, windows.counts, windows.content, strict=True
        )
    ]
    both = inside[0][:, None, :, None] & inside[1][None, :, None, :]
    return both.reshape(windows.number, *windows.content)


def cell_sums(values: jax.Array, windows: Windows) -> jax.Array:
    """Return the sum of `values` `[..., h, w]` over the cell of each window, `[..., n]`."""
    inside = (
        _in_cell(np.arange(length)[None], length, count)
        for length, count in zip(windows.canvas, windows.counts, strict=True)
    )
    down, across = (jnp.asarray(each, values.dtype) for each in inside)
    found = jnp.einsum("ih,...hw,jw->...ij", down, values, across, precision="highest")
    return found.reshape(*values.shape[:-2], windows.number)


def _in_cell(places: np.ndarray, length: int, count: int) -> np.ndarray:
    """Return whether pixels of an axis, a row for each window or one for all, lie in its cell."""
    bounds = np.arange(count + 1)[:, None] * length / count
    return (places + 0.5 >= bounds[:-1]) & (places + 0.5 < bounds[1:])


def _first(length: int, count: int, extent: int) -> np.ndarray:
    """Return the first pixel of each window's content along an axis; may be negative."""
    middle = (np.arange(count) + 0.5) * length / count
    return np.floor(middle - extent / 2).astype(int)


def _starts(windows: Windows) -> tuple[np.ndarray, tuple[tuple[int, int], tuple[int, int]]]:
    """Return the place of each window on the padded canvas, `[n, 2]`, and the padding."""
    firsts, padding = [], []
    for length, count, extent in zip(windows.canvas, windows.counts, windows.content, strict=True):
        first = _first(length, count, extent)
        before, after = max(0, -int(first[0])), max(0, int(first[-1]) + extent - length)
        firsts.append(first + before)
        padding.append((before, after))
    rows, columns = np.meshgrid(*firsts, indexing="ij")
    return np.stack([rows.ravel(), columns.ravel()], -1), (padding[0], padding[1])


def _ramps(length: int, count: int, extent: int, ramp: float) -> np.ndarray:
    ramp = min(ramp, length / count)  # the two ramps of a longer one would overlap
    bounds = np.arange(count + 1) * length / count
    place = _first(length, count, extent)[:, None] + np.arange(extent) + 0.5
    rise = np.clip((place - bounds[:-1, None]) / ramp + 0.5, 0, 1)
    fall = np.clip((bounds[1:, None] - place) / ramp + 0.5, 0, 1)
    return (rise * fall).astype(np.float32)


def _folded(canvas: jax.Array, axis: int, length: int, before: int) -> jax.Array:
    """Return a padded canvas with its padding added where it wraps to."""
    padded = canvas.shape[axis]
    place = (np.arange(padded) - before) % length
    if padded == length:
        return jnp.roll(canvas, -before, axis)
    moved = jnp.moveaxis(canvas, axis, 0)
    return jnp.moveaxis(
        jnp.zeros((length, *moved.shape[1:]), canvas.dtype).at[place].add(moved), 0, axis
    )


def _pair(values: list[int]) -> tuple[int, int]:
    return (values[0], values[1])
