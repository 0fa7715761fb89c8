"""Sharp photographs by index: what a training run reads."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deblur_jax.io.images import SUFFIXES, read_photo


ON_BAD = ("stop", "skip")  # what to do about files that cannot be used

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
    """Decoded photos by index: `source[i]` is `[h, w, 3]` uint8.

    Every file is decoded once at the start, so a bad one is named before the run begins.

    Attributes:
        paths: the files that are used.
        skipped: one line for each bad file, if `on_bad` is "skip".
    """

    def __init__(
        self, paths: Sequence[Path], *, smallest: int, in_memory: bool, on_bad: str = "stop"
    ):
        """Reads every photo, and refuses or leaves out the bad ones.

        Args:
            paths: the files.
            smallest: the shortest side in pixels that a photo may have.
            in_memory: whether to keep the decoded photos (3 bytes a pixel).
            on_bad: "stop" refuses them all if one is bad; "skip" leaves the bad ones out and
                writes how many, and which, to standard error.

        Raises:
            ValueError: one message that lists every file that cannot be used, and why; also if
                none is left.
        """
        if on_bad not in ON_BAD:
            raise ValueError(f"on_bad must be one of {sorted(ON_BAD)}, got {on_bad!r}")
        good = []
        self._photos: list[np.ndarray] | None = [] if in_memory else None
        problems = []
        for path in paths:
            try:
                photo = _decode(path)
            except (OSError, ValueError) as error:
                problems.append(str(error))
                continue
            if min(photo.shape[:2]) < smallest:
                size = f"{photo.shape[1]}x{photo.shape[0]}"
                problems.append(f"{path}: {size} pixels, expected at least {smallest} a side")
                continue
            good.append(path)
            if self._photos is not None:
                self._photos.append(photo)
        self.paths, self.skipped = tuple(good), tuple(problems)
        listed = "\n".join(problems)
        if problems and (on_bad == "stop" or not good):
            raise ValueError(f"these photos cannot be used; mend or remove them:\n{listed}")
        if problems:
            print(
                f"{len(problems)} photos skipped, {len(good)} used:\n{listed}",
                file=sys.stderr,
                flush=True,
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return _decode(self.paths[index]) if self._photos is None else self._photos[index]


def _decode(path: Path) -> np.ndarray:
    return np.rint(read_photo(path).pixels * 255).astype(np.uint8)


def embedded_photos(split: str) -> list[Path]:
    """Returns the files of scikit-image's photographs, `train` or `test`; nothing is downloaded."""
    if split not in EMBEDDED:
        raise ValueError(f"split must be one of {sorted(EMBEDDED)}, got {split!r}")
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the embedded photos come with scikit-image: pip install scikit-image"
        )
    return [Path(package.origin).parent / "data" / name for name in EMBEDDED[split]]


def folder_photos(folder: str) -> list[Path]:
    """Returns the image files below `folder`, sorted by path.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no image.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; give a folder of photos")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ValueError(f"{root}: holds no photo; expected files ending in {', '.join(SUFFIXES)}")
    return paths


def make_source(
    *,
    name: str,
    split: str,
    folder: str,
    smallest: int,
    in_memory: bool,
    limit: int,
    on_bad: str = "stop",
) -> PhotoSource:
    """Returns the photos that a config names.

    Args:
        name: `embedded` (scikit-image's photographs, `split` of them) or `folder`.
        split: `train` or `test`, for `embedded`.
        folder: where the photos are, for `folder`.
        smallest: the shortest side in pixels that a photo may have.
        in_memory: whether to keep the decoded photos.
        limit: how many photos to use at most; 0 for all.
        on_bad: "stop" or "skip", see `PhotoSource`.
    """
    if name == "embedded":
        paths = embedded_photos(split)
    elif name == "folder":
        paths = folder_photos(folder)
    else:
        raise ValueError(f"source.name must be one of ['embedded', 'folder'], got {name!r}")
    paths = paths[:limit] if limit else paths
    return PhotoSource(paths, smallest=smallest, in_memory=in_memory, on_bad=on_bad)
