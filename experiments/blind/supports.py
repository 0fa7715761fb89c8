"""Which kernels should be compared by restorations, and when is a larger support not tried?

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.supports --rows runs/supports.jsonl

Photos of BSDS500's training set are blurred in four ways. Kernels of every support are estimated,
and each photo is restored with each of them. For several exponents of the ratio of norms
(`SHARPNESS` of `choice.py`) the command prints what the best of the compared kernels gains, with
all supports tried and with those that `settled` leaves. Rows are added to a file, which is
continued; the means are added to results.json beside this file.
"""

import dataclasses
from pathlib import Path
from unittest import mock

import jax.numpy as jnp
import numpy as np

from deblur_jax.blind import choice, search
from deblur_jax.blind.choice import Candidate, settled
from deblur_jax.blind.coarse_to_fine import scale_count
from deblur_jax.blind.judge import Judgement
from deblur_jax.blind.kernel_shape import centred_exactly
from deblur_jax.blind.search import COMPARED, SEARCHED, find_candidates, planes_of
from deblur_jax.blind.working_photo import full_size, reduced, working_photo
from deblur_jax.ops.operators import UniformBlur
from experiments.blind.fit import BORDER, restored
from experiments.blind.rows import (
    add_rows,
    add_to_record,
    make_parser,
    names_of,
    parse,
    read_rows,
)
from experiments.blind.simulations import Simulated, cases
from experiments.shared import psnr_shifted, run_command


KINDS = ("shake", "roll", "large", "frames")
SHARPNESSES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
NONE = Judgement(*(jnp.zeros(()),) * 4)


def analyse(case: Simulated) -> dict:
    """Return energy, ratio of norms, border and gain of the kernel of each support."""
    work = working_photo(case.photo)
    row = {"photo": case.name, "candidates": []}
    if work.reason:
        return row
    small = reduced(work, SEARCHED)
    largest = small.supports[-1]
    planes = planes_of(small, scale_count(largest), largest)
    with mock.patch.object(search, "settled", return_value=False):
        none, *found = find_candidates(small, planes)
    blurred = psnr_shifted(case.photo, case.sharp, BORDER)
    for each in (none, *found):
        gain = 0.0
        if each.support > 1:
            kernel = full_size(centred_exactly(each.kernel), small.shrunk)
            gain = restored(case, UniformBlur(jnp.asarray(kernel)), blurred)[0]
        row["candidates"].append({
            "support": each.support, "border": each.border, "energy": each.energy,
            "ratio": each.ratio, "gain": gain,
        })  # fmt: skip
    return row


def describe(row: dict) -> str:
    """Return a row in a line."""
    return f"{row['photo']} {[(c['support'], round(c['gain'], 2)) for c in row['candidates']]}"


def gains(row: dict, sharpness: float) -> tuple[float, float, int]:
    """Return the best gain of the compared kernels, and how many supports were tried.

    Args:
        row: from `analyse`.
        sharpness: exponent of the ratio of norms.

    Returns:
        The gain where all supports are tried, and the gain and the number of supports where the
        search ends when larger ones gain nothing.
    """
    gain = {each["support"]: each["gain"] for each in row["candidates"]}
    with mock.patch.object(choice, "SHARPNESS", sharpness):
        tried = [_candidate(each) for each in row["candidates"]]
        ends = (n for n in range(2, len(tried) + 1) if settled(tried[:n]))
        end = next(ends, len(tried))
        whole, part = (
            max(gain[c.support] for c in sorted(some, key=lambda c: c.score)[:COMPARED])
            for some in (tried[1:], tried[1:end])
        )
    return max(whole, 0.0), max(part, 0.0), end - 1


def _candidate(values: dict) -> Candidate:
    judged = dataclasses.replace(
        NONE, energy=jnp.asarray(values["energy"]), ratio=jnp.asarray(values["ratio"])
    )
    return Candidate(values["support"], np.ones((1, 1)), values["border"], judged, NONE)


def main() -> None:
    """Add the rows that are missing and record the means."""
    parser = make_parser(__doc__, limit=48, seed=31)
    parser.add_argument("--rows", type=Path, default=Path("runs/supports.jsonl"))
    options = parse(parser)
    skip = names_of(options.rows)
    folder = Path(options.data) / "bsds500/images/train"
    chosen = cases(folder, KINDS, options.limit, options.seed, skip=skip, in_turn=True)
    add_rows(options.rows, chosen, analyse, describe)
    rows = [row for row in read_rows(options.rows) if len(row["candidates"]) > 1]
    table = {}
    for sharpness in SHARPNESSES:
        each = np.mean([gains(row, sharpness) for row in rows], axis=0)
        named = zip(("all_supports", "settled", "supports_tried"), each, strict=True)
        table[str(sharpness)] = {name: round(float(value), 3) for name, value in named}
        print(sharpness, table[str(sharpness)])
    add_to_record(options.out, "supports", {"photos": len(rows), "sharpness": table})


if __name__ == "__main__":
    run_command(main)
