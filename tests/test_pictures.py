"""Pictures: the colours of motion, and the layout."""

import numpy as np
import pytest

from deblur_jax import pictures


@pytest.mark.parametrize(
    ("motion", "colour"),
    [
        ((0, 0), (255, 255, 255)),
        ((4, 0), (255, 0, 0)),
        ((0, 4), (255, 234, 0)),
        ((-4, 0), (0, 209, 255)),
        ((0, -4), (103, 0, 255)),
    ],
    ids=["none", "right", "down", "left", "up"],
)
def test_a_direction_has_its_colour(motion, colour):
    painted = pictures.flow_colours(np.full((1, 1, 2), motion, np.float32), longest=4)
    np.testing.assert_allclose(painted[0, 0].astype(int), colour, atol=12)


def test_a_shorter_motion_is_paler_and_a_longer_one_darker():
    lengths = np.asarray([[[1.0, 0], [2.0, 0], [9.0, 0]]])
    half, full, beyond = pictures.flow_colours(lengths, longest=2)[0].astype(int)
    assert half.sum() > full.sum() > beyond.sum()


def test_the_key_shows_every_direction_where_it_points():
    key = pictures.flow_key(101, longest=3)
    right = pictures.flow_colours(np.asarray([[[3.0, 0]]]), longest=3)[0, 0]
    np.testing.assert_allclose(key[50, 99].astype(int), right, atol=12)
    assert (key[0, 0] == 255).all()


def test_panels_keep_every_pixel_of_every_picture():
    left, right = np.full((20, 30, 3), 10, np.uint8), np.full((20, 16, 3), 200, np.uint8)
    board = pictures.panels({"a": left, "b": right})
    below = board[pictures.LABEL_HEIGHT :]
    np.testing.assert_array_equal(below[:, :30], left)
    np.testing.assert_array_equal(below[:, 30 + pictures.GAP :], right)


def test_values_beyond_the_range_are_clipped():
    np.testing.assert_array_equal(pictures.to_bytes(np.asarray([-1.0, 0.5, 2.0])), [0, 128, 255])


def test_kernels_are_drawn_as_what_becomes_of_a_point_of_light():
    kernels = np.zeros((2, 5, 5))
    kernels[0, 2, 4] = kernels[1, 2, 2] = 1  # the first gathers light from the right
    mixing = np.zeros((14, 14, 2))
    mixing[:7, :, 0] = mixing[7:, :, 1] = 1
    drawn = pictures.kernels_over(np.zeros((14, 14, 3)), kernels, mixing)[..., 0]
    assert np.argwhere(drawn).tolist() == [[2, 0], [2, 7], [9, 2], [9, 9]]
