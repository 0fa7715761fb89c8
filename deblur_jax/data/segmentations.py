"""Readers of segmentation files: BSDS500, ADE20K, COCO, and plain label images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deblur_jax.io.flow import read_mat
from deblur_jax.io.images import existing_file, read_rgb


def read_bsds(path: Path) -> np.ndarray:
    """Reads a groundTruth file of BSDS500: `[annotators, h, w]` uint16, segments from 1.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is damaged or has other contents.
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
    """Reads a `*_seg.png` file of ADE20K: `[h, w]` uint16, 0 for unlabelled pixels, objects from 1.

    Red and green encode the class of an object, and blue its number within the class.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is damaged or has other contents.
    """
    colours = read_rgb(path).astype(np.int64)
    label = colours[..., 0] // 10 * 256 + colours[..., 1]
    code = np.where(label > 0, 1 + label * 256 + colours[..., 2], 0)
    codes, segments = np.unique(code, return_inverse=True)
    return (segments.reshape(code.shape) + (codes[0] > 0)).astype(np.uint16)


def read_labels(path: Path) -> np.ndarray:
    """Reads a grey PNG of 8 or 16 bits with segment numbers: `[h, w]` uint16.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is damaged or a colour image.
    """
    data = np.fromfile(existing_file(path, "a label image"), np.uint8)
    labels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise ValueError(f"{path}: not an image that can be read; expected a grey PNG")
    if labels.ndim != 2:
        raise ValueError(f"{path}: a colour image, expected a grey PNG with segment numbers")
    return labels.astype(np.uint16)


def read_coco(path: Path) -> dict[str, list[bytes]]:
    """Reads COCO's `instances_*.json`: the outlines of each photo's objects by file name.

    Outlines are kept as JSON text, which takes a fraction of the memory of Python objects. Crowd
    annotations are left out, since they are not single objects.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is damaged or has other contents.
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
    """Rasterises the outlines of a photo's objects: `[h, w]` uint16, background 0, objects from 1.

    Args:
        outlines: from `read_coco`; later objects occlude earlier ones.
        height: rows of the photo.
        width: columns of the photo.
        path: path of the photo, for messages.

    Raises:
        ValueError: if an outline is invalid, or its run-length encoding has another size.
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
        raise ValueError(f"size {outline['size']}, expected {[height, width]}")
    counts = outline["counts"]
    runs = np.asarray(_runs(counts) if isinstance(counts, str) else counts, np.int64)
    if runs.sum() != height * width or (runs < 0).any():
        raise ValueError(f"runs of {runs.sum()} pixels, expected {height * width}")
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(width, height).T > 0  # runs are in column-major order


def _inside(polygon: list[float], height: int, width: int) -> np.ndarray:
    """Returns whether each pixel's centre lies within a polygon `[x, y, x, y, ...]`."""
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
    """Decodes the run lengths of COCO's compressed text.

    Each character (minus 48) holds five bits, the lowest first, and a sixth bit that announces
    another character. From the fourth run on, the difference to the run two before is encoded.
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
