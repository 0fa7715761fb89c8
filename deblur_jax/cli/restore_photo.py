"""Restore one photo and describe the result: shared by the command and the page."""

import contextlib
import dataclasses
import functools
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deblur_jax.io.exif import with_history
from deblur_jax.io.formats import fitted
from deblur_jax.io.images import Photo
from deblur_jax.io.profile import display_transfer
from deblur_jax.version import __version__


HISTORY_LETTERS = 400  # longest description of the restoration in the EXIF data
LONG_WAIT = 60  # seconds from which the remaining time is printed
ENOUGH = 0.1  # share of the work from which the rest is estimated

# `deblur_jax.deblurring` is imported where it is used, so that a wrong option fails at once.


@dataclasses.dataclass(frozen=True)
class Settings:
    """The options of the command that apply to all photos, by their names."""

    model: str | None = None
    max_blur: float | None = None
    steps: int | None = None
    device: str | None = None
    transfer: str | None = None


@functools.cache
def find_network(name: str | None) -> Any:
    """Returns the estimator of that name, loaded once; the default one if None."""
    from deblur_jax.estimate import AUTO, find_estimator

    return find_estimator(name or AUTO)


def restore_photo(
    path: Path,
    photo: Photo,
    settings: Settings,
    *,
    strength: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Any:
    """Returns the `deblurring.Result` of a photo; errors name its file.

    Args:
        path: file of the photo, for messages.
        photo: as read from the file.
        settings: options for all photos.
        strength: how much of the restoration to mix into the photo, from 0 to 1.
        progress: called with the share of the work that is done, from 0 to 1.

    Raises:
        ValueError: if the photo cannot be restored, or there is no such device.
    """
    from deblur_jax.compiled import compile_quickly, keep_compiled_programs
    from deblur_jax.deblurring import deblur

    compile_quickly()
    keep_compiled_programs()
    with _on_device(settings.device):
        try:
            return deblur(
                photo.pixels,
                find_network(settings.model),
                strength=strength,
                max_blur=settings.max_blur,
                steps=settings.steps,
                transfer=settings.transfer or display_transfer(photo.profile, photo.extras.chunks),
                progress=progress,
            )
        except ValueError as error:
            problem = str(error).removeprefix("deblur: image ")
            raise ValueError(f"{path}: {problem}") from None


def offered(photo: Photo, result: Any, *, strength: float = 1.0) -> Any:
    """Returns the pixels to write: the result, or, if it is not trusted, the whole restoration.

    Args:
        photo: as read from the file.
        result: as returned by `restore_photo` with the same strength.
        strength: how much of the restoration to mix into the photo, from 0 to 1.
    """
    from deblur_jax.deblurring import mix

    return result.image if result.trusted else mix(photo.pixels, result.restored, strength)


def finished(photo: Photo, pixels: Any, network: str, *, strength: float, verdict: str) -> Photo:
    """Returns the photo with restored pixels, and an EXIF entry that describes the restoration."""
    history = (
        f"deblur_jax {__version__}: motion blur removed, model {network}, strength {strength:g}; "
        f"{verdict}"
    )[:HISTORY_LETTERS]
    return dataclasses.replace(photo, pixels=pixels, exif=with_history(photo.exif, history))


def keepable(photo: Photo, output: Path) -> tuple[Photo, str]:
    """Returns the parts of a photo that `output` can hold, and a list of those that it cannot.

    Raises:
        ValueError: if the format of `output` cannot hold as many pixels.
    """
    kept, lost = kept_and_lost(photo, output)
    return kept, ", ".join(lost)


def kept_and_lost(photo: Photo, output: Path) -> tuple[Photo, tuple[str, ...]]:
    """Returns the same as `keepable`, with a name for each part that is lost."""
    growth = len(with_history(photo.exif, HISTORY_LETTERS * " ")) - len(photo.exif or b"")
    return fitted(photo, output, growth=growth)


def describe(result: Any) -> str:
    """Describes the estimated blur and how well the result explains the photo."""
    return (
        f"{result.blur.describe()}; the re-blurred result differs from the photo by "
        f"{result.reblur_error:.4f} (root mean square, of 1); {result.verdict}"
    )


def describe_network(network: Any) -> str:
    """Describes a network: its name, its training steps and its gain on test photos."""
    if "step" not in network.card:
        return f"{network.name} (the most likely of several blurs)"
    metrics = network.card.get("metrics") or {}
    trained = f"{network.name} ({network.card['step']} training steps"
    if "psnr/restored" in metrics:
        gain = metrics["psnr/restored"] - metrics["psnr/blurred"]
        trained += f", {gain:+.2f} dB on its test photos"
    return trained + ")"


def forecast(say: Callable[[str], None]) -> Callable[[float], None]:
    """Returns a progress callback that estimates the time left once, after a tenth of the work.

    It calls `say` if that is more than a minute.
    """
    begun = time.monotonic()
    told = False

    def measure(share: float) -> None:
        nonlocal told
        if told or share < ENOUGH:
            return
        told = True
        left = seconds_left(time.monotonic() - begun, share)
        if left > LONG_WAIT:
            say(f"about {duration(left)} left")

    return measure


def seconds_left(seconds: float, share: float) -> float:
    """Returns the time that is left when a share of the work took so many seconds."""
    return seconds * (1 - share) / share


def duration(seconds: float) -> str:
    """Formats a time in seconds, minutes or hours."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} seconds"


def print_any_name() -> None:
    """Makes prints escape characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _on_device(name: str | None) -> Any:
    """Returns a context that makes the device called `name` the default one."""
    import jax

    if name is None:
        return contextlib.nullcontext()
    kind, _, number = name.partition(":")
    try:
        return jax.default_device(jax.devices(kind)[int(number or 0)])
    except (RuntimeError, ValueError, IndexError):
        here = ", ".join(f"{device.platform}:{device.id}" for device in jax.devices())
        raise ValueError(f"--device {name}: no such device; available: {here}") from None
