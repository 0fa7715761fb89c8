"""A blur is drawn at every place, as large as there is room."""

import numpy as np
import pytest

from deblur_jax.blur_picture import COLUMNS, LARGEST, ROWS, draw_blur, point_spread
from deblur_jax.ops.operators import BasisBlur, LineBlur, UniformBlur, WindowedBlur


SIZE = (120, 160)
DARK = np.zeros((*SIZE, 3), np.float32)


def across(side=7):
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2] = 1 / side
    return kernel


def cells(board):
    """Return the cells around the places of a landscape drawing, `[rows, columns, h, w]`."""
    light = board[..., 0]
    return light.reshape(ROWS, SIZE[0] // ROWS, COLUMNS, SIZE[1] // COLUMNS).swapaxes(1, 2)


@pytest.mark.parametrize(
    "blur",
    [
        UniformBlur(across()),
        LineBlur(np.full((*SIZE, 2), (6.0, 0.0), np.float32)),
        BasisBlur(across()[None], np.ones((*SIZE, 1), np.float32)),
        WindowedBlur(np.tile(across(), (2, 2, 1, 1)), np.array([30, 90]), np.array([40, 120])),
    ],
    ids=["uniform", "line", "basis", "windowed"],
)
def test_every_kind_of_blur_is_drawn_at_every_place(blur):
    board, enlarged = draw_blur(DARK, blur, SIZE)
    assert board.shape == DARK.shape
    assert 1 < enlarged <= LARGEST
    for cell in cells(board).reshape(-1, SIZE[0] // ROWS, SIZE[1] // COLUMNS):
        rows, columns = np.nonzero(cell > 0.5)
        assert np.ptp(columns) > 3 * np.ptp(rows)
        assert np.ptp(columns) < SIZE[1] / COLUMNS


def test_a_blur_that_varies_is_drawn_as_it_is_at_each_place():
    kernels = np.stack([across(), across().T])
    sides = np.arange(SIZE[1]) < SIZE[1] / 2
    mixing = np.broadcast_to(np.stack([sides, ~sides], axis=-1), (*SIZE, 2)).astype(np.float32)
    lattice = kernels[None]
    for blur in (
        BasisBlur(kernels, mixing),
        WindowedBlur(lattice, np.array([60.0]), np.array([40.0, 120.0])),
    ):
        np.testing.assert_array_equal(point_spread(blur, 60, 10), across())
        np.testing.assert_array_equal(point_spread(blur, 60, 150), across().T)


def test_a_kernel_is_drawn_turned_as_a_point_of_light_draws_it():
    kernel = np.zeros((9, 9), np.float32)
    kernel[4, 4], kernel[4, 8] = 0.2, 0.8
    cell = cells(draw_blur(DARK, UniformBlur(kernel), SIZE)[0])[1, 1]
    assert cell[:, :20].sum() > 1.5 * cell[:, 20:].sum()


def test_a_long_blur_is_drawn_whole():
    small = np.zeros((30, 40, 3), np.float32)
    board, enlarged = draw_blur(small, UniformBlur(across(61)), (300, 400))
    assert enlarged == 1
    assert np.ptp(np.nonzero(board[4:7, :10, 0].max(0) > 0.1)) >= 5


def test_no_blur_is_drawn_as_points_on_the_smallest_photo():
    small = np.zeros((32, 32, 3), np.float32)
    board, _ = draw_blur(small, UniformBlur(np.ones((1, 1), np.float32)), (32, 32))
    assert 0.9 < board.max() <= 1
