"""Rows about simulated photos in a file that a command continues, and the tables made of them."""

import argparse
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from experiments.blind.simulations import Simulated
from experiments.shared import write_record


def make_parser(doc: str | None, *, limit: int, seed: int) -> argparse.ArgumentParser:
    """Return the options of a command that makes a table; `--rows` is its own.

    Args:
        doc: docstring of the command's module.
        limit: default number of photos.
        seed: default seed of the order of the photos and of all draws.
    """
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("DEBLUR_JAX_DATA"))
    parser.add_argument("--limit", type=int, default=limit, help="photos")
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"))
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options of the command line, which must say where the data are."""
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data: set DEBLUR_JAX_DATA or give --data")
    return options


def read_rows(path: Path) -> list[dict]:
    """Return the collected rows."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def names_of(path: Path) -> set[str]:
    """Return the names of the photos that have a row."""
    return {row["photo"] for row in read_rows(path)}


def add_rows(
    path: Path,
    photos: Iterable[Simulated],
    analyse: Callable[[Simulated], dict],
    describe: Callable[[dict], str],
) -> None:
    """Add a row for each photo to a file as soon as it is found, and print a line about it.

    Args:
        path: the file of rows.
        photos: those without a row.
        analyse: returns the row of a photo.
        describe: returns what is printed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for case in photos:
        row = analyse(case)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(describe(row), flush=True)


def add_to_record(path: Path, name: str, table: Any) -> None:
    """Add a table to a record under a name; its other tables stay."""
    record = json.loads(path.read_text()) if path.exists() else {}
    write_record(path, record | {name: table})
