"""Draw flows, kernels and labelled panels as arrays of 8-bit pixels.

Flow colours follow the standard colour wheel of optical flow. The hue is the direction: red to the
right, yellow down, cyan to the left, blue up. The saturation is the length of the motion.
"""

import os
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deblur_jax.io.images import Photo, write_photo
from deblur_jax.typing import Array


# Steps between the colours of the wheel, from Baker et al., "A Database and Evaluation Methodology
# for Optical Flow", 2011: red, yellow, green, cyan, blue, magenta and back.
WHEEL_COLOURS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
WHEEL_STEPS = (15, 6, 4, 11, 13, 6)
LABEL_HEIGHT = 18  # pixels
GAP = 4  # pixels


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Returns display values `[h, w, c]` as 8-bit pixels, clipped to [0, 1]."""
    return np.rint(np.clip(np.asarray(image, np.float64), 0, 1) * 255).astype(np.uint8)


def flow_colours(flow: np.ndarray, *, longest: float) -> np.ndarray:
    """Draws a flow in colours.

    Args:
        flow: `[h, w, 2]`, (u right, v down) in pixels.
        longest: the length in pixels that gets the full saturation; longer motions are darker.

    Returns:
        8-bit pixels `[h, w, 3]`; no motion is white.
    """
    if longest <= 0:
        raise ValueError(f"flow_colours: longest must be positive, got {longest}")
    flow = np.asarray(flow, np.float64)
    length = np.hypot(flow[..., 0], flow[..., 1]) / longest
    turn = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    stops = np.concatenate([[0], np.cumsum(WHEEL_STEPS)]) / sum(WHEEL_STEPS)
    wheel = np.asarray(WHEEL_COLOURS, np.float64)
    hue = np.stack([np.interp(turn, stops, wheel[:, c]) for c in range(3)], axis=-1)
    strength = length[..., None]
    colour = np.where(strength <= 1, 1 - strength * (1 - hue), 0.75 * hue)
    return to_bytes(colour)


def flow_key(size: int, *, longest: float) -> np.ndarray:
    """Draws the colour wheel: a disc `[size, size, 3]` of all motions up to `longest`."""
    offsets = (np.arange(size) - (size - 1) / 2) / ((size - 1) / 2) * longest
    flow = np.stack(np.meshgrid(offsets, offsets), axis=-1)
    inside = np.hypot(flow[..., 0], flow[..., 1]) <= longest
    return np.where(inside[..., None], flow_colours(flow, longest=longest), 255).astype(np.uint8)


def with_flow_key(picture: np.ndarray, *, longest: float) -> np.ndarray:
    """Draws the colour wheel of `flow_colours` into the lower right corner of a picture."""
    size = max(min(picture.shape[:2]) // 4, 24)
    key = Image.fromarray(flow_key(size, longest=longest))
    board = Image.fromarray(picture)
    corner = (board.width - size - GAP, board.height - size - GAP)
    board.paste(key, corner)
    draw = ImageDraw.Draw(board)
    draw.ellipse([corner, (corner[0] + size - 1, corner[1] + size - 1)], outline=(0, 0, 0))
    text = f"{longest:g} px"
    style = {"fill": (0, 0, 0), "stroke_width": 2, "stroke_fill": (255, 255, 255)}
    draw.text((corner[0], corner[1] - 13), text, font=ImageFont.load_default(10), **style)
    return np.asarray(board)


def kernels_over(photo: Array, kernels: Array, mixing: Array) -> np.ndarray:
    """Draws point spread functions on a grid over a photo.

    Args:
        photo: `[h, w, 3]`, display values in [0, 1].
        kernels: `[k, s, s]`, correlation kernels.
        mixing: `[h, w, k]`, their mixing coefficients at each pixel.

    Returns:
        8-bit pixels `[h, w, 3]`: the darkened photo with a yellow point spread function in the
        middle of every square of `s + 2` pixels.
    """
    picture = 0.4 * np.array(photo, np.float64)
    kernels, mixing = np.asarray(kernels), np.asarray(mixing)
    side = kernels.shape[-1]
    height, width, _ = picture.shape
    for top in range(0, height - side + 1, side + 2):
        for left in range(0, width - side + 1, side + 2):
            share = mixing[top + side // 2, left + side // 2]
            _draw_kernel(picture, np.tensordot(share, kernels, axes=1), top, left)
    return to_bytes(picture)


def _draw_kernel(picture: np.ndarray, kernel: np.ndarray, top: int, left: int) -> None:
    """Draws the point spread function of a correlation kernel into a picture, in yellow."""
    spot = kernel[::-1, ::-1, None]  # turned by 180 degrees
    strength = np.sqrt(spot / spot.max())
    place = (slice(top, top + len(kernel)), slice(left, left + len(kernel)))
    picture[place] += strength * (np.asarray([1.0, 1.0, 0.2]) - picture[place])


def panels(pictures: Mapping[str, Array], *, caption: str = "") -> np.ndarray:
    """Arranges pictures side by side, each below its title.

    Args:
        pictures: by title, `[h, w, 3]` of the same height: 8-bit pixels, or display values.
        caption: a line below the pictures.

    Returns:
        8-bit pixels `[h + labels, w, 3]`.
    """
    shown = {
        title: np.asarray(picture) if picture.dtype == np.uint8 else to_bytes(np.asarray(picture))
        for title, picture in pictures.items()
    }
    height = max(picture.shape[0] for picture in shown.values()) + LABEL_HEIGHT
    width = sum(picture.shape[1] + GAP for picture in shown.values()) - GAP
    board = Image.new("RGB", (width, height + LABEL_HEIGHT * bool(caption)), (255, 255, 255))
    draw = ImageDraw.Draw(board)
    left = 0
    for title, picture in shown.items():
        draw.text((left + 2, 2), title, fill=(0, 0, 0), font=ImageFont.load_default(12))
        board.paste(Image.fromarray(picture), (left, LABEL_HEIGHT))
        left += picture.shape[1] + GAP
    draw.text((2, height + 2), caption, fill=(0, 0, 0), font=ImageFont.load_default(12))
    return np.asarray(board)


def write_panels(path: str | os.PathLike[str], pictures: Mapping[str, Array]) -> None:
    """Writes `panels(pictures)` to a file."""
    write_photo(path, Photo(panels(pictures).astype(np.float32) / 255))
