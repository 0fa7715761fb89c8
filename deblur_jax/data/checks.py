"""Checks of all files of a data source before a run begins, and the report of bad ones."""

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from deblur_jax.io.folders import list_files


ON_BAD = ("stop", "skip")  # how to treat files that cannot be used
THREADS = 4  # number of files that are checked at a time

Item = TypeVar("Item")
Inspected = TypeVar("Inspected")


def check_option(name: str, value: object, known: Iterable[object]) -> None:
    """Raises a ValueError that lists the known values unless `value` is one of them."""
    if value not in list(known):
        raise ValueError(f"{name} must be one of {sorted(map(str, known))}, got {value!r}")


def find_files(root: Path, suffixes: Sequence[str]) -> list[Path]:
    """Returns the files below a folder, sorted, and logs the number of hidden ones.

    Args:
        root: folder, see `io.folders.list_files`.
        suffixes: requested endings in lower case.
    """
    listing = list_files(root, suffixes)
    if listing.hidden:
        line = f"{root}: {listing.hidden} hidden files and folders were left out"
        print(line, file=sys.stderr, flush=True)
    return list(listing.files)


def inspect_all(
    items: Sequence[Item], inspect: Callable[[Item], Inspected]
) -> tuple[list[tuple[Item, Inspected]], list[str]]:
    """Inspects every item, several at a time.

    Args:
        items: files, or groups of files whose text is the path of one of them.
        inspect: returns the result for an item, or raises an error.

    Returns:
        The good items with their results, in order, and a message of one line for each bad item.
    """

    def attempt(item: Item) -> tuple[Inspected | None, str | None]:
        try:
            return inspect(item), None
        except Exception as error:  # decoders raise anything; a bad file must not end the run
            words = " ".join(str(error).split())
            ours = isinstance(error, (OSError, ValueError)) and Path(str(item)).stem in words
            return (
                None,
                words if ours else f"{item}: cannot be read ({type(error).__name__}: {words})",
            )

    good, problems = [], []
    with ThreadPoolExecutor(THREADS) as pool:
        for item, (result, problem) in zip(items, pool.map(attempt, items), strict=True):
            if problem is None:
                good.append((item, result))
            else:
                problems.append(problem)
    return good, problems


def report_problems(
    problems: Iterable[str], kept: int, *, things: str, on_bad: str
) -> tuple[str, ...]:
    """Raises an error that lists all bad files, or logs them if they are to be skipped.

    Args:
        problems: a message for each bad item.
        kept: number of good items.
        things: plural noun for the items, for the message.
        on_bad: "stop" raises an error if any item is bad; "skip" leaves the bad items out and
            writes their number and the messages to standard error.

    Returns:
        The messages of the skipped items.

    Raises:
        ValueError: one message that lists every problem; also if no item is left.
    """
    check_option("on_bad", on_bad, ON_BAD)
    problems = tuple(problems)
    listed = "\n".join(problems)
    if problems and (on_bad == "stop" or not kept):
        raise ValueError(f"these {things} cannot be used; fix or remove them:\n{listed}")
    if problems:
        print(
            f"{len(problems)} {things} skipped, {kept} used:\n{listed}", file=sys.stderr, flush=True
        )
    return problems


def describe_size(size: Sequence[int]) -> str:
    """Returns `(height, width, ...)` as text for a message: width x height."""
    return f"{size[1]}x{size[0]} pixels"


def check_side(array: np.ndarray, smallest: int, path: object) -> None:
    """Raises a ValueError if an image `[h, w, ...]` has a side below `smallest` pixels."""
    if min(array.shape[:2]) < smallest:
        raise ValueError(
            f"{path}: {describe_size(array.shape)}, expected at least {smallest} a side"
        )
