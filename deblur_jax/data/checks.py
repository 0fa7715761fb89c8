"""What is done about files that cannot be used: all of them are named, before a run begins."""

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np


ON_BAD = ("stop", "skip")  # what to do about files that cannot be used
THREADS = 4  # decode at the same time while every file is looked at

Item = TypeVar("Item")
Result = TypeVar("Result")


def check_option(name: str, value: object, known: Iterable[object]) -> None:
    """Raises a ValueError that lists the known values, unless `value` is one of them."""
    if value not in list(known):
        raise ValueError(f"{name} must be one of {sorted(map(str, known))}, got {value!r}")


def look_at_all(
    items: Sequence[Item], look: Callable[[Item], Result]
) -> tuple[list[tuple[Item, Result]], list[str]]:
    """Looks at every item, several at a time.

    Args:
        items: what there is.
        look: returns what is to be known of an item, or raises an exception: an OSError or a
            ValueError names what is wrong with it.

    Returns:
        The good items with what `look` returned, in their order, and a line for each bad one.
    """

    def attempt(item: Item) -> tuple[Result | None, str | None]:
        try:
            return look(item), None
        except (OSError, ValueError) as error:
            return None, str(error)
        except Exception as error:  # decoders raise anything; a bad file must not end the run
            return None, f"{item}: cannot be read ({type(error).__name__}: {error})"

    good, problems = [], []
    with ThreadPoolExecutor(THREADS) as pool:
        for item, (result, problem) in zip(items, pool.map(attempt, items), strict=True):
            if problem is None:
                good.append((item, result))
            else:
                problems.append(problem)
    return good, problems


def settle(problems: Iterable[str], kept: int, *, things: str, on_bad: str) -> tuple[str, ...]:
    """Stops the run because of bad files, or says what is skipped.

    Args:
        problems: a line for each thing that cannot be used.
        kept: how many can be.
        things: what they are called.
        on_bad: "stop" refuses them all if one is bad; "skip" leaves the bad ones out and writes
            how many, and which, to standard error.

    Returns:
        The lines of what is skipped.

    Raises:
        ValueError: one message that lists every problem; also if nothing is left.
    """
    check_option("on_bad", on_bad, ON_BAD)
    problems = tuple(problems)
    listed = "\n".join(problems)
    if problems and (on_bad == "stop" or not kept):
        raise ValueError(f"these {things} cannot be used; mend or remove them:\n{listed}")
    if problems:
        print(
            f"{len(problems)} {things} skipped, {kept} used:\n{listed}", file=sys.stderr, flush=True
        )
    return problems


def size_in_words(array: np.ndarray) -> str:
    """Returns the size of an image `[h, w, ...]` as a message says it."""
    return f"{array.shape[1]}x{array.shape[0]}"


def check_side(array: np.ndarray, smallest: int, path: object) -> None:
    """Raises a ValueError if an image `[h, w, ...]` has a side below `smallest` pixels."""
    if min(array.shape[:2]) < smallest:
        raise ValueError(
            f"{path}: {size_in_words(array)} pixels, expected at least {smallest} a side"
        )
