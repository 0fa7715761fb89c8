"""Blurry and sharp pairs from plain folders of high-speed frames, by index.

Every folder with images is a video, with frames in the order of their names. Windows of frames with
slow motion (see `data.frame_filter`) are averaged:

    blurry = display(mean_n light(frame_n)),    sharp = the middle frame

`simulate.averaging.average_frames` does the same for frames in memory. Here frames are averaged on
the host as they are decoded, since a whole video does not fit into memory.
"""

import dataclasses
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from deblur_jax.data.checks import (
    check_side,
    describe_size,
    find_files,
    inspect_all,
    report_problems,
)
from deblur_jax.data.examples import NumpyExample
from deblur_jax.data.frame_filter import largest_motion, optical_flow, slow_windows
from deblur_jax.io.images import SUFFIXES, read_rgb
from deblur_jax.transfer import Transfer, display_from_light, light_from_display


@dataclasses.dataclass(frozen=True)
class Averaging:
    """How frames are averaged to pairs.

    Attributes:
        counts: numbers of averaged frames, odd; windows cycle through them.
        fastest: largest motion in pixels between consecutive downsampled frames. `inf` accepts all
            frames without measuring their motion.
        shrink: factor by which frames are downsampled, by area averaging.
        transfer: "linear" averages display values; a gamma such as 2.2 or "srgb" averages light.
        flow: whether to estimate the optical flow between the first and the last frame.
    """

    counts: tuple[int, ...]
    fastest: float
    shrink: int
    transfer: Transfer
    flow: bool


def average_files(paths: Sequence[Path], averaging: Averaging) -> NumpyExample:
    """Averages consecutive frames to a pair.

    Returns:
        `blurry` and `sharp`, `[h, w, 3]` uint8, rounded; with `averaging.flow` also `flow` and
        `backward_flow`, `[h, w, 2]`.
    """
    total = np.zeros((), np.float32)
    kept = {}
    for index, path in enumerate(paths):
        frame = _read_small(path, averaging.shrink)
        total = total + light_from_display(frame.astype(np.float32) / 255, averaging.transfer)
        if index in (0, len(paths) // 2, len(paths) - 1):
            kept[index] = frame
    blurry = display_from_light(total / len(paths), averaging.transfer)
    pair = {"blurry": np.rint(255 * blurry).astype(np.uint8), "sharp": kept[len(paths) // 2]}
    if averaging.flow:
        first, last = kept[0], kept[len(paths) - 1]
        pair["flow"], pair["backward_flow"] = optical_flow(first, last), optical_flow(last, first)
    return pair


class FrameSource:
    """Pairs averaged from high-speed frames, by index: `source[i]` is an `average_files` pair.

    Every frame is decoded once at the start, to find bad frames and to measure the motion. A
    skipped bad frame splits its video.

    Attributes:
        windows: the frames of each pair.
        skipped: a message for each skipped frame.
    """

    def __init__(
        self, folders: Sequence[Path], averaging: Averaging, *, smallest: int, on_bad: str
    ):
        """Reads every frame, and logs how many of them are used.

        Args:
            folders: folders with videos, at any depth.
            averaging: how frames are averaged to pairs.
            smallest: smallest side in pixels of a downsampled frame.
            on_bad: "stop" or "skip", see `data.checks.report_problems`.

        Raises:
            ValueError: one message that lists every bad frame; also if there is no frame, or no
                window of frames is slow enough.
        """
        self.averaging = averaging
        videos = [video for root in folders for video in _videos(root)]
        if not videos:
            raise ValueError(
                f"{', '.join(map(str, folders))}: no frames found; expected files ending in "
                f"{', '.join(SUFFIXES)}"
            )
        runs, problems = [], []
        for video in videos:
            found, wrong = _good_runs(video, averaging.shrink, smallest)
            runs, problems = runs + found, problems + wrong
        count = sum(map(len, runs))
        self.skipped: tuple[str, ...] = report_problems(
            problems, count, things="frames", on_bad=on_bad
        )
        self.windows: tuple[tuple[Path, ...], ...] = tuple(
            window for run in runs for window in _windows(run, averaging)
        )
        used = sum(map(len, self.windows))
        if not self.windows:
            raise ValueError(
                f"none of {count} frames can be averaged: no {min(averaging.counts)} consecutive "
                f"frames move at most {averaging.fastest:g} pixels from frame to frame; increase "
                "source.fastest or source.shrink"
            )
        print(
            f"{len(self.windows)} windows use {used} of {count} frames; the others move faster "
            f"than {averaging.fastest:g} pixels or do not fill a window",
            file=sys.stderr,
            flush=True,
        )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> NumpyExample:
        return average_files(self.windows[index], self.averaging)

    def name(self, index: int) -> str:
        """Returns the name of a pair, from its middle frame."""
        window = self.windows[index]
        return window[len(window) // 2].with_suffix("").as_posix()


def _videos(root: Path) -> list[list[Path]]:
    frames = find_files(root, SUFFIXES)
    return [list(found) for _, found in itertools.groupby(frames, key=lambda path: path.parent)]


def _good_runs(video: list[Path], shrink: int, smallest: int) -> tuple[list[list[Path]], list[str]]:
    """Splits a video at its bad frames; returns the runs and a message for each bad frame."""

    def inspect(path: Path) -> tuple[int, ...]:
        frame = read_rgb(path)
        check_side(frame, smallest * shrink, path)
        return frame.shape

    good, problems = inspect_all(video, inspect)
    usable = set()
    for path, shape in good:
        if shape == good[0][1]:
            usable.add(path)
        else:
            first, expected = good[0]
            problems.append(
                f"{path}: {describe_size(shape)}, expected {describe_size(expected)} as in {first}"
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
