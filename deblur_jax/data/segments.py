"""Photographs with their objects outlined, from plain folders, by index.

bsds      FOLDER/images/SPLIT/*.jpg       FOLDER/groundTruth/SPLIT/*.mat
ade       FOLDER/**/SPLIT/**/*.jpg        the same place, *_seg.png
coco      FOLDER/SPLIT/*.jpg              FOLDER/annotations/instances_SPLIT.json
labels    FOLDER/images/*                 FOLDER/segments/*.png, grey: a number a segment
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deblur_jax.data.checks import check_option, check_side, look_at_all, settle, size_in_words
from deblur_jax.data.examples import Example
from deblur_jax.data.segmentations import (
    paint_outlines,
    read_ade,
    read_bsds,
    read_coco,
    read_labels,
)
from deblur_jax.io.images import SUFFIXES, read_rgb


@dataclasses.dataclass(frozen=True)
class SegmentFiles:
    """A photo and what outlines its objects: a file, or outlines as `read_coco` gives them."""

    photo: Path
    layout: str
    truth: Any


def read_segments(files: SegmentFiles) -> Example:
    """Reads a photo and its segments.

    Returns:
        `sharp`, `[h, w, 3]` uint8, and `segments`, `[h, w]` uint16, or of "bsds" `segmentations`,
        `[annotators, h, w]`.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if a file cannot be used, or the segments are of another size than the photo.
    """
    photo = read_rgb(files.photo)
    if files.layout == "coco":
        height, width, _ = photo.shape
        segments = paint_outlines(files.truth, height, width, files.photo)
        return {"sharp": photo, "segments": segments}
    segments = READERS[files.layout](files.truth)
    if segments.shape[-2:] != photo.shape[:2]:
        size = f"{segments.shape[-1]}x{segments.shape[-2]}"
        raise ValueError(
            f"{files.truth}: {size} pixels, expected {size_in_words(photo)} as in {files.photo}"
        )
    return {"sharp": photo, "segmentations" if segments.ndim == 3 else "segments": segments}


READERS: dict[str, Callable] = {"bsds": read_bsds, "ade": read_ade, "labels": read_labels}


class SegmentSource:
    """Photos with segments by index: `source[i]` is what `read_segments` gives.

    Every file is decoded once at the start, so a bad one is named before the run begins.

    Attributes:
        files: what is used.
        skipped: one line for each problem, if `on_bad` is "skip".
    """

    def __init__(
        self, files: list[SegmentFiles], problems: list[str], *, smallest: int, on_bad: str
    ):
        """Reads everything, and refuses or leaves out what is bad.

        Args:
            files: what there is.
            problems: what was found to be wrong before.
            smallest: the shortest side in pixels that a photo may have.
            on_bad: "stop" or "skip", see `data.checks.settle`.

        Raises:
            ValueError: one message that lists every problem; also if nothing is left.
        """

        def look(each: SegmentFiles) -> None:
            check_side(read_segments(each)["sharp"], smallest, each.photo)

        good, found = look_at_all(files, look)
        self.skipped = settle(
            [*problems, *found], len(good), things="photos with segments", on_bad=on_bad
        )
        self.files = tuple(each for each, _ in good)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Example:
        return read_segments(self.files[index])

    def name(self, index: int) -> str:
        """Returns what a photo is called."""
        return self.files[index].photo.stem


def find_segments(layout: str, folder: Path, split: str) -> tuple[list[SegmentFiles], list[str]]:
    """Finds photos and what outlines their objects, and what has no partner.

    Args:
        layout: one of `LAYOUTS`, see this module.
        folder: where the files are.
        split: as the folders are named; "" for "labels".

    Raises:
        FileNotFoundError: if the folder is not there.
        ValueError: if the layout is unknown, or nothing is found.
    """
    check_option("source.layout", layout, LAYOUTS)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give one that is there")
    files, problems = match_segments(layout, folder, split)
    if not files and not problems:
        raise ValueError(
            f"{folder}: holds no photos of split {split!r} as {layout!r} lays them out; see "
            "deblur_jax/data/segments.py"
        )
    return files, problems


def match_segments(layout: str, folder: Path, split: str) -> tuple[list[SegmentFiles], list[str]]:
    """Finds what `find_segments` does; nothing found is no error."""
    photos, truths = LAYOUTS[layout](folder, split)
    files, problems = [], []
    for name in sorted(photos.keys() | truths.keys()):
        if name in photos and name in truths:
            files.append(SegmentFiles(photos[name], layout, truths[name]))
        elif name in photos:
            problems.append(f"{photos[name]}: has no segments in the layout {layout!r}")
        else:
            what = truths[name] if isinstance(truths[name], Path) else name
            problems.append(f"{what}: has no photo in the layout {layout!r}")
    return files, problems


def _find_bsds(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    photos = {path.stem: path for path in (folder / "images" / split).glob("*.jpg")}
    return photos, {path.stem: path for path in (folder / "groundTruth" / split).glob("*.mat")}


def _find_ade(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    # Folders of the same names as the photos hold one mask for each object.
    prefix = f"ADE_{'train' if split == 'training' else 'val'}_"
    ending = "_seg.png"
    found = list(folder.rglob(f"{split}/**/{prefix}*"))
    photos = {str(path.with_suffix("")): path for path in found if path.suffix == ".jpg"}
    return photos, {
        str(path).removesuffix(ending): path for path in found if path.name.endswith(ending)
    }


def _find_coco(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, list[bytes]]]:
    photos = {path.name: path for path in (folder / split).glob("*.jpg")}
    return photos, read_coco(folder / "annotations" / f"instances_{split}.json")


def _find_labels(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    del split
    photos = {
        path.stem: path for path in (folder / "images").glob("*") if path.suffix.lower() in SUFFIXES
    }
    return photos, {path.stem: path for path in (folder / "segments").glob("*.png")}


LAYOUTS: dict[str, Callable] = {
    "bsds": _find_bsds,
    "ade": _find_ade,
    "coco": _find_coco,
    "labels": _find_labels,
}
