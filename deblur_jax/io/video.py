"""Videos, frame by frame: a folder of pictures, or one file.

A folder always works and is lossless. Files are read and written by OpenCV with the codecs of its
wheel; sound is not kept.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from deblur_jax.io import files, images
from deblur_jax.io.folders import list_files
from deblur_jax.io.images import Photo, read_photo, write_photo


CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "FFV1", ".avi": "FFV1"}  # FFV1 loses nothing
VIDEO_SUFFIXES = (*CODECS, ".m4v", ".webm")  # of files that may be read
RATE = 30.0  # frames per second, if the source does not state it

Frame = tuple[str, np.ndarray]


def read_frames(path: str | os.PathLike[str]) -> Iterator[Frame]:
    """Reads the frames of a video in order: names, and `[h, w, 3]` display values in [0, 1].

    Args:
        path: a folder of pictures, read in the order of their names, or a video file.

    Raises:
        FileNotFoundError: if there is no such folder or file.
        ValueError: if it holds no frame, or one that cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        files = list_files(path, images.SUFFIXES, deep=False).files
        if not files:
            raise ValueError(
                f"{path}: holds no frame; expected files ending in {', '.join(images.SUFFIXES)}"
            )
        return ((file.stem, read_photo(file).pixels) for file in files)
    return _decoded(path, _opened(path))


def frame_rate(path: str | os.PathLike[str]) -> float:
    """Returns the frame rate of a video file; `RATE` for a folder."""
    if Path(path).is_dir():
        return RATE
    return _opened(Path(path)).get(cv2.CAP_PROP_FPS) or RATE


def _opened(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such video; give a folder of frames or a file")
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise ValueError(
            f"{path}: not a video that OpenCV can read here; give its frames as a folder of "
            "pictures"
        )
    return video


def _decoded(path: Path, video: cv2.VideoCapture) -> Iterator[Frame]:
    number = 0
    try:
        while (read := video.read())[0]:
            yield f"{number:06d}", read[1][..., ::-1].astype(np.float32) / 255  # from BGR
            number += 1
    finally:
        video.release()
    if number == 0:
        raise ValueError(f"{path}: holds no frame; the file is cut short or empty")


def check_video_writable(path: str | os.PathLike[str]) -> None:
    """Raises the errors of `write_frames`, before any work is done."""
    path = Path(path)
    if path.suffix and path.suffix.lower() not in CODECS:
        raise ValueError(
            f"{path}: a video is written as a folder, without an ending, or as a file that ends in "
            f"one of {', '.join(CODECS)}"
        )
    if path.exists():
        raise FileExistsError(f"{path}: exists already; remove it or choose another name")
    files.check_writable(path)


def write_frames(
    path: str | os.PathLike[str], frames: Iterable[Frame], *, rate: float = RATE
) -> int:
    """Writes a video, clipped to [0, 1] and rounded to 8 bits.

    Args:
        path: a folder, which gets a PNG for each name, or a file with one of the suffixes in
            `CODECS`.
        frames: names, and `[h, w, 3]` floats of one size.
        rate: frames per second of a file.

    Returns:
        The number of frames. A file appears under its name only when it is complete.

    Raises:
        FileExistsError: if `path` exists.
        ValueError: if the ending is not known, a file would get no frame, frames of
            two sizes, or of odd sides.
        OSError: if it cannot be written.
    """
    path = Path(path)
    check_video_writable(path)
    if path.suffix:
        return _encode(path, frames, rate)
    count = 0
    for name, pixels in frames:
        path.mkdir(exist_ok=True)  # only now: the first frame may fail
        write_photo(path / f"{name}.png", Photo(pixels))
        count += 1
    return count


def _encode(path: Path, frames: Iterable[Frame], rate: float) -> int:
    partial = path.with_name(f".{path.stem}.part{path.suffix}")
    writer, size, count = None, (0, 0), 0
    try:
        for name, pixels in frames:
            height, width = pixels.shape[:2]
            if writer is None:
                size = (width, height)
                if width % 2 or height % 2:
                    raise ValueError(
                        f"{path}: a video file must have even sides, got {width}x{height}; write "
                        "a folder"
                    )
                codec = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
                writer = cv2.VideoWriter(str(partial), codec, rate, size)
                if not writer.isOpened():
                    raise OSError(f"{path}: OpenCV has no codec for it here; write a folder")
            if (width, height) != size:
                raise ValueError(
                    f"{path}: frame {name} is {width}x{height}, expected {size[0]}x{size[1]} as "
                    "the first one"
                )
            bytes_ = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
            writer.write(np.ascontiguousarray(bytes_[..., ::-1]))
            count += 1
        if writer is None:
            raise ValueError(f"{path}: there is no frame to write")
        writer.release()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count
