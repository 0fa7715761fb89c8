"""Photographs with segmentations, from plain folders, by index.

bsds      FOLDER/images/SPLIT/*.jpg       FOLDER/groundTruth/SPLIT/*.mat
ade       FOLDER/**/SPLIT/**/*.jpg        *_seg.png in the same folder
coco      FOLDER/SPLIT/*.jpg              FOLDER/annotations/instances_SPLIT.json
labels    FOLDER/images/*                 FOLDER/segments/*.png, grey, with segment numbers
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deblur_jax.data.checks import (
    check_option,
    check_side,
    describe_size,
    inspect_all,
    report_problems,
)
from deblur_jax.data.examples import NumpyExample
from deblur_jax.data.segmentations import (
    paint_outlines,
    read_ade,
    read_bsds,
    read_coco,
    read_labels,
)
from deblur_jax.io.folders import list_files
from deblur_jax.io.images import SUFFIXES, read_rgb


@dataclasses.dataclass(frozen=True)
class SegmentFiles:
    """A photo and its segmentation: a file, or outlines from `read_coco`."""

    photo: Path
    layout: str
    truth: Any

    def __str__(self) -> str:
        return str(self.photo)


def read_segments(files: SegmentFiles) -> NumpyExample:
    """Reads a photo and its segments.

    Returns:
        `sharp`, `[h, w, 3]` uint8, and `segments`, `[h, w]` uint16, or for "bsds"
        `segmentations`, `[annotators, h, w]`.

    Raises:
        FileNotFoundError: if a file does not exist.
        ValueError: if a file cannot be used, or the sizes of photo and segments differ.
    """
    photo = read_rgb(files.photo)
    if files.layout == "coco":
        height, width, _ = photo.shape
        segments = paint_outlines(files.truth, height, width, files.photo)
        return {"sharp": photo, "segments": segments}
    segments = READERS[files.layout](files.truth)
    if segments.shape[-2:] != photo.shape[:2]:
        raise ValueError(
            f"{files.truth}: {describe_size(segments.shape[-2:])}, expected "
            f"{describe_size(photo.shape)} as in {files.photo}"
        )
    return {"sharp": photo, "segmentations" if segments.ndim == 3 else "segments": segments}


READERS: dict[str, Callable[..., Any]] = {"bsds": read_bsds, "ade": read_ade, "labels": read_labels}


class SegmentSource:
    """Photos with segments by index: `source[i]` is the result of `read_segments`.

    Every file is decoded once at the start, so that bad files are reported before the run begins.

    Attributes:
        files: the good files.
        skipped: a message for each skipped photo.
    """

    def __init__(
        self, files: list[SegmentFiles], problems: list[str], *, smallest: int, on_bad: str
    ):
        """Reads every file; raises an error for bad ones, or skips them.

        Args:
            files: photos and their segmentations.
            problems: messages of problems found before.
            smallest: smallest accepted side of a photo in pixels.
            on_bad: "stop" or "skip", see `data.checks.report_problems`.

        Raises:
            ValueError: one message that lists every problem; also if no photo is left.
        """

        def inspect(each: SegmentFiles) -> None:
            check_side(read_segments(each)["sharp"], smallest, each.photo)

        good, bad = inspect_all(files, inspect)
        self.skipped: tuple[str, ...] = report_problems(
            [*problems, *bad], len(good), things="photos with segments", on_bad=on_bad
        )
        self.files: tuple[SegmentFiles, ...] = tuple(each for each, _ in good)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> NumpyExample:
        return read_segments(self.files[index])

    def name(self, index: int) -> str:
        """Returns the name of a photo."""
        return self.files[index].photo.stem


def find_segments(layout: str, folder: Path, split: str) -> tuple[list[SegmentFiles], list[str]]:
    """Finds photos with segmentations; returns them and messages for files without a partner.

    Args:
        layout: one of `LAYOUTS`, see the module.
        folder: root folder.
        split: name of the split's folder; "" for "labels".

    Raises:
        FileNotFoundError: if the folder does not exist.
        ValueError: if the layout is unknown, or nothing is found.
    """
    check_option("source.layout", layout, LAYOUTS)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give an existing one")
    files, problems = match_segments(layout, folder, split)
    if not files and not problems:
        raise ValueError(
            f"{folder}: no photos of split {split!r} in the layout {layout!r}; see "
            "deblur_jax/data/segments.py for the layouts"
        )
    return files, problems


def match_segments(layout: str, folder: Path, split: str) -> tuple[list[SegmentFiles], list[str]]:
    """Does the same as `find_segments`, but returns empty lists if nothing is found."""
    photos, truths = LAYOUTS[layout](folder, split)
    files, problems = [], []
    for name in sorted(photos.keys() | truths.keys()):
        if name in photos and name in truths:
            files.append(SegmentFiles(photos[name], layout, truths[name]))
        elif name in photos:
            problems.append(f"{photos[name]}: no segments found in the layout {layout!r}")
        else:
            what = truths[name] if isinstance(truths[name], Path) else name
            problems.append(f"{what}: no photo found in the layout {layout!r}")
    return files, problems


def _find_bsds(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    photos = _by_stem(folder / "images" / split, ".jpg")
    return photos, _by_stem(folder / "groundTruth" / split, ".mat")


def _find_ade(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    # The release of 2021 also has folders named like the photos, with a mask for each object.
    prefix = f"ADE_{'train' if split == 'training' else 'val'}_"
    ending = "_seg.png"
    found = [
        path
        for path in list_files(folder, (".jpg", ".png")).files
        if path.name.startswith(prefix) and split in path.relative_to(folder).parent.parts
    ]
    photos = {str(path.with_suffix("")): path for path in found if path.suffix == ".jpg"}
    return photos, {
        str(path).removesuffix(ending): path for path in found if path.name.endswith(ending)
    }


def _find_coco(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, list[bytes]]]:
    photos = {path.name: path for path in _by_stem(folder / split, ".jpg").values()}
    return photos, read_coco(folder / "annotations" / f"instances_{split}.json")


def _find_labels(folder: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    del split
    return _by_stem(folder / "images", *SUFFIXES), _by_stem(folder / "segments", ".png")


def _by_stem(folder: Path, *suffixes: str) -> dict[str, Path]:
    return {path.stem: path for path in list_files(folder, suffixes, deep=False).files}


LAYOUTS: dict[str, Callable[..., Any]] = {
    "bsds": _find_bsds,
    "ade": _find_ade,
    "coco": _find_coco,
    "labels": _find_labels,
}
