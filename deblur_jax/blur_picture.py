"""Draw a blur where it acts: its point spread functions over the photo, enlarged."""

import functools
import math

import cv2
import numpy as np

from deblur_jax.ops.operators import BasisBlur, Blur, LineBlur, UniformBlur, WindowedBlur


ROWS, COLUMNS = 3, 4  # of places in a landscape photo
FAINT = 0.02  # of the largest value, which is not drawn
FILLED = 0.7  # share of the distance between places that a drawing may fill
LARGEST = 12  # enlargement
DIMMED = 0.4
COLOUR = (1.0, 0.92, 0.45)
SAMPLES = 4  # a pixel, of a straight motion


def draw_blur(photo: np.ndarray, blur: Blur, size: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Draws what becomes of points of light at several places, over the photo.

    Args:
        photo: `[h, w, 3]` in [0, 1], reduced to the size of the drawing.
        blur: of the photo at its full size.
        size: height and width of the photo at its full size.

    Returns:
        The drawing `[h, w, 3]` in [0, 1], and how many times the points' blurs are enlarged.
    """
    height, width, _ = photo.shape
    counts = (ROWS, COLUMNS) if width >= height else (COLUMNS, ROWS)
    shares = [(np.arange(count) + 0.5) / count for count in counts]
    places = [(down, across) for down in shares[0] for across in shares[1]]
    spreads = [
        point_spread(blur, int(down * size[0]), int(across * size[1])) for down, across in places
    ]
    side = 3 + 2 * max(_reach(spread) for spread in spreads)  # a pixel around them
    scale = max(height, width) / max(size)
    room = FILLED * min(height / counts[0], width / counts[1])
    enlarged = int(np.clip(room / (scale * side), 1, LARGEST))
    drawn = max(1, round(side * scale * enlarged))
    board = DIMMED * photo.mean(axis=-1, keepdims=True) * np.ones(3, np.float32)
    for (down, across), spread in zip(places, spreads, strict=True):
        shape = np.sqrt(np.maximum(_in_side(spread, side), 0)).astype(np.float32)
        how = cv2.INTER_CUBIC if drawn > side else cv2.INTER_AREA
        strength = cv2.resize(shape, (drawn, drawn), interpolation=how)
        top, left = round(down * height) - drawn // 2, round(across * width) - drawn // 2
        _add(board, (strength / strength.max()).clip(0, 1), top, left)
    return board, enlarged


@functools.singledispatch
def point_spread(blur: Blur, row: int, column: int) -> np.ndarray:
    """Returns what becomes of a point of light at a pixel of the photo, `[s, s]`.

    A correlation kernel is turned by 180 degrees.
    """
    raise NotImplementedError(f"point_spread: a {type(blur).__name__} cannot be drawn")


@point_spread.register
def _(blur: UniformBlur, row: int, column: int) -> np.ndarray:
    del row, column
    return np.asarray(blur.kernel)[::-1, ::-1]


@point_spread.register
def _(blur: BasisBlur, row: int, column: int) -> np.ndarray:
    mixed = np.tensordot(np.asarray(blur.mixing[row, column]), np.asarray(blur.kernels), axes=1)
    return mixed[::-1, ::-1]


@point_spread.register
def _(blur: WindowedBlur, row: int, column: int) -> np.ndarray:
    nearest = np.abs(blur.rows - row).argmin(), np.abs(blur.columns - column).argmin()
    return np.asarray(blur.kernels)[nearest][::-1, ::-1]


@point_spread.register
def _(blur: LineBlur, row: int, column: int) -> np.ndarray:
    across, down = np.asarray(blur.flow[row, column], np.float64)
    middle = math.ceil(max(abs(across), abs(down)) / 2) + 1
    spread = np.zeros((2 * middle + 1, 2 * middle + 1))
    for share in np.linspace(-0.5, 0.5, SAMPLES * spread.shape[0]):
        x, y = middle + share * across, middle + share * down
        left, top = int(x), int(y)
        weights = np.outer((1 - y + top, y - top), (1 - x + left, x - left))
        spread[top : top + 2, left : left + 2] += weights
    return spread


def _reach(spread: np.ndarray) -> int:
    """Returns how far a spread reaches from its middle, without its faint part."""
    seen = np.argwhere(spread > FAINT * spread.max())
    return int(np.abs(seen - spread.shape[0] // 2).max())


def _in_side(spread: np.ndarray, side: int) -> np.ndarray:
    """Returns the middle of a spread, or a spread with zeros around it."""
    margin = max(0, (side - spread.shape[0] + 1) // 2)
    padded = np.pad(spread, margin)
    start = (padded.shape[0] - side) // 2
    return padded[start : start + side, start : start + side]


def _add(board: np.ndarray, strength: np.ndarray, top: int, left: int) -> None:
    """Blends the colour into a board, as far as the drawing lies on it."""
    height, width = strength.shape
    rows = slice(max(top, 0), min(top + height, board.shape[0]))
    columns = slice(max(left, 0), min(left + width, board.shape[1]))
    part = strength[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    colour = np.asarray(COLOUR, np.float32)
    board[rows, columns] += part[..., None] * (colour - board[rows, columns])
