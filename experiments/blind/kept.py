"""Restorations of simulated photos in files, with the sharp originals on the same pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deblur_jax.blind.verdict import probability
from experiments.shared import best_shift, moved


class Restoration(NamedTuple):
    """A restoration, the residual of its blur, and the sharp original on the same pixels."""

    restored: np.ndarray
    residual: np.ndarray
    sharp: np.ndarray


class Kept(NamedTuple):
    """A photo and its restorations as they are kept: 8-bit, the residuals float16."""

    name: str
    photo: np.ndarray
    restored: np.ndarray
    residual: np.ndarray
    sharp: np.ndarray
    explained: np.ndarray
    """Probability of each hypothesis by how well its blur explains the photo."""
    preferred: np.ndarray
    """The numbers of the hypotheses, the chosen one first."""
    names: Sequence[str] = ()
    """Of the hypotheses."""


def aligned(sharp: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return the sharp photo moved onto another picture of it, `[h, w, 3]`."""
    greys = [each.mean(-1, keepdims=True).astype(np.float32) for each in (nearest, sharp)]
    offset = -best_shift(*greys)
    return np.stack([moved(sharp[..., c], offset) for c in range(sharp.shape[-1])], -1)


def write_restorations(path: Path, photo: np.ndarray, restorations: list[Restoration]) -> None:
    """Write a photo and its restorations."""
    path.parent.mkdir(parents=True, exist_ok=True)
    restored, residual, sharp = (np.stack(each) for each in zip(*restorations, strict=True))
    np.savez(
        path, photo=_bytes(photo), restored=_bytes(restored), sharp=_bytes(sharp),
        residual=residual.astype(np.float16),
    )  # fmt: skip


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def read_kept(
    folder: Path, rows: Sequence[dict], weights: np.ndarray, choice: np.ndarray
) -> list[Kept]:
    """Return the kept photos of the rows, judged by the weights of the features and the choice."""
    kept = []
    for row in rows:
        path = folder / f"{row['photo']}.npz"
        if not row["hypotheses"] or not path.exists():
            continue
        given = np.asarray([each["features"] for each in row["hypotheses"]])
        explained = np.asarray([probability(score) for score in given @ weights])
        preferred = np.argsort(-(given @ choice))
        names = [each["name"] for each in row["hypotheses"]]
        pictures = _pictures(path)
        kept.append(
            Kept(row["photo"], **pictures, explained=explained, preferred=preferred, names=names)
        )
    return kept


def read_practice(folder: Path) -> list[Kept]:
    """Return the photos that were restored by wrong kernels; none of them has a hypothesis."""
    nothing = np.zeros(0, int)
    kept = []
    for path in sorted(folder.glob("*.npz")):
        pictures = _pictures(path)
        kept.append(Kept(path.stem, **pictures, explained=nothing, preferred=nothing, names=()))
    return kept


def _pictures(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays}


def pictures_of(one: Kept, number: int) -> tuple[np.ndarray, ...]:
    """Return photo, restoration, residual and sharp original as floats, `[h, w, 3]`."""
    scale = np.float32(255)
    return (
        one.photo / scale, one.restored[number] / scale,
        one.residual[number].astype(np.float32), one.sharp[number] / scale,
    )  # fmt: skip
