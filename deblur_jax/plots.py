"""Matplotlib figures of flows, kernels and restorations: `pip install 'deblur-jax[plots]'`.

Every function draws into a given `Axes` or `Figure` and returns it, so that plots can be combined.
`deblur_jax.pictures` draws the same things as arrays of pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deblur_jax.pictures import flow_colours, flow_key, kernels_over
from deblur_jax.typing import Array


KEY_PIXELS = 96  # side of the colour wheel


def show_flow(axes: Any, flow: Array, *, longest: float | None = None) -> Any:
    """Draws a flow in colours, with the colour wheel.

    Args:
        axes: Matplotlib axes.
        flow: `[h, w, 2]`, (u right, v down) in pixels.
        longest: the length in pixels that gets the full saturation; that of the longest motion if
            None.
    """
    flow = np.asarray(flow)
    if longest is None:
        longest = max(float(np.hypot(flow[..., 0], flow[..., 1]).max()), 1e-6)
    axes.imshow(flow_colours(flow, longest=longest))
    axes.set_axis_off()
    key = axes.inset_axes((0.78, 0.02, 0.2, 0.2), anchor="SE")
    key.imshow(flow_key(KEY_PIXELS, longest=longest))
    key.set_title(f"{longest:.3g} px", fontsize="x-small", pad=1)
    key.set_axis_off()
    return axes


def show_motion(
    axes: Any, photo: Array, flow: Array, *, spacing: int = 24, arrows: bool = True
) -> Any:
    """Draws motions on a photo, at their true lengths.

    Args:
        axes: Matplotlib axes.
        photo: `[h, w, 3]`, display values in [0, 1].
        flow: `[h, w, 2]` in pixels.
        spacing: pixels between the motions that are drawn.
        arrows: whether to draw an arrow from each pixel; otherwise the line kernel, which is
            centred on the pixel and has no direction.
    """
    flow, (height, width) = np.asarray(flow), np.shape(flow)[:2]
    rows, columns = np.mgrid[spacing // 2 : height : spacing, spacing // 2 : width : spacing]
    along, down = np.moveaxis(flow[rows, columns], -1, 0)
    axes.imshow(np.clip(photo, 0, 1), alpha=0.7)
    style = {"angles": "xy", "scale_units": "xy", "scale": 1, "color": "yellow", "width": 0.003}
    if not arrows:
        style |= {"pivot": "mid", "headwidth": 0, "headlength": 0, "headaxislength": 0}
    axes.quiver(columns, rows, along, down, **style)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_axis_off()
    return axes


def show_basis(figure: Any, kernels: Array, mixing: Array) -> Any:
    """Draws the point spread function of each basis kernel above its mixing coefficients.

    Args:
        figure: a Matplotlib figure.
        kernels: `[k, s, s]`, correlation kernels.
        mixing: `[h, w, k]`.
    """
    kernels, mixing = np.asarray(kernels), np.asarray(mixing)
    boards = figure.subplots(2, len(kernels), squeeze=False)
    for number, (above, below) in enumerate(boards.T):
        above.imshow(kernels[number, ::-1, ::-1], cmap="gray", vmin=0)
        above.set_title(str(number), fontsize="small")
        below.imshow(mixing[..., number], cmap="viridis", vmin=0, vmax=1)
        above.set_axis_off()
        below.set_axis_off()
    return figure


def show_kernels(axes: Any, photo: Array, kernels: Array, mixing: Array) -> Any:
    """Draws point spread functions on a grid over a photo, see `kernels_over`."""
    axes.imshow(kernels_over(photo, kernels, mixing))
    axes.set_axis_off()
    return axes


def show_convergence(axes: Any, trace: Mapping[str, Array], *, label: str = "") -> Any:
    """Draws the trace of a solver on a logarithmic scale.

    Args:
        axes: Matplotlib axes.
        trace: the second result of a solver: arrays `[steps]` by name.
        label: prefix of the names in the legend.
    """
    for name, values in trace.items():
        values = np.asarray(values)
        axes.semilogy(np.arange(1, len(values) + 1), values, label=f"{label} {name}".strip())
    axes.set_xlabel("step")
    axes.legend()
    return axes


def show_crops(
    figure: Any, pictures: Mapping[str, Array], places: Sequence[tuple[int, int]], *, side: int
) -> Any:
    """Draws the same crops of several pictures side by side.

    Args:
        figure: a Matplotlib figure.
        pictures: by title, `[h, w, 3]` of one size, display values in [0, 1]; one column each.
        places: row and column of the upper left corner of each crop; one row each.
        side: side of the crops in pixels.

    Raises:
        ValueError: if a crop is not inside the pictures.
    """
    sizes = {np.shape(picture)[:2] for picture in pictures.values()}
    if len(sizes) != 1:
        raise ValueError(f"show_crops: pictures must have one size, got {sorted(sizes)}")
    height, width = sizes.pop()
    boards = figure.subplots(len(places), len(pictures), squeeze=False)
    for line, (top, left) in zip(boards, places, strict=True):
        if not (0 <= top <= height - side and 0 <= left <= width - side):
            raise ValueError(
                f"show_crops: a crop of {side} pixels at row {top}, column {left} is not inside "
                f"pictures of {width}x{height}"
            )
        for axes, picture in zip(line, pictures.values(), strict=True):
            crop = np.asarray(picture)[top : top + side, left : left + side]
            axes.imshow(np.clip(crop, 0, 1), interpolation="nearest")
            axes.set_axis_off()
    for axes, title in zip(boards[0], pictures, strict=True):
        axes.set_title(title, fontsize="small")
    return figure
