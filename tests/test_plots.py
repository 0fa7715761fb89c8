"""Plots show the given arrays."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from deblur_jax import pictures, plots


@pytest.fixture
def axes():
    return Figure().subplots()


@pytest.fixture
def photo():
    return np.random.default_rng(0).random((40, 56, 3))


def test_a_flow_is_shown_in_its_colours_with_their_key(axes):
    flow = np.full((40, 56, 2), 3.0)
    plots.show_flow(axes, flow, longest=6)
    np.testing.assert_array_equal(
        axes.images[0].get_array(), pictures.flow_colours(flow, longest=6)
    )
    (key,) = axes.child_axes
    assert key.get_title() == "6 px"


@pytest.mark.parametrize("arrows", [True, False])
def test_motions_are_drawn_at_their_pixels_in_their_lengths(axes, photo, arrows):
    flow = np.random.default_rng(1).normal(size=(40, 56, 2))
    plots.show_motion(axes, photo, flow, spacing=8, arrows=arrows)
    (drawn,) = (item for item in axes.collections if hasattr(item, "U"))
    assert drawn.scale == 1
    assert drawn.scale_units == drawn.angles == "xy"
    for (x, y), u, v in zip(drawn.XY, drawn.U, drawn.V, strict=True):
        np.testing.assert_array_equal((u, v), flow[int(y), int(x)])
    assert len(drawn.U) == 5 * 7
    assert axes.get_ylim() == (39.5, -0.5)  # rows go down


def test_basis_kernels_are_shown_as_points_of_light_above_their_maps():
    kernels = np.random.default_rng(2).random((3, 5, 5))
    mixing = np.random.default_rng(3).random((8, 9, 3))
    figure = plots.show_basis(Figure(), kernels, mixing)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(shown[1], kernels[1, ::-1, ::-1])
    np.testing.assert_array_equal(shown[3 + 1], mixing[..., 1])


def test_kernels_lie_on_the_photo(axes, photo):
    kernels, mixing = np.ones((1, 9, 9)), np.ones((40, 56, 1))
    plots.show_kernels(axes, photo, kernels, mixing)
    expected = pictures.kernels_over(photo, kernels, mixing)
    np.testing.assert_array_equal(axes.images[0].get_array(), expected)


def test_every_record_of_a_solve_is_a_curve_over_its_steps(axes):
    plots.show_convergence(
        axes, {"misfit": np.array([4.0, 2.0]), "objective": np.array([9.0, 8.0])}
    )
    first, second = axes.lines
    np.testing.assert_array_equal(first.get_xydata(), [[1, 4], [2, 2]])
    assert second.get_label() == "objective"
    assert axes.get_yscale() == "log"


def test_crops_are_cut_from_every_picture_at_every_place(photo):
    figure = plots.show_crops(
        Figure(), {"before": photo, "after": photo / 2}, [(0, 0), (24, 40)], side=16
    )
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(shown[3], photo[24:, 40:] / 2)
    assert [axes.get_title() for axes in figure.axes] == ["before", "after", "", ""]
    with pytest.raises(ValueError, match="at row 30, column 0 is not inside pictures of 56x40"):
        plots.show_crops(Figure(), {"a": photo}, [(30, 0)], side=16)
    with pytest.raises(ValueError, match="pictures must have one size"):
        plots.show_crops(Figure(), {"a": photo, "b": photo[1:]}, [(0, 0)], side=8)
