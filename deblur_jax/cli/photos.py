"""Find the photos of a command and the file of each result, before any work is done."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_jax.io.folders import Listing, list_files
from deblur_jax.io.images import SUFFIXES


MARK = "-deblurred"  # of results that lie beside their photos
_ENDINGS = ", ".join(SUFFIXES)


@dataclass(frozen=True)
class Job:
    """A photo and the file for its restoration."""

    photo: Path
    output: Path


@dataclass(frozen=True)
class Selection:
    """The photos named on the command line.

    Attributes:
        photos: paths of the photos, without duplicates.
        others: number of files that were left out: other endings, and results of earlier runs.
        hidden: number of hidden files and folders that were left out.
        empty: a message for each folder without photos.
        missing: a message for each name that gives no photo, and is no folder.
    """

    photos: tuple[Path, ...]
    others: int = 0
    hidden: int = 0
    empty: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def find_photos(names: Sequence[str]) -> Selection:
    """Returns the photos named on the command line.

    Args:
        names: files, folders (without their subfolders and results of earlier runs) and patterns
            such as `*.jpg`, for shells that do not expand them.

    Raises:
        FileNotFoundError: if none of the names gives a photo.
    """
    photos: dict[Path, None] = {}
    others, hidden, empty, missing = 0, 0, [], []
    for name in names:
        path = Path(name)
        try:
            is_folder, exists = path.is_dir(), path.exists()
            listing = list_files(path, SUFFIXES, deep=False) if is_folder else Listing((), 0, 0)
        except OSError as error:  # a name that is too long, a folder that may not be read
            missing.append(f"{name}: cannot be read ({error.strerror})")
            continue
        if is_folder:
            found = [file for file in listing.files if not file.stem.endswith(MARK)]
            others += listing.others + len(listing.files) - len(found)
            hidden += listing.hidden
            if not found:
                empty.append(f"{path}: no photos found; expected files ending in {_ENDINGS}")
        elif exists or not glob.has_magic(name):
            found = [path]  # a missing file is reported when it is read
        else:
            matches = sorted(glob.glob(name))  # noqa: PTH207  may be absolute
            found = [Path(match) for match in matches if not Path(match).is_dir()]
            if not found:
                missing.append(f"{name}: no photo matches this pattern")
        photos.update(dict.fromkeys(found))
    if not photos:
        raise FileNotFoundError("\n".join([*missing, *empty]))
    return Selection(tuple(photos), others, hidden, tuple(empty), tuple(missing))


def plan(photos: Sequence[Path], output: Path | None) -> list[Job]:
    """Returns the output file of each photo.

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
