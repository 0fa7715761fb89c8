"""What the processes of the page do with a photo: look at it, try, restore, write.

All errors leave as `PhotoError`, in the words of the command.
"""

import dataclasses
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deblur_jax.cli.page.worker import progress_on_board
from deblur_jax.cli.restore_photo import (
    Settings,
    describe,
    find_network,
    finished,
    keepable,
    offered,
    restore_photo,
)
from deblur_jax.io.files import whole_file
from deblur_jax.io.images import Photo, read_photo, write_photo


PREVIEW_SIDE = 1600  # pixels
TRY_SIDE = 256  # pixels, of the part that is restored first
RESTORED, TRUST = "restored.npy", "trust.npy"
BEFORE, AFTER, BLUR = "before.jpg", "after.jpg", "blur.jpg"
WHOLE_BEFORE, WHOLE_AFTER = "whole-before.jpg", "whole-after.jpg"


@dataclasses.dataclass(frozen=True)
class Order:
    """A photo and how to restore it.

    Attributes:
        path: its file, alone in a folder that also gets the results.
        name: its file name at the client, for messages.
        result_name: the file name of its result.
        most_pixels: larger photos are refused.
        settings: as of the command.
    """

    path: Path
    name: str
    result_name: str
    most_pixels: int
    settings: Settings


class PhotoError(Exception):
    """The photo cannot be restored, and why."""


def attempt(function: Callable[..., Any], order: Order, *arguments: Any) -> Any:
    """Returns what a function of an order returns.

    Raises:
        PhotoError: if it raises anything.
    """
    try:
        return function(order, *arguments)
    except (OSError, ValueError) as error:
        raise PhotoError(_without_path(error, order)) from None
    except MemoryError:
        raise PhotoError(f"{order.name}: does not fit in memory; reduce the photo") from None
    except Exception as error:  # a bug: fail this photo only
        traceback.print_exc(file=sys.stderr)
        problem = f"{type(error).__name__}: {_without_path(error, order)}"
        raise PhotoError(f"{order.name}: internal error in deblur_jax ({problem})") from None


def _without_path(error: BaseException, order: Order) -> str:
    return str(error).replace(str(order.path), order.name)


def warm_up(settings: Settings) -> None:
    """Restores noise of the size of a part, so that the first part does not wait for programs."""
    noise = np.random.default_rng(0).random((TRY_SIDE, TRY_SIDE, 3), np.float32)
    restore_photo(Path("noise"), Photo(noise), settings)


def look(order: Order) -> dict[str, Any]:
    """Draws the photo for the page, and returns its size and what its result cannot keep."""
    photo = read_photo(order.path, most_pixels=order.most_pixels)
    _, lost = keepable(photo, Path(order.result_name))
    whole = _draw(order.path.parent, photo, photo.pixels, BEFORE, WHOLE_BEFORE)
    height, width, _ = photo.pixels.shape
    return {"width": width, "height": height, "whole": whole, "lost": lost}


def restore(order: Order) -> dict[str, Any]:
    """Restores the photo at full strength, draws the result, and returns a report of it."""
    photo = read_photo(order.path, most_pixels=order.most_pixels)
    result = restore_photo(order.path, photo, order.settings, progress=progress_on_board())
    folder = order.path.parent
    _save(folder / RESTORED, result.restored)
    _save(folder / TRUST, result.trust if result.trusted else 1.0)
    _draw(folder, photo, offered(photo, result), AFTER, WHOLE_AFTER)
    enlarged = _draw_blur(folder, photo, result)
    return {**_report(order, result), "description": describe(result), "enlarged": enlarged}


def try_part(order: Order, number: int, across: float, down: float) -> dict[str, Any]:
    """Restores a part of the photo only, draws it, and returns a report with its place.

    Args:
        order: the photo.
        number: ends the names of the pictures, `part_names(number)`.
        across: the middle of the part as a share of the photo's width, from 0 to 1.
        down: the same for its height.
    """
    photo = read_photo(order.path, most_pixels=order.most_pixels)
    height, width, _ = photo.pixels.shape
    top, left = _start(down, height), _start(across, width)
    pixels = photo.pixels[top : top + TRY_SIDE, left : left + TRY_SIDE]
    part = dataclasses.replace(photo, pixels=np.ascontiguousarray(pixels), alpha=None)
    result = restore_photo(order.path, part, order.settings)
    before, after = part_names(number)
    _draw(order.path.parent, part, part.pixels, before)
    _draw(order.path.parent, part, offered(part, result), after)
    place = {"left": left, "top": top, "width": pixels.shape[1], "height": pixels.shape[0]}
    return {**_report(order, result), **place, "before": before, "after": after}


def part_names(number: int) -> tuple[str, str]:
    """Returns the file names of the pictures of a part, before and after."""
    return f"part-{number}-before.jpg", f"part-{number}-after.jpg"


def _start(share: float, length: int) -> int:
    """Returns the first pixel of a part whose middle lies at a share of a length."""
    side = min(TRY_SIDE, length)
    return min(max(round(share * length) - side // 2, 0), length - side)


def _save(path: Path, values: Any) -> None:
    """Saves an array under its name when it is complete: a download may read the old one."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, values)


def _report(order: Order, result: Any) -> dict[str, Any]:
    return {
        "verdict": result.verdict,
        "trusted": result.trusted,
        "likely": result.likely,
        "network": find_network(order.settings.model).name,
    }


def _draw(folder: Path, photo: Photo, pixels: np.ndarray, name: str, whole: str = "") -> bool:
    """Draws pixels of a photo, and once more in full if they are reduced; returns whether."""
    from deblur_jax.cli.report import shrunk

    drawn = {name: shrunk(pixels, PREVIEW_SIDE)}
    if whole and drawn[name].shape != pixels.shape:
        drawn[whole] = pixels
    for file, values in drawn.items():
        write_photo(folder / file, Photo(values, grey=photo.grey, profile=photo.profile))
    return len(drawn) > 1


def _draw_blur(folder: Path, photo: Photo, result: Any) -> int:
    """Draws the blur over the photo, and returns how many times it is enlarged."""
    from deblur_jax.blur_picture import draw_blur
    from deblur_jax.cli.report import shrunk

    height, width, _ = photo.pixels.shape
    small = shrunk(photo.pixels, PREVIEW_SIDE)
    board, enlarged = draw_blur(small, result.blur, (height, width))
    write_photo(folder / BLUR, Photo(board))
    return enlarged


def write_download(order: Order, output: Path, strength: float, report: dict[str, Any]) -> None:
    """Writes the file that the command would write.

    Args:
        order: the photo, restored by `restore`.
        output: file of the result, in the same folder.
        strength: how much of the restoration to mix into the photo, from 0 to 1.
        report: as returned by `restore`.
    """
    from deblur_jax.deblurring import mix

    folder = order.path.parent
    photo, _ = keepable(read_photo(order.path), output)
    restored = np.load(folder / RESTORED, mmap_mode="r")
    pixels = mix(photo.pixels, restored, strength * np.load(folder / TRUST))
    chosen = {"strength": strength, "verdict": report["verdict"]}
    write_photo(output, finished(photo, pixels, report["network"], **chosen))
