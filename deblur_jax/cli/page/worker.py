"""The worker process of the page.

Decoders can crash on damaged files, and the system kills processes that run out of memory.
Therefore photos are decoded and restored in a separate process, which is restarted if it dies.
"""

import dataclasses
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deblur_jax.cli.restore_photo import (
    Settings,
    describe,
    describe_network,
    find_network,
    finished,
    keepable,
    offered,
    restore_photo,
)
from deblur_jax.io.images import Photo, read_photo, write_photo


PREVIEW_SIDE = 1600  # pixels
RESTORED = "restored.npy"
BEFORE, AFTER, MOTION = "before.jpg", "after.jpg", "motion.png"


@dataclasses.dataclass(frozen=True)
class Order:
    """A photo to restore.

    Attributes:
        path: its file, alone in a folder that also gets the results.
        name: its file name at the client, for messages.
        most_pixels: larger photos are refused.
    """

    path: Path
    name: str
    most_pixels: int


@dataclasses.dataclass(frozen=True)
class Worker:
    """A running worker: send it an `Order`, and it sends messages `(kind, value)`."""

    connection: Any  # of multiprocessing; its type depends on the system
    stop: Callable[[], Any]


def start_process(settings: Settings) -> Worker:
    """Starts the process. When it dies, reading from its connection raises EOFError."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_run, args=(theirs, settings), daemon=True)
    process.start()
    theirs.close()
    return Worker(ours, process.kill)


def _run(connection: Any, settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C
    serve(connection, settings)


def serve(connection: Any, settings: Settings) -> None:
    """Restores photos until the connection is closed."""
    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        try:
            message = "done", restore_order(order, settings, connection.send)
        except (OSError, ValueError, MemoryError) as error:
            message = "failed", _without_path(error, order)
        except Exception as error:  # a bug: fail this photo only
            traceback.print_exc(file=sys.stderr)
            problem = f"{type(error).__name__}: {_without_path(error, order)}"
            message = "failed", f"{order.name}: internal error in deblur_jax ({problem})"
        connection.send(message)


def _without_path(error: BaseException, order: Order) -> str:
    return str(error).replace(str(order.path), order.name)


def restore_order(
    order: Order, settings: Settings, send: Callable[[tuple[str, Any]], None]
) -> dict[str, Any]:
    """Restores a photo at full strength, draws it for the page, and returns its report."""
    photo = read_photo(order.path, most_pixels=order.most_pixels)
    network = find_network(settings.model)
    send(("says", f"estimating blur with {describe_network(network)}"))
    result = restore_photo(
        order.path, photo, settings, progress=lambda share: send(("share", share))
    )
    folder = order.path.parent
    np.save(folder / RESTORED, offered(photo, result))
    _draw(folder, photo, result)
    height, width, _ = photo.pixels.shape
    return {
        "description": describe(result),
        "verdict": result.verdict,
        "trusted": result.trusted,
        "network": network.name,
        "width": width,
        "height": height,
    }


def _draw(folder: Path, photo: Photo, result: Any) -> None:
    from deblur_jax.cli.report import draw_blur, shrunk

    for name, pixels in ((BEFORE, photo.pixels), (AFTER, offered(photo, result))):
        preview = Photo(shrunk(pixels, PREVIEW_SIDE), grey=photo.grey, profile=photo.profile)
        write_photo(folder / name, preview)
    board = draw_blur(photo.pixels, result, PREVIEW_SIDE)
    write_photo(folder / MOTION, Photo(board.astype(np.float32) / 255))


def write_download(path: Path, output: Path, *, strength: float, report: dict[str, Any]) -> str:
    """Writes the file that the command would write, and returns what could not be kept.

    Args:
        path: file of the order.
        output: file of the result, in the same folder.
        strength: how much of the restoration to mix into the photo, from 0 to 1.
        report: as returned by `restore_order`.
    """
    from deblur_jax.deblurring import mix

    photo, lost = keepable(read_photo(path), output)
    pixels = mix(photo.pixels, np.load(path.parent / RESTORED, mmap_mode="r"), strength)
    chosen = {"strength": strength, "verdict": report["verdict"]}
    write_photo(output, finished(photo, pixels, report["network"], **chosen))
    return f"left out of the file: {lost}" if lost else ""
