"""Blurry and sharp pairs from plain folders of high-speed frames, by index.

Every folder that holds images is a video, its frames in the order of their names. Runs of frames
within which nothing moves too fast (`data.frame_filter`) are averaged:

    blurry = display(mean_n light(frame_n)),    sharp = the middle frame

`simulate.averaging.average_frames` does the same to frames in memory; here they are too many, and
are averaged as they are decoded.
"""

import dataclasses
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from deblur_jax.data.checks import check_side, look_at_all, settle
from deblur_jax.data.examples import Example
from deblur_jax.data.frame_filter import largest_motion, optical_flow, slow_windows
from deblur_jax.io.images import SUFFIXES, read_rgb


Transfer = str | float


@dataclasses.dataclass(frozen=True)
class Averaging:
    """How frames are made into pairs.

    Attributes:
        counts: how many frames are averaged, odd numbers, taken in turn.
        fastest: pixels; no motion between consecutive frames, after they are shrunk, may exceed
            it. `inf` takes all frames, and looks for no motion.
        shrink: how many times smaller the pictures are than the frames, by area averaging.
        transfer: "linear" averages display values, a gamma such as 2.2 or "srgb" averages light.
        flow: whether the optical flow from the first to the last frame is estimated, and back.
    """

    counts: tuple[int, ...]
    fastest: float
    shrink: int
    transfer: Transfer
    flow: bool


def average_files(paths: Sequence[Path], averaging: Averaging) -> Example:
    """Makes a pair of consecutive frames.

    Returns:
        `blurry` and `sharp`, `[h, w, 3]` uint8, rounded; if asked for, `flow` and
        `backward_flow`, `[h, w, 2]`.
    """
    total = np.zeros((), np.float32)
    kept = {}
    for index, path in enumerate(paths):
        frame = _read_small(path, averaging.shrink)
        total = total + _to_light(frame.astype(np.float32) / 255, averaging.transfer)
        if index in (0, len(paths) // 2, len(paths) - 1):
            kept[index] = frame
    blurry = _to_display(total / len(paths), averaging.transfer)
    pair = {"blurry": np.rint(255 * blurry).astype(np.uint8), "sharp": kept[len(paths) // 2]}
    if averaging.flow:
        first, last = kept[0], kept[len(paths) - 1]
        pair["flow"], pair["backward_flow"] = optical_flow(first, last), optical_flow(last, first)
    return pair


class FrameSource:
    """Pairs averaged of high-speed frames by index: `source[i]` is what `average_files` gives.

    Every frame is decoded once at the start: a bad one is named, and motion is measured. A bad
    frame that is skipped divides its video.

    Attributes:
        windows: the frames of each pair.
        skipped: one line for each bad frame, if `on_bad` is "skip".
    """

    def __init__(
        self, folders: Sequence[Path], averaging: Averaging, *, smallest: int, on_bad: str
    ):
        """Looks at every frame; says on standard error how many are in no window.

        Args:
            folders: where the videos are, at any depth.
            averaging: how frames are made into pairs.
            smallest: the shortest side in pixels that a shrunk frame may have.
            on_bad: "stop" or "skip", see `data.checks.settle`.

        Raises:
            ValueError: one message that lists every bad frame; also if there is no frame, or no
                run of frames is slow enough.
        """
        self.averaging = averaging
        videos = [video for root in folders for video in _videos(root)]
        if not videos:
            raise ValueError(
                f"{', '.join(map(str, folders))}: holds no frame; expected files ending in "
                f"{', '.join(SUFFIXES)}"
            )
        runs, problems = [], []
        for video in videos:
            found, wrong = _good_runs(video, averaging.shrink, smallest)
            runs, problems = runs + found, problems + wrong
        count = sum(map(len, runs))
        self.skipped = settle(problems, count, things="frames", on_bad=on_bad)
        self.windows = tuple(window for run in runs for window in _windows(run, averaging))
        used = sum(map(len, self.windows))
        if not self.windows:
            raise ValueError(
                f"none of {count} frames can be averaged: no run of {min(averaging.counts)} or "
                f"more moves at most {averaging.fastest:g} pixels from frame to frame; raise "
                "source.fastest or source.shrink"
            )
        print(
            f"{len(self.windows)} windows hold {used} of {count} frames; the others move faster "
            f"than {averaging.fastest:g} pixels or are left over",
            file=sys.stderr,
            flush=True,
        )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Example:
        return average_files(self.windows[index], self.averaging)

    def name(self, index: int) -> str:
        """Returns what a pair is called, after its middle frame."""
        window = self.windows[index]
        return window[len(window) // 2].with_suffix("").as_posix()


def _videos(root: Path) -> list[list[Path]]:
    frames = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [list(found) for _, found in itertools.groupby(frames, key=lambda path: path.parent)]


def _good_runs(video: list[Path], shrink: int, smallest: int) -> tuple[list[list[Path]], list[str]]:
    """Divides a video at its bad frames, which are named."""

    def look(path: Path) -> tuple[int, ...]:
        frame = read_rgb(path)
        check_side(frame, smallest * shrink, path)
        return frame.shape

    good, problems = look_at_all(video, look)
    usable = set()
    for path, shape in good:
        if shape == good[0][1]:
            usable.add(path)
        else:
            size = f"{shape[1]}x{shape[0]}"
            problems.append(
                f"{path}: {size} pixels, expected {good[0][1][1]}x{good[0][1][0]} as in "
                f"{good[0][0]}"
            )
    runs = [list(found) for fine, found in itertools.groupby(video, usable.__contains__) if fine]
    return runs, problems


def _windows(run: list[Path], averaging: Averaging) -> list[tuple[Path, ...]]:
    motion = np.zeros(len(run) - 1)
    if np.isfinite(averaging.fastest):
        small = (_read_small(path, averaging.shrink) for path in run)  # two of them at a time
        motion = np.asarray([largest_motion(pair)[0] for pair in itertools.pairwise(small)])
    found = slow_windows(motion, averaging.counts, limit=averaging.fastest)
    return [tuple(run[start : start + count]) for start, count in found]


def _read_small(path: Path, shrink: int) -> np.ndarray:
    frame = read_rgb(path)
    if shrink == 1:
        return frame
    height, width = frame.shape[0] // shrink, frame.shape[1] // shrink
    whole = frame[: height * shrink, : width * shrink]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _to_light(display: np.ndarray, transfer: Transfer) -> np.ndarray:
    if transfer == "linear":
        return display
    if transfer == "srgb":
        return np.where(
            display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** np.float32(2.4)
        )
    return display ** np.float32(transfer)


def _to_display(light: np.ndarray, transfer: Transfer) -> np.ndarray:
    if transfer == "linear":
        return light
    if transfer == "srgb":
        return np.where(
            light <= 0.0031308, light * 12.92, 1.055 * light ** np.float32(1 / 2.4) - 0.055
        )
    return light ** np.float32(1 / float(transfer))
