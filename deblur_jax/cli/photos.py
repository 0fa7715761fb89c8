"""Which photos a command works on, and where each result goes: settled before any work is done."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_jax.io.images import SUFFIXES


MARK = "-deblurred"  # of results that lie beside their photos


@dataclass(frozen=True)
class Job:
    """A photo and the file that its restoration goes to."""

    photo: Path
    output: Path


def find_photos(names: Sequence[str]) -> tuple[list[Path], int]:
    """Returns the photos that are meant, each once, and how many other files their folders hold.

    Args:
        names: files, folders (their photos, but neither what lies deeper nor results of earlier
            runs) and patterns such as `*.jpg`, for shells that do not expand them.

    Raises:
        FileNotFoundError: if a pattern fits no file, or a folder holds no photo.
    """
    photos: dict[Path, None] = {}
    others = 0
    for name in names:
        path = Path(name)
        if path.is_dir():
            files = sorted(entry for entry in path.iterdir() if entry.is_file())
            found = [file for file in files if _is_photo(file)]
            others += len(files) - len(found)
            if not found:
                raise FileNotFoundError(
                    f"{path}: holds no photo; expected files ending in {', '.join(SUFFIXES)}"
                )
        elif path.exists() or not glob.has_magic(name):
            found = [path]  # that a file is missing is told when its turn comes
        else:
            found = [Path(file) for file in sorted(glob.glob(name))]  # noqa: PTH207  may be absolute
            if not found:
                raise FileNotFoundError(f"{name}: no file has such a name")
        photos.update(dict.fromkeys(found))
    return list(photos), others


def _is_photo(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.stem.endswith(MARK)


def plan(photos: Sequence[Path], output: Path | None) -> list[Job]:
    """Returns where the restoration of each photo goes.

    Args:
        photos: the files.
        output: a file, for a single photo; or an existing folder, where results keep the names of
            their photos. None puts each beside its photo, marked `-deblurred`.

    Raises:
        ValueError: if a name does not end as an image does, or two results would have one name.
        NotADirectoryError: if there are several photos and `output` is not a folder.
    """
    if output is not None and not output.is_dir() and len(photos) > 1:
        raise NotADirectoryError(
            f"{output}: no such folder; {len(photos)} photos need one, make it first"
        )
    jobs = [Job(photo, _place(photo, output)) for photo in photos]
    first: dict[Path, Path] = {}
    for job in jobs:
        if job.output.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{job.output}: the name must end in one of {', '.join(SUFFIXES)}")
        other = first.setdefault(job.output.absolute(), job.photo)
        if other is not job.photo:
            raise ValueError(
                f"{job.output}: would be the result of both {other} and {job.photo}; give them "
                "different names, or restore them one by one"
            )
    return jobs


def _place(photo: Path, output: Path | None) -> Path:
    known = photo.suffix.lower() in SUFFIXES
    if output is None:
        return photo.with_name(f"{photo.stem}{MARK}{photo.suffix if known else '.png'}")
    if output.is_dir():
        return output / (photo.name if known else f"{photo.stem}.png")
    return output
