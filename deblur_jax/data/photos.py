"""Sharp photographs by index."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deblur_jax.data.checks import (
    check_option,
    check_side,
    find_files,
    inspect_all,
    report_problems,
)
from deblur_jax.io.folders import split_folders
from deblur_jax.io.images import SUFFIXES, read_photo, read_rgb


# Photographs in the scikit-image wheel. The two frames of the motorcycle show one scene, so both
# are in the same split.
EMBEDDED = {
    "train": (
        "astronaut.png", "rocket.jpg", "motorcycle_left.png", "motorcycle_right.png",
        "retina.jpg", "hubble_deep_field.jpg", "camera.png", "coins.png", "brick.png",
        "grass.png", "gravel.png",
    ),
    "test": ("chelsea.png", "coffee.png"),
}  # fmt: skip


class PhotoSource:
    """Decoded photos by index: `source[i]` is `{"sharp": [h, w, 3]}` uint8.

    Every file is decoded once at the start, so that bad files are reported before the run begins.

    Attributes:
        paths: the good files.
        skipped: a message for each skipped file.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        smallest: int,
        in_memory: bool,
        on_bad: str = "stop",
        any_kind: bool = False,
    ):
        """Reads every photo; raises an error for bad ones, or skips them.

        Args:
            paths: the files.
            smallest: smallest accepted side of a photo in pixels.
            in_memory: whether to keep the decoded photos (3 bytes a pixel).
            on_bad: "stop" or "skip", see `data.checks.report_problems`.
            any_kind: whether to convert grey, transparent and 16-bit images; otherwise they are
                bad.

        Raises:
            ValueError: one message that lists every bad file; also if no file is left.
        """
        self._read = _read_any_kind if any_kind else read_rgb

        def inspect(path: Path) -> np.ndarray | None:
            photo = self._read(path)
            check_side(photo, smallest, path)
            return photo if in_memory else None

        good, problems = inspect_all(paths, inspect)
        self.skipped: tuple[str, ...] = report_problems(
            problems, len(good), things="photos", on_bad=on_bad
        )
        self.paths: tuple[Path, ...] = tuple(path for path, _ in good)
        self._photos = [photo for _, photo in good]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        photo = self._photos[index]
        return {"sharp": self._read(self.paths[index]) if photo is None else photo}

    def name(self, index: int) -> str:
        """Returns the name of a photo."""
        return self.paths[index].stem


def _read_any_kind(path: Path) -> np.ndarray:
    return np.rint(read_photo(path).pixels * 255).astype(np.uint8)


def embedded_photos(split: str) -> list[Path]:
    """Returns the paths of scikit-image's photographs; `split` is `train` or `test`."""
    check_option("split", split, EMBEDDED)
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the embedded photos come with scikit-image: pip install scikit-image"
        )
    return [Path(package.origin).parent / "data" / name for name in EMBEDDED[split]]


def each_folder(folder: str | Sequence[str]) -> list[Path]:
    """Returns the folders named by a config: a tuple, or a text, see `io.folders.split_folders`.

    Raises:
        FileNotFoundError: if a folder does not exist.
        ValueError: if there is none.
    """
    named = folder if not isinstance(folder, str) else split_folders(folder)
    roots = [Path(name) for name in named if name]
    if not roots:
        raise ValueError("source.folder is empty; give a folder")
    for root in roots:
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: no such folder; give an existing one")
    return roots


def folder_photos(folder: str | Sequence[str]) -> list[Path]:
    """Returns the image files below one or several folders, sorted by path within each.

    Raises:
        FileNotFoundError: if a folder does not exist.
        ValueError: if a folder has no images.
    """
    paths = []
    for root in each_folder(folder):
        found = find_files(root, SUFFIXES)
        if not found:
            raise ValueError(
                f"{root}: no photos found; expected files ending in {', '.join(SUFFIXES)}"
            )
        paths += found
    return paths
