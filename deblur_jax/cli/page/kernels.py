"""Draw where a blur acts: its point spread functions over the photo, enlarged."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.operators import Blur


ROWS, COLUMNS = 3, 4  # of places in a landscape photo
FIRST_SIDE, LAST_SIDE = 65, 513  # pixels around a place
FAINT = 0.02  # of the largest value, which is not drawn
FILLED = 0.7  # share of the distance between places that a drawing may fill
LARGEST = 12  # enlargement
DIMMED = 0.4
COLOUR = (1.0, 0.92, 0.45)


def draw_kernels(photo: np.ndarray, blur: Blur, size: tuple[int, int]) -> tuple[np.ndarray, int]:
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
    spreads = _cropped(_point_spreads(blur, size, places))
    side = spreads[0].shape[0]
    scale = max(height, width) / max(size)
    room = FILLED * min(height / counts[0], width / counts[1])
    enlarged = int(np.clip(room / (scale * side), 1, LARGEST))
    board = DIMMED * photo.mean(axis=-1, keepdims=True) * np.ones(3, np.float32)
    drawn = max(1, round(side * scale * enlarged))
    for (down, across), spread in zip(places, spreads, strict=True):
        strength = cv2.resize(
            np.sqrt(spread / spread.max()), (drawn, drawn), interpolation=cv2.INTER_CUBIC
        )
        _add(board, strength, round(down * height) - drawn // 2, round(across * width) - drawn // 2)
    return board, enlarged


def _point_spreads(
    blur: Blur, size: tuple[int, int], places: list[tuple[float, float]]
) -> list[np.ndarray]:
    """Returns the blur of a point of light at each place, as far as it reaches."""
    side = FIRST_SIDE
    while True:
        largest = min(side, *size)
        spreads = [_point_spread(blur, size, place, largest) for place in places]
        rims = [spread.sum() - spread[1:-1, 1:-1].sum() for spread in spreads]
        if max(rims) < FAINT or largest < side or side >= LAST_SIDE:
            return spreads
        side = 2 * side - 1


def _point_spread(
    blur: Blur, size: tuple[int, int], place: tuple[float, float], side: int
) -> np.ndarray:
    cuts = []
    for share, length in zip(place, size, strict=True):
        start = min(max(round(share * length) - side // 2, 0), length - side)
        cuts.append(slice(start, start + side))
    point = jnp.zeros((side, side, 1)).at[side // 2, side // 2].set(1.0)
    return np.maximum(np.asarray(jax.device_get(blur.cut(*cuts)(point)))[..., 0], 0)


def _cropped(spreads: list[np.ndarray]) -> list[np.ndarray]:
    """Returns the spreads without the faint margin of all of them, still around their points."""
    middle = spreads[0].shape[0] // 2
    seen = np.argwhere(np.max([spread > FAINT * spread.max() for spread in spreads], axis=0))
    reach = min(int(np.abs(seen - middle).max()) + 1, middle)
    inner = slice(middle - reach, middle + reach + 1)
    return [spread[inner, inner] for spread in spreads]


def _add(board: np.ndarray, strength: np.ndarray, top: int, left: int) -> None:
    """Blends the colour into a board, with its middle at a place that lies on the board."""
    height, width = strength.shape
    rows = slice(max(top, 0), min(top + height, board.shape[0]))
    columns = slice(max(left, 0), min(left + width, board.shape[1]))
    part = strength[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    colour = np.asarray(COLOUR, np.float32)
    board[rows, columns] += part.clip(0, 1)[..., None] * (colour - board[rows, columns])
