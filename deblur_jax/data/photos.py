"""Sharp photographs by index: what a training run reads."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deblur_jax.data.checks import check_option, check_side, look_at_all, settle
from deblur_jax.io.images import SUFFIXES, read_photo, read_rgb


# Photographs that the scikit-image wheel carries. The two frames of the motorcycle are one scene,
# so they stay on one side.
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

    Every file is decoded once at the start, so a bad one is named before the run begins.

    Attributes:
        paths: the files that are used.
        skipped: one line for each bad file, if `on_bad` is "skip".
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
        """Reads every photo, and refuses or leaves out the bad ones.

        Args:
            paths: the files.
            smallest: the shortest side in pixels that a photo may have.
            in_memory: whether to keep the decoded photos (3 bytes a pixel).
            on_bad: "stop" refuses them all if one is bad; "skip" leaves the bad ones out and
                writes how many, and which, to standard error.
            any_kind: whether grey, transparent and 16-bit images are converted; else they are
                bad ones.

        Raises:
            ValueError: one message that lists every file that cannot be used, and why; also if
                none is left.
        """
        self._read = _read_any_kind if any_kind else read_rgb

        def look(path: Path) -> np.ndarray | None:
            photo = self._read(path)
            check_side(photo, smallest, path)
            return photo if in_memory else None

        good, problems = look_at_all(paths, look)
        self.skipped = settle(problems, len(good), things="photos", on_bad=on_bad)
        self.paths = tuple(path for path, _ in good)
        self._photos = [photo for _, photo in good]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        photo = self._photos[index]
        return {"sharp": self._read(self.paths[index]) if photo is None else photo}

    def name(self, index: int) -> str:
        """Returns what a photo is called."""
        return self.paths[index].stem


def _read_any_kind(path: Path) -> np.ndarray:
    return np.rint(read_photo(path).pixels * 255).astype(np.uint8)


def embedded_photos(split: str) -> list[Path]:
    """Returns the files of scikit-image's photographs, `train` or `test`; nothing is downloaded."""
    check_option("split", split, EMBEDDED)
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the embedded photos come with scikit-image: pip install scikit-image"
        )
    return [Path(package.origin).parent / "data" / name for name in EMBEDDED[split]]


def each_folder(folder: str | Sequence[str]) -> list[Path]:
    """Returns the folders that a config names: a tuple, or one text with `:` between them.

    (`;` where paths hold colons: it is what the system's own list of paths has.)

    Raises:
        FileNotFoundError: if one of them is not there.
        ValueError: if there is none.
    """
    names = folder.split(os.pathsep) if isinstance(folder, str) else folder
    roots = [Path(name) for name in names if name]
    if not roots:
        raise ValueError("source.folder is empty; give a folder")
    for root in roots:
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: no such folder; give one that is there")
    return roots


def folder_photos(folder: str | Sequence[str]) -> list[Path]:
    """Returns the image files below one or several folders, sorted by path within each.

    Raises:
        FileNotFoundError: if a folder is not there.
        ValueError: if one holds no image.
    """
    paths = []
    for root in each_folder(folder):
        found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise ValueError(
                f"{root}: holds no photo; expected files ending in {', '.join(SUFFIXES)}"
            )
        paths += found
    return paths
