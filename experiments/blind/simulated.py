"""Which hypothesis wins on simulated photos, and how good is it beside the others?

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.simulated --rows runs/simulated.jsonl

Photos of BSDS500's validation set are each blurred in five ways, with noise, 8 bits and JPEG
compression. Each photo is restored as `deblur` does by the choice between all hypotheses, by the
network's motion, by the best blind kernels, and by the true blur where an operator stands for it.
Rows are added to a file, which is continued; the table is added to results.json beside this file.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.hypotheses import blur_of, find_hypotheses
from deblur_jax.blind.multiscale import restore_multiscale
from deblur_jax.blind.restoration import effective_noise, restore_closed
from deblur_jax.blind.trust import expectation, likely_better, trusted_change
from deblur_jax.blind.verdict import LIKELY, Hypothesis, probability, score
from deblur_jax.blind.working_photo import working_photo
from deblur_jax.deblurring import mix
from deblur_jax.estimate import shipped_denoiser, trusted_share
from deblur_jax.ops.operators import Blur, LineBlur, UniformBlur
from deblur_jax.ops.windows import Windows
from deblur_jax.pretrained import DEFAULT, load
from deblur_jax.restoration import restore
from experiments.blind.fit import BORDER, SAME
from experiments.blind.rows import (
    add_rows,
    add_to_record,
    make_parser,
    names_of,
    parse,
    read_rows,
)
from experiments.blind.simulations import Simulated, cases
from experiments.blind.trust import kind_of
from experiments.shared import psnr_shifted, run_command


KINDS = ("shake", "roll", "mild", "large", "segments")


def analyse(case: Simulated) -> dict:
    """Return what each hypothesis makes of a photo, and what the true blur does."""
    photo, work = case.photo, working_photo(case.photo)
    row = {"photo": case.name, "blurred": psnr_shifted(photo, case.sharp, BORDER)}
    row["true"] = None if case.blur is None else known_blur_score(case, case.blur)
    network = load(DEFAULT)
    hypotheses = []

    def estimate_motion() -> LineBlur:
        return network.model.estimate_blur(network.variables, jnp.asarray(photo)).blur

    def foresee(hypothesis: Hypothesis, windows: Windows) -> float:
        blur = blur_of(hypothesis, windows, work)
        restored, residual = restore_multiscale(photo, blur, denoise=shipped_denoiser())
        trust = trusted_share(photo, restored, residual)
        explained = probability(score(hypothesis, work.noise / work.shrunk))
        change = trusted_change(trust, photo, restored)
        hypotheses.append({
            "name": hypothesis.name,
            "explained": explained,
            "change": change,
            "whole": psnr_shifted(restored, case.sharp, BORDER),
            "mixed": psnr_shifted(mix(photo, restored, trust), case.sharp, BORDER),
        })  # fmt: skip
        return change

    if not work.reason:
        find_hypotheses(work, estimate_motion, foresee)
    return row | {"hypotheses": hypotheses}


def known_blur_score(case: Simulated, blur: Blur) -> float:
    """Return the PSNR of the restoration with the true blur."""
    denoise = shipped_denoiser()
    if isinstance(blur, UniformBlur):
        noise = effective_noise(case.photo, kernel_error=0.0)
        restored = restore_closed(case.photo, blur, denoise=denoise, noise=noise)[0]
    else:
        restored = np.asarray(restore(blur, case.photo, denoise=denoise)[0])
    return psnr_shifted(restored, case.sharp, BORDER)


def scores(row: dict) -> dict[str, float]:
    """Return the PSNR of a photo by each column of the table."""
    found = row["hypotheses"]
    if not found:
        return dict.fromkeys(("network", "blind", "chosen", "after_verdict"), row["blurred"])
    value = [expectation(each["name"], each["explained"], each["change"]) for each in found]
    best = int(np.argmax(value))
    before = [i for i, each in enumerate(found) if each["name"] != "windows"]
    start = max(before, key=lambda i: value[i])
    blind = [
        i for i, each in enumerate(found)
        if each["name"] == "uniform"
        or (each["name"] == "windows" and found[start]["name"] == "uniform")
    ]  # fmt: skip
    chosen = found[best]
    likely = likely_better(chosen["explained"], chosen["change"])
    motion = [each["mixed"] for each in found if each["name"] == "network"]
    return {
        "network": motion[0] if motion else row["blurred"],
        "blind": found[max(blind, key=lambda i: value[i])]["mixed"] if blind else row["blurred"],
        "chosen": chosen["mixed"],
        "after_verdict": chosen["mixed"] if likely >= LIKELY else row["blurred"],
    }


def describe(row: dict) -> str:
    """Return a row in a line."""
    return f"{row['photo']} {row['blurred']} {scores(row)} {row['true']}"


def table(rows: list[dict]) -> dict[str, dict]:
    """Return the means of each kind of photo."""
    found = {}
    for kind in dict.fromkeys(kind_of(row) for row in rows):
        some = [row for row in rows if kind_of(row) == kind]
        each = [{"blurred": row["blurred"], **scores(row)} for row in some]
        gains = [x["after_verdict"] - x["blurred"] for x in each]
        true = [row["true"] for row in some if row["true"] is not None]
        found[kind] = {
            "photos": len(some),
            **{name: round(float(np.mean([x[name] for x in each])), 3) for name in each[0]},
            "true_blur": round(float(np.mean(true)), 3) if true else None,
            "written": sum(gain != 0 for gain in gains),
            "worse": sum(gain < -SAME for gain in gains),
        }
    return found


def main() -> None:
    """Add the rows that are missing and record the table."""
    parser = make_parser(__doc__, limit=50, seed=9)
    parser.add_argument("--rows", type=Path, default=Path("runs/simulated.jsonl"))
    parser.add_argument("--split", default="val", help="of BSDS500")
    options = parse(parser)
    folder = Path(options.data) / f"bsds500/images/{options.split}"
    chosen = cases(folder, KINDS, options.limit, options.seed, skip=names_of(options.rows))
    add_rows(options.rows, chosen, analyse, describe)
    found = table(read_rows(options.rows))
    for kind, means in found.items():
        print(kind, means)
    add_to_record(options.out, "simulated", found)


if __name__ == "__main__":
    run_command(main)
