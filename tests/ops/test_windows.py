"""Windows of a canvas: a partition of unity, cells without overlap, and exact sums over cells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.windows import (
    CLASSES,
    GAP,
    Windows,
    blend_windows,
    cell_sums,
    cells,
    centres,
    cut_windows,
    on_planes,
    weights,
    windows_of,
)


SMALL = Windows((40, 51), (2, 3), (32, 29), (36, 30), 6)  # cells of 20 x 17 pixels
EACH = pytest.mark.parametrize(
    "windows", [SMALL, windows_of((192, 40), 11), windows_of((64, 325), 43, ramp=0)]
)


def places(windows):
    """Returns the number of the pixel of the canvas that each pixel of a window shows."""
    height, width = windows.canvas
    numbers = jnp.arange(height * width).reshape(height, width)
    return np.asarray(cut_windows(numbers, windows))


def on_canvas(values, windows):
    """Returns the sum of what the windows hold for each pixel of the canvas."""
    total = np.zeros(windows.canvas)
    np.add.at(total.reshape(-1), places(windows).reshape(-1), values.reshape(-1))
    return total


@EACH
def test_windows_that_are_cut_and_blended_give_the_canvas_back(key, windows):
    canvas = jax.random.normal(key, (*windows.canvas, 2))
    again = blend_windows(cut_windows(canvas, windows), windows)
    np.testing.assert_allclose(again, canvas, atol=1e-6)
    planes = on_planes(cut_windows(canvas, windows), windows)
    np.testing.assert_allclose(blend_windows(planes, windows), canvas, atol=1e-6)


@EACH
def test_the_weights_are_a_partition_of_unity(windows):
    down, across = weights(windows)
    both = down[:, None, :, None] * across[None, :, None, :]
    assert both.min() >= 0
    np.testing.assert_allclose(on_canvas(both, windows), 1, atol=1e-6)


@EACH
def test_every_pixel_lies_in_one_cell(windows):
    np.testing.assert_array_equal(on_canvas(cells(windows), windows), 1)


@EACH
def test_a_window_weighs_nothing_beyond_half_a_ramp_from_its_cell(windows):
    down, across = weights(windows)
    both = (down[:, None, :, None] * across[None, :, None, :]).reshape(cells(windows).shape)
    for inside, weight in zip(cells(windows), both, strict=True):
        rows, columns = np.nonzero(inside)
        reach = windows.ramp // 2 + 1
        near = np.zeros_like(inside)
        near[
            max(0, rows.min() - reach) : rows.max() + reach + 1,
            max(0, columns.min() - reach) : columns.max() + reach + 1,
        ] = True
        assert weight[~near].max(initial=0) == 0


@EACH
def test_sums_over_cells_are_those_of_numpy(key, windows):
    values = jax.random.normal(key, (2, *windows.canvas))
    found = cell_sums(values, windows)
    flat = np.asarray(values).reshape(2, -1)
    pairs = list(zip(places(windows), cells(windows), strict=True))
    expected = [[part[shown[inside]].sum() for shown, inside in pairs] for part in flat]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.sum(1), values.sum((1, 2)), rtol=1e-9)


@EACH
def test_a_centre_is_the_mean_of_the_pixels_of_a_cell(windows):
    rows, columns = np.divmod(places(windows), windows.canvas[1])
    down, across = centres(windows)
    for number, inside in enumerate(cells(windows)):
        row, column = divmod(number, windows.counts[1])
        assert abs(rows[number][inside].mean() - down[row]) <= 0.5
        assert abs(columns[number][inside].mean() - across[column]) <= 0.5


@EACH
def test_a_plane_holds_the_content_and_joins_its_opposite_borders(key, windows):
    canvas = jnp.ones(windows.canvas) + jax.random.uniform(key, windows.canvas)
    content = cut_windows(canvas, windows)
    planes = on_planes(content, windows)
    height, width = windows.content
    assert planes.shape == (windows.number, *windows.plane)
    np.testing.assert_array_equal(planes[:, :height, :width], content)
    assert float(planes.min()) >= 1  # between values of the content, so without a jump to zero
    assert float(planes.max()) <= 2


@pytest.mark.parametrize("side", [3, 43, 45, 123, 125])
def test_windows_fit_their_kernels(side):
    windows = windows_of((640, 900), side)
    cell, halo = next((c, h) for largest, c, h in CLASSES if side <= largest)
    for length, count, content, plane in zip(
        windows.canvas, windows.counts, windows.content, windows.plane, strict=True
    ):
        assert count == max(1, round(length / cell))
        assert content >= length / count + windows.ramp + 2 * halo
        assert plane >= content + GAP
        assert halo >= side // 2
    assert hash(windows) == hash(windows_of((640, 900), side))
