"""The record of a folder of results: which photos were done, so that a stopped run goes on.

Each job appends one JSON line a photo to a file of its own, in one write. A job that is killed
leaves at most one line that is cut short, which readers skip.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deblur_jax.cli.outcome import BEFORE, DEBLURRED, UNCHANGED, Outcome
from deblur_jax.cli.photos import Job


NAME = "deblur-record"
Lines = Mapping[str, Mapping[str, Any]]


def record_path(folder: Path, part: tuple[int, int]) -> Path:
    """Returns the file of the record that a part of the work writes."""
    number, count = part
    share = "" if count == 1 else f"-{number}-of-{count}"
    return folder / f"{NAME}{share}.jsonl"


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the last line about each result that was finished, by its name, of all parts."""
    lines: dict[str, dict[str, Any]] = {}
    for path in filter(Path.is_file, sorted(folder.glob(f"{NAME}*.jsonl"))):
        for text in path.read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
                if line["state"] in (DEBLURRED, UNCHANGED):
                    lines[line["result"]] = line
            except (ValueError, TypeError, KeyError):
                continue  # cut short
    return lines


def append(path: Path, job: Job, outcome: Outcome, choices: Mapping[str, Any]) -> None:
    """Appends a line to a record.

    Args:
        path: of the record.
        job: the photo.
        outcome: what was done with it.
        choices: the options that the result depends on.

    Raises:
        OSError: if it cannot be written.
    """
    line = {**json.loads(outcome.line()), **_identity(job), "options": dict(choices)}
    text = json.dumps(line).encode() + b"\n"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":  # a job was killed while it wrote
                text = b"\n" + text
            os.write(handle, text)
        finally:
            os.close(handle)
    except OSError as error:
        raise OSError(
            f"{path}: cannot be written ({error.strerror}); free some space, or choose another -o"
        ) from None


def _identity(job: Job) -> dict[str, Any]:
    """Returns what tells a photo from another one that gives a result of the same name."""
    try:
        status = job.photo.stat()
    except OSError:
        return {"result": job.output.name}
    return {
        "result": job.output.name, "bytes": status.st_size, "modified": status.st_mtime_ns,
    }  # fmt: skip


def finished_before(
    job: Job, lines: Lines, choices: Mapping[str, Any], *, named: bool
) -> Outcome | None:
    """Returns what an earlier run did with a photo, or None if there is work to do.

    A photo is done if a record says so, of the same photo and the same options, and its result is
    there or it was left unchanged. Where no record speaks of it, it is done if its result is newer.

    Args:
        job: the photo.
        lines: of the records in the folder of its result.
        choices: the options that the result depends on.
        named: whether the result was named on the command line: it is wanted now.

    Raises:
        FileExistsError: if there is a result that is not known to be that of this photo.
    """
    # pathlib raises for names that are too long.
    exists, is_there = os.path.exists(job.output), os.path.exists(job.photo)  # noqa: PTH110
    if not is_there:
        return None  # which fails when it is read
    line = lines.get(job.output.name)
    if line is not None and _fits(line, job, choices):
        return _before(job, line) if exists or line["state"] == UNCHANGED else None
    if not exists:
        return None
    if line is not None:
        raise FileExistsError(
            f"{job.output}: is the result of another photo or of other options; give --overwrite "
            "or another -o"
        )
    if named or job.output.samefile(job.photo) or not _is_newer(job):
        raise FileExistsError(f"{job.output}: exists already; give --overwrite or another -o")
    return Outcome(str(job.photo), str(job.output), BEFORE, choices["model"], written=True)


def _fits(line: Mapping[str, Any], job: Job, choices: Mapping[str, Any]) -> bool:
    known = {**line, "options": line.get("options")}
    wanted = {**_identity(job), "options": dict(choices)}
    return all(known.get(name) == value for name, value in wanted.items())


def _before(job: Job, line: Mapping[str, Any]) -> Outcome:
    known = {name: line[name] for name in Outcome.__dataclass_fields__ if name in line}
    known |= {"input": str(job.photo), "output": str(job.output), "state": BEFORE, "seconds": 0.0}
    return Outcome(**known)


def _is_newer(job: Job) -> bool:
    try:
        return job.output.stat().st_mtime_ns >= job.photo.stat().st_mtime_ns
    except OSError:
        return False
