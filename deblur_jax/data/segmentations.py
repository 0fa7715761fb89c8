"""Which object each pixel shows: the files of BSDS500, ADE20K and COCO, and plain label images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deblur_jax.io.flow import read_mat
from deblur_jax.io.images import existing_file, read_rgb


def read_bsds(path: Path) -> np.ndarray:
    """Reads a file of BSDS500's groundTruth: `[annotators, h, w]` uint16, segments from 1.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds something else.
    """
    variables = read_mat(path)
    try:
        cells = variables["groundTruth"].ravel()
        return np.stack([cell["Segmentation"][0, 0] for cell in cells]).astype(np.uint16)
    except (KeyError, IndexError, ValueError, TypeError):
        raise ValueError(
            f"{path}: expected groundTruth{{i}}.Segmentation of one size, got {sorted(variables)}"
        ) from None


def read_ade(path: Path) -> np.ndarray:
    """Reads a file *_seg.png of ADE20K: `[h, w]` uint16, 0 for no outline, objects from 1.

    Red and green hold the kind of an object, blue its number; both together tell objects apart.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds something else.
    """
    colours = read_rgb(path).astype(np.int64)
    kind = colours[..., 0] // 10 * 256 + colours[..., 1]
    code = np.where(kind > 0, 1 + kind * 256 + colours[..., 2], 0)
    codes, segments = np.unique(code, return_inverse=True)
    return (segments.reshape(code.shape) + (codes[0] > 0)).astype(np.uint16)


def read_labels(path: Path) -> np.ndarray:
    """Reads a grey PNG of 8 or 16 bits whose values number the segments: `[h, w]` uint16.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds colours.
    """
    data = np.fromfile(existing_file(path, "a label image"), np.uint8)
    labels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise ValueError(f"{path}: not an image that can be read; expected a grey PNG")
    if labels.ndim != 2:
        raise ValueError(f"{path}: has colours, expected a grey PNG whose values number segments")
    return labels.astype(np.uint16)


def read_coco(path: Path) -> dict[str, list[bytes]]:
    """Reads COCO's instances_*.json: the outlines of the objects of each photo by its file name.

    Outlines are kept as JSON, a fraction of their size as objects. Crowds are left out: they are
    no single object.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or holds something else.
    """
    existing_file(path, "COCO's instances_*.json")
    try:
        document = json.loads(path.read_text())
        outlines: dict[int, list[bytes]] = {image["id"]: [] for image in document["images"]}
        for annotation in document["annotations"]:
            if not annotation.get("iscrowd"):
                text = json.dumps(annotation["segmentation"]).encode()
                outlines[annotation["image_id"]].append(text)
        return {image["file_name"]: outlines[image["id"]] for image in document["images"]}
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(
            f"{path}: not COCO's instances ({type(error).__name__}: {error}); copy it again"
        ) from None


def paint_outlines(outlines: Sequence[bytes], height: int, width: int, path: Path) -> np.ndarray:
    """Paints the outlines of a photo's objects: `[h, w]` uint16, 0 for none, objects from 1.

    Args:
        outlines: as `read_coco` gives them; of objects that overlap the later one is seen.
        height: rows of the photo.
        width: columns of the photo.
        path: the photo, for messages.

    Raises:
        ValueError: if an outline is none, or a run-length one is of another size.
    """
    labels = np.zeros((height, width), np.uint16)
    for number, outline in enumerate(outlines, start=1):
        try:
            labels[_outlined(json.loads(outline), height, width)] = number
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ValueError(f"{path}: the outline of object {number} is bad ({error})") from None
    return labels


def _outlined(outline: Any, height: int, width: int) -> np.ndarray:
    if isinstance(outline, list):
        return np.any([_inside(polygon, height, width) for polygon in outline], axis=0)
    if list(outline["size"]) != [height, width]:
        raise ValueError(f"its size is {outline['size']}, expected {[height, width]}")
    counts = outline["counts"]
    runs = np.asarray(_runs(counts) if isinstance(counts, str) else counts, np.int64)
    if runs.sum() != height * width or (runs < 0).any():
        raise ValueError(f"its runs hold {runs.sum()} pixels, expected {height * width}")
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(width, height).T > 0  # runs go down the columns


def _inside(polygon: list[float], height: int, width: int) -> np.ndarray:
    """Returns which pixels have their centres within a polygon `[x, y, x, y, ...]`."""
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    toggles = np.zeros((height, width + 1), np.int64)
    for (x, y), (next_x, next_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y == next_y:
            continue
        low, high = sorted((y, next_y))
        rows = np.arange(max(0, np.ceil(low - 0.5)), min(height, np.ceil(high - 0.5)), dtype=int)
        crossings = x + (rows + 0.5 - y) * (next_x - x) / (next_y - y)
        columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(int)
        np.add.at(toggles, (rows, columns), 1)
    return np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1


def _runs(text: str) -> list[int]:
    """Returns the lengths that COCO packs into a text.

    Five bits a character from 48 up, the lowest first, a sixth says that more follow; from the
    third on, the difference to the length before the last is packed.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value, shift = 0, 0
    return runs
