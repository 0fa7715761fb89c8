"""Write files whole or not at all: to a temporary name first, then renamed."""

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed to it on success and removed on failure.

    The new file gets the mode of the file that it replaces and, where the system allows it, the
    owner. A symbolic link stays, and its target is replaced.

    Raises:
        OSError: if the folder is missing or cannot be written to.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary_beside(target, Path(path))
    try:
        yield temporary
        _take_mode(temporary, target)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raises the OSError that `whole_file` would, before any work is done."""
    _temporary_beside(Path(os.path.realpath(path)), Path(path)).unlink()


def _temporary_beside(target: Path, path: Path) -> Path:
    """Creates a temporary file in the folder of `target`; error messages name `path`."""
    try:
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target.parent}: no such folder; make it first")
        if (state := _state(target)) is not None and stat.S_ISDIR(state.st_mode):
            raise IsADirectoryError(f"{path}: is a folder; give the name of a file")
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".tmp")
    except OSError as error:
        if error.errno is None:  # one of ours
            raise
        raise PermissionError(
            f"{path}: cannot be written ({error.strerror}); choose another place"
        ) from None
    os.close(handle)
    return Path(name)


def _take_mode(temporary: Path, target: Path) -> None:
    """Gives a new file the owner and mode of the file that it replaces, or the defaults."""
    before = _state(target)
    if before is None:
        temporary.chmod(0o666 & ~_umask())
        return
    with contextlib.suppress(OSError, AttributeError):  # not ours to give away; Windows
        os.chown(temporary, before.st_uid, before.st_gid)
    temporary.chmod(stat.S_IMODE(before.st_mode))


def _state(path: Path) -> os.stat_result | None:
    """Returns the status of a file, or None if it does not exist.

    Raises:
        OSError: if the name is too long, or symbolic links form a cycle.
    """
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: str | os.PathLike[str], record: Any) -> None:
    """Writes a record, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def existing_file(path: str | os.PathLike[str], kind: str) -> Path:
    """Returns `path` if it is a file.

    Args:
        path: of the file.
        kind: what it should be, as words for the message.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give the path of {kind}")
    return path
