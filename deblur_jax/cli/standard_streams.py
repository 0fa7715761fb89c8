"""A photo from standard input, and the bytes of its result for standard output."""

import sys
from pathlib import Path

from deblur_jax.cli.photos import Job
from deblur_jax.io.formats import FORMATS, format_of
from deblur_jax.io.images import file_kind, read_photo, write_photo


ENDINGS = {kind: ending for ending, kind in reversed(FORMATS.items())} | {"raw": ".tif"}


def result_ending(photo: Path) -> str:
    """Returns the ending of the format of a photo's result, by what its file holds."""
    return ENDINGS.get(file_kind(photo), ".png")


def copy_standard_input(folder: Path) -> Path:
    """Writes the bytes of standard input to a file in a folder, and returns its path.

    Raises:
        ValueError: if there are none.
    """
    data = sys.stdin.buffer.read()
    if not data:
        raise ValueError("standard input: is empty; expected the bytes of a photo")
    unnamed = folder / "received"
    unnamed.write_bytes(data)
    return unnamed.rename(folder / f"standard-input{result_ending(unnamed)}")


def restored_bytes(job: Job, *, written: bool) -> bytes:
    """Returns the bytes of the result, or those of a photo that is left unchanged.

    The unchanged photo is encoded again only if another format is wanted.
    """
    if not written and file_kind(job.photo) == format_of(job.output):
        return job.photo.read_bytes()
    if not written:
        write_photo(job.output, read_photo(job.photo))
    return job.output.read_bytes()


def check_standard_output() -> None:
    """Raises a `ValueError` if standard output is a terminal."""
    if sys.stdout.isatty():
        raise ValueError("standard output is a terminal; redirect it, or give -o FILE")


def write_bytes(data: bytes) -> None:
    """Writes bytes to standard output."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
