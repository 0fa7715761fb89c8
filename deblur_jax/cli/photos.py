"""Find the photos of a command and the file of each result, before any work is done."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_jax.io import raw
from deblur_jax.io.folders import Listing, list_files
from deblur_jax.io.formats import FORMATS, format_of
from deblur_jax.io.images import PHOTO_SUFFIXES, SUFFIXES


MARK = "-deblurred"  # of results that lie beside their photos
_ENDINGS = f"{', '.join(SUFFIXES)}, or as raw files do"


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
            listing = (
                list_files(path, PHOTO_SUFFIXES, deep=False) if is_folder else Listing((), 0, 0)
            )
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


def plan(photos: Sequence[Path], output: Path | None, ending: str | None = None) -> list[Job]:
    """Returns the output file of each photo.

    Args:
        photos: the files.
        output: a file, for a single photo; or an existing folder, where results keep the names of
            their photos. None puts each beside its photo, marked `-deblurred`.
        ending: of the names of results, such as ".png"; that of the photo's format if None.

    Raises:
        ValueError: if a name does not end as an image does or as `ending`, or two results would
            have one name.
        NotADirectoryError: if there are several photos and `output` is not a folder.
    """
    if output is not None and not output.is_dir() and len(photos) > 1:
        raise NotADirectoryError(
            f"{output}: no such folder; {len(photos)} photos need one, make it first"
        )
    jobs = [Job(photo, _place(photo, output, ending)) for photo in photos]
    first: dict[Path, Path] = {}
    for job in jobs:
        kind = format_of(job.output)
        if ending is not None and kind != FORMATS[ending]:
            raise ValueError(
                f"{job.output}: the name stands for {kind}, and --format for {FORMATS[ending]}; "
                "omit one of them"
            )
        other = first.setdefault(job.output.absolute(), job.photo)
        if other is not job.photo:
            raise ValueError(
                f"{job.output}: would be the result of both {other} and {job.photo}; give them "
                "different names, or restore them one by one"
            )
    return jobs


def _place(photo: Path, output: Path | None, ending: str | None) -> Path:
    suffix = ending or _ending(photo)
    if output is None:
        return photo.with_name(f"{photo.stem}{MARK}{suffix}")
    return output / f"{photo.stem}{suffix}" if output.is_dir() else output


def _ending(photo: Path) -> str:
    """Returns the ending of the name of a photo's result."""
    suffix = photo.suffix.lower()
    if suffix in FORMATS:
        return photo.suffix
    if suffix in raw.SUFFIXES:
        return ".tif"
    return ".jpg" if suffix == ".mpo" else ".png"
