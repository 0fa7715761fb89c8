"""Files in folders: the walk shared by the commands and the training sources."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path


# Folders that network drives and archives create beside photos, without a leading dot.
HIDDEN = ("@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "__macosx")


@dataclasses.dataclass(frozen=True)
class Listing:
    """The content of a folder.

    Attributes:
        files: files with one of the requested endings, sorted.
        others: number of files with other endings.
        hidden: number of hidden files and folders that were left out.
    """

    files: tuple[Path, ...]
    others: int
    hidden: int


def list_files(root: str | Path, suffixes: Sequence[str], *, deep: bool = True) -> Listing:
    """Lists the files below a folder.

    Hidden files and folders (such as `._a.jpg`, `.thumbnails` and `@eaDir`) are left out, unless
    `root` itself is one. Links are followed, and every folder is read once, also if several links
    lead to it. A folder is never taken for a file, whatever its name. A broken link counts as a
    file, so that reading it fails with its name.

    Args:
        root: folder; the listing is empty if it does not exist.
        suffixes: requested endings in lower case, such as `.jpg`.
        deep: whether to include the folders in it.
    """
    found, others, hidden = [], 0, 0
    for path in _walk(Path(root), deep, set()):
        if is_hidden(path):
            hidden += 1
        elif path.suffix.lower() in suffixes:
            found.append(path)
        else:
            others += 1
    return Listing(tuple(sorted(found)), others, hidden)


def is_hidden(path: Path) -> bool:
    """Returns whether the last part of a path is a hidden name."""
    return path.name.startswith(".") or path.name.lower() in HIDDEN


def split_folders(text: str) -> list[Path]:
    """Returns the folders of a text that separates them like the system's list of paths.

    Names may hold the separator, as in `2024:05 trip`: the longest text that names a folder is
    taken.

    Args:
        text: paths separated by `os.pathsep`, which is `:` on Linux and macOS.
    """
    parts = text.split(os.pathsep)
    folders, start = [], 0
    while start < len(parts):
        candidates = (os.pathsep.join(parts[start:end]) for end in range(len(parts), start, -1))
        name = next((name for name in candidates if name and Path(name).is_dir()), parts[start])
        start += name.count(os.pathsep) + 1
        folders += [Path(name)] if name else []
    return folders


def _walk(folder: Path, deep: bool, visited: set[tuple[int, int]]) -> Iterator[Path]:
    """Yields files, and the hidden folders that are not entered."""
    if not folder.is_dir():
        return
    status = folder.stat()
    if (status.st_dev, status.st_ino) in visited:
        return
    visited.add((status.st_dev, status.st_ino))
    # Real folders before links, so that a file keeps the path that it has without links.
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path)):
        if not path.is_dir() or is_hidden(path):
            yield path
        elif deep:
            yield from _walk(path, deep, visited)
