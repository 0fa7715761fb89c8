"""Selection of high-speed frames that move slowly enough to be averaged.

The average of frames approximates a continuous exposure only if the motion between frames is small:
Noroozi et al. keep a sequence if no optical flow between consecutive frames exceeds one pixel.
"""

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np


def optical_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the optical flow from one frame to another, by dense inverse search (OpenCV).

    Args:
        first: `[h, w, 3]` or `[h, w]`, uint8.
        second: of the same shape and dtype.

    Returns:
        The flow, `[h, w, 2]` float32: u to the right, v down, pixels.

    Raises:
        ValueError: if the frames are not uint8, differ in size, or have a side of less than 16.

    Source:
        Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
    """
    if first.dtype != np.uint8 or second.dtype != np.uint8:
        raise ValueError(
            f"optical_flow: frames must be uint8, got {first.dtype} and {second.dtype}"
        )
    if first.shape != second.shape or min(first.shape[:2]) < 16:
        raise ValueError(
            "optical_flow: frames must have one size of at least 16 pixels a side, "
            f"got {first.shape} and {second.shape}"
        )
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return method.calc(_grey(first), _grey(second), None)  # pyright: ignore[reportCallIssue, reportArgumentType]


def largest_motion(frames: Sequence[np.ndarray], *, quantile: float = 0.99) -> np.ndarray:
    """Returns the largest motion from each frame to the next, `[len(frames) - 1]` in pixels.

    Args:
        frames: uint8 frames of one size.
        quantile: quantile of the flow lengths that counts as the largest; 1 is sensitive to
            outliers.
    """
    lengths = [
        np.linalg.norm(optical_flow(first, second), axis=-1)
        for first, second in itertools.pairwise(frames)
    ]
    return np.asarray([np.quantile(length, quantile) for length in lengths])


def slow_windows(
    motion: np.ndarray, counts: Sequence[int], *, limit: float = 1.0
) -> Iterator[tuple[int, int]]:
    """Yields windows of consecutive frames whose motion stays below a limit.

    Windows do not overlap. Their lengths cycle through `counts`.

    Args:
        motion: motion from each frame to the next, see `largest_motion`.
        counts: numbers of frames of the windows, odd.
        limit: largest motion between consecutive frames in pixels.

    Yields:
        The index of the first frame of a window, and its number of frames.

    Raises:
        ValueError: if a count is even or less than one.
    """
    if any(count < 1 or count % 2 == 0 for count in counts):
        raise ValueError(
            f"slow_windows: counts must be odd so that one frame is in the middle, got {counts}"
        )
    start, turn = 0, 0
    while start + (count := counts[turn % len(counts)]) <= len(motion) + 1:
        fast = np.flatnonzero(motion[start : start + count - 1] > limit)
        if fast.size:
            start += int(fast[-1]) + 1  # the frame after the last fast motion
        else:
            yield start, count
            start, turn = start + count, turn + 1


def _grey(frame: np.ndarray) -> np.ndarray:
    return frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
