"""How should a photo with an estimated kernel be restored: at once, or from coarse to fine?

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.scales

Photos of BSDS500's training set are blurred in four ways. Kernels are estimated without a network,
and each photo is restored in several ways with the chosen one. The mean gains over the photos that
gain in any way are added to results.json beside this file.
"""

import functools
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from deblur_jax.blind import multiscale
from deblur_jax.blind.hypotheses import blur_of, find_hypotheses
from deblur_jax.blind.multiscale import restore_multiscale
from deblur_jax.blind.restoration import effective_noise, restore_closed
from deblur_jax.blind.working_photo import working_photo
from deblur_jax.estimate import shipped_denoiser, trusted_share
from experiments.blind.fit import BORDER
from experiments.blind.rows import add_to_record, make_parser, parse
from experiments.blind.simulations import Simulated, cases
from experiments.shared import psnr_shifted, run_command


KINDS = ("shake", "roll", "large", "frames")


class Way(NamedTuple):
    """A way to restore: steps, how many of them at the full size, and the noise of the kernel."""

    steps: int
    last: int
    kernel_error: float

    def __str__(self) -> str:
        place = "at once" if self.last == self.steps else f"last {self.last}"
        return f"{self.steps} steps, {place}, {self.kernel_error}"


WAYS = (
    Way(5, 5, 0.013), Way(5, 1, 0.013), Way(5, 2, 0.013), Way(5, 3, 0.013), Way(5, 2, 0.0105),
    Way(5, 2, 0.008), Way(4, 2, 0.0105), Way(4, 2, 0.008),
)  # fmt: skip


def restore(photo: np.ndarray, blur: Any, way: Way) -> tuple[np.ndarray, np.ndarray]:
    """Return the restoration of a photo and its residual."""
    noise_of = functools.partial(effective_noise, kernel_error=way.kernel_error)
    options = {"denoise": shipped_denoiser(), "steps": way.steps}
    if way.last == way.steps:
        return restore_closed(photo, blur, noise=noise_of(photo), **options)
    with mock.patch.multiple(multiscale, LAST=way.last, effective_noise=noise_of):
        return restore_multiscale(photo, blur, **options)


def gains(case: Simulated) -> dict[str, tuple[float, float]] | None:
    """Return what each way gains in dB, everywhere and where it is trusted; None without a blur."""
    work = working_photo(case.photo)
    found = None if work.reason else find_hypotheses(work)
    if found is None or not found.hypotheses:
        return None
    blur = blur_of(found.hypotheses[found.chosen], found.windows, work)
    before, row = psnr_shifted(case.photo, case.sharp, BORDER), {}
    for way in WAYS:
        restored, residual = restore(case.photo, blur, way)
        trust = trusted_share(case.photo, restored, residual)
        mixed = case.photo + trust * (restored - case.photo)
        row[str(way)] = tuple(
            psnr_shifted(each, case.sharp, BORDER) - before for each in (restored, mixed)
        )
    return row


def main() -> None:
    """Restore all photos, print and record the means."""
    options = parse(make_parser(__doc__, limit=32, seed=21))
    folder = Path(options.data) / "bsds500/images/train"
    rows = []
    for case in cases(folder, KINDS, options.limit, options.seed, in_turn=True):
        row = gains(case)
        if row and max(whole for whole, _ in row.values()) > 0:
            rows.append(row)
        print(case.name, row, flush=True)
    means = {
        name: [round(float(np.mean([row[name][k] for row in rows])), 3) for k in (0, 1)]
        for name in rows[0]
    }
    print(means)
    add_to_record(options.out, "scales", {"photos": len(rows), "gains": means})


if __name__ == "__main__":
    run_command(main)
