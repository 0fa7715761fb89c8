"""Which numbers should the estimation of a kernel have? Fitted on simulated training photos.

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.schedule --rows runs/schedule.jsonl

Photos are blurred by shakes, half of them with roll, half of them in light. For each setting of
`Schedule` (`deblur_jax/blind/coarse_to_fine.py`) a kernel is estimated on the least support that
holds the blur and on the next larger one, and the photo is restored with both. One number after the
other is changed, and the setting of the highest mean gain goes on. Rows are added to a file, which
is continued; the table is added to results.json beside this file.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.coarse_to_fine import Schedule, kernel_of_support, scale_count
from deblur_jax.blind.kernel_shape import centred_exactly, in_side
from deblur_jax.blind.multiscale import restore_multiscale
from deblur_jax.blind.search import planes_of
from deblur_jax.blind.working_photo import SUPPORTS, working_photo
from deblur_jax.estimate import shipped_denoiser
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.threads import in_order
from experiments.blind.fit import BORDER
from experiments.blind.rows import add_to_record, make_parser, parse, read_rows
from experiments.blind.simulations import SIDES, Simulated, cases
from experiments.shared import psnr_shifted, run_command


KINDS = ("shake", "roll")
SIZE = (288, 352)  # to which photos are cut
RUNAWAY = -2.0  # decibels below which a loss counts no more
ENOUGH = 0.01  # decibels that a change must gain
# The settings of each number, in the order of the search.
SETTINGS = {
    "strongest": (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "rounds": (3, 5, 8, 12),
    "decay": (1.05, 1.07, 1.1, 1.15, 1.2),
    "noisy_weight": (0.05, 0.1, 0.2, 0.4, 0.8),
    "noisy_ridge": (50.0, 200.0, 800.0, 3200.0, 12800.0),
    "ridge": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    "piece": (0.02, 0.05, 0.1, 0.2),
    "last_piece": (0.05, 0.1, 0.2),
    "weakest": (3e-5, 1e-4, 3e-4),
}


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A simulated photo, ready for the estimation of its kernel on two supports."""

    case: Simulated
    blurred: float
    supports: tuple[int, ...]


def prepare(number: int, case: Simulated) -> Prepared:
    """Return a case with the supports that its kernel is estimated on."""
    side = SIDES[number % len(SIDES)]
    first = next(index for index, support in enumerate(SUPPORTS) if support >= side)
    blurred = psnr_shifted(case.photo, case.sharp, BORDER)
    return Prepared(case, blurred, SUPPORTS[first : first + 2])


def gains(given: Prepared, schedule: Schedule) -> list[float]:
    """Return what the restorations with the kernels of each support gain, in dB."""
    case = given.case
    work = working_photo(case.photo, transfer=case.transfer)
    largest = given.supports[-1]
    planes = planes_of(work, scale_count(largest), largest)
    found = []
    for support in given.supports:
        kernel = kernel_of_support(
            planes.photos, planes.trusts, support, largest=largest, noise=work.noise,
            schedule=schedule,
        )  # fmt: skip
        blur = UniformBlur(jnp.asarray(centred_exactly(in_side(kernel, support))))
        restored, _ = restore_multiscale(
            case.photo, blur, denoise=shipped_denoiser(), transfer=case.transfer
        )
        found.append(psnr_shifted(restored, case.sharp, BORDER) - given.blurred)
    return found


def mean_gain(rows: Path, photos: list[Prepared], schedule: Schedule) -> float:
    """Return the mean gain of a schedule; runaways count as `RUNAWAY`. Adds the missing rows."""
    setting = dataclasses.asdict(schedule)
    known = {row["photo"]: row["gains"] for row in read_rows(rows) if row["setting"] == setting}
    missing = [each for each in photos if each.case.name not in known]
    found = in_order(functools.partial(gains, schedule=schedule), missing)
    with rows.open("a") as file:
        for each, gained in zip(missing, found, strict=True):
            known[each.case.name] = gained
            row = {"photo": each.case.name, "setting": setting, "gains": gained}
            file.write(json.dumps(row) + "\n")
            file.flush()
    values = [known[each.case.name] for each in photos]
    return float(np.mean(np.maximum(np.concatenate(values), RUNAWAY)))


def neighbours(schedule: Schedule, name: str) -> Iterator[Schedule]:
    """Yield the schedule with the next larger and the next smaller setting of a number."""
    settings, value = SETTINGS[name], getattr(schedule, name)
    for wanted in (
        min((s for s in settings if s > value), default=None),
        max((s for s in settings if s < value), default=None),
    ):
        if wanted is not None:
            yield dataclasses.replace(schedule, **{name: wanted})


def search(
    gain_of: Callable[[Schedule], float], start: Schedule, highest: float
) -> tuple[Schedule, float]:
    """Return the best schedule that changes of one number at a time lead to, and its gain.

    Args:
        gain_of: returns the mean gain of a schedule.
        start: the first schedule.
        highest: its gain.
    """
    best, before = start, None
    while best != before:
        before = best
        for name in SETTINGS:
            for first in neighbours(best, name):
                setting, moved = first, False
                upwards = getattr(first, name) > getattr(best, name)
                while setting is not None and (gain := gain_of(setting)) > highest + ENOUGH:
                    highest, best, moved = gain, setting, True
                    further = neighbours(best, name)
                    setting = next(
                        (s for s in further if (getattr(s, name) > getattr(best, name)) == upwards),
                        None,
                    )
                if moved:
                    break
    return best, highest


def main() -> None:
    """Search for the best schedule and record it."""
    parser = make_parser(__doc__, limit=32, seed=41)
    parser.add_argument("--rows", type=Path, default=Path("runs/schedule.jsonl"))
    parser.add_argument("--start", type=json.loads, default={}, help="JSON of numbers to start at")
    options = parse(parser)
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(options.data) / "photos/train"
    chosen = cases(folder, KINDS, options.limit, options.seed, in_turn=True, size=SIZE)
    photos = [prepare(number, case) for number, case in enumerate(chosen)]
    tried = []

    def gain_of(schedule: Schedule) -> float:
        gain = mean_gain(options.rows, photos, schedule)
        tried.append(dataclasses.asdict(schedule) | {"gain": round(gain, 3)})
        print(f"{gain:.3f} dB: {schedule}", flush=True)
        return gain

    start = dataclasses.replace(Schedule(), **options.start)
    before = gain_of(start)
    best, gain = search(gain_of, start, before)
    found = {"photos": len(photos), "before": round(before, 3), "after": round(gain, 3)}
    print(found, best)
    add_to_record(
        options.out, "schedule", found | {"schedule": dataclasses.asdict(best), "tried": tried}
    )


if __name__ == "__main__":
    run_command(main)
