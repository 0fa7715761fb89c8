"""What is gained if the curve from display values to light is known?

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.light --rows runs/light.jsonl

Photos of BSDS500's validation set are blurred in light, as in a camera, each in one of nine ways,
with noise, 8 bits and JPEG compression. Each is deblurred twice: its values as they are, and with
the curve of sRGB. Rows are added to a file, which is continued; the table is added to results.json
beside this file.
"""

from pathlib import Path
from typing import Any

import numpy as np

from deblur_jax import deblur
from experiments.blind.fit import BORDER, SAME
from experiments.blind.rows import (
    add_rows,
    add_to_record,
    make_parser,
    names_of,
    parse,
    read_rows,
)
from experiments.blind.simulations import ALL_KINDS, Simulated, cases
from experiments.blind.trust import kind_of
from experiments.shared import psnr_shifted, run_command


SIZE = (288, 384)  # to which photos are cut
WAYS = {"as they are": None, "in light": "srgb"}


def analyse(case: Simulated) -> dict:
    """Return what each way gains in dB, and the probability that it gains."""
    before = psnr_shifted(case.photo, case.sharp, BORDER)
    row: dict[str, Any] = {"photo": case.name}
    for way, transfer in WAYS.items():
        found = deblur(case.photo, transfer=transfer)
        gain = psnr_shifted(found.image, case.sharp, BORDER) - before
        row[way] = {"gain": gain, "likely": found.likely, "written": found.trusted}
    return row


def describe(row: dict) -> str:
    """Return a row in a line."""
    gains = [(way, round(row[way]["gain"], 2), row[way]["likely"]) for way in WAYS]
    return f"{row['photo']} {gains}"


def table(rows: list[dict]) -> dict[str, dict]:
    """Return the figures of each way for each kind of photo, and for all."""
    found = {}
    for kind in [*dict.fromkeys(kind_of(row) for row in rows), "all"]:
        some = [row for row in rows if kind in (kind_of(row), "all")]
        found[kind] = {"photos": len(some)}
        for way in WAYS:
            gains = [row[way]["gain"] if row[way]["written"] else 0.0 for row in some]
            found[kind][way] = {
                "gain": round(float(np.mean(gains)), 3),
                "written": sum(row[way]["written"] for row in some),
                "worse": int(sum(gain < -SAME for gain in gains)),
                "least": round(min(gains), 3),
            }
    return found


def main() -> None:
    """Add the rows that are missing and record the table."""
    parser = make_parser(__doc__, limit=72, seed=5)
    parser.add_argument("--rows", type=Path, default=Path("runs/light.jsonl"))
    parser.add_argument("--split", default="val", help="of BSDS500")
    parser.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"),
        help="collect the photos of share I (from 0) of N only",
    )  # fmt: skip
    options = parse(parser)
    share, shares = options.part
    # Photos of odd numbers have a camera with the curve of sRGB.
    chosen = cases(
        Path(options.data) / f"bsds500/images/{options.split}", ALL_KINDS, options.limit,
        options.seed,
        skip=names_of(options.rows), part=(1 + 2 * share, 2 * shares), in_turn=True, size=SIZE,
    )  # fmt: skip
    add_rows(options.rows, chosen, analyse, describe)
    found = table(read_rows(options.rows))
    for kind, figures in found.items():
        print(kind, figures)
    add_to_record(options.out, "light", found)


if __name__ == "__main__":
    run_command(main)
