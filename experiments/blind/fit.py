"""Fit the weights of the verdict on simulated training photos.

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit collect --rows runs/verdict.jsonl
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit fit --rows runs/verdict.jsonl

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit collect --split val --rows runs/val.jsonl
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit evaluate --split val --rows runs/val.jsonl

`collect` blurs photos of BSDS500's training set in eight ways, finds all hypotheses, restores the
photo with each and adds their features and gains to a file; it continues where it stopped.
`practise` keeps restorations of other photos by wrong kernels, which need no search. `fit`
writes `deblur_jax/blind/verdict.json` and prints what the choice gains on each photo with weights
that were fitted to other photos. `evaluate` adds the figures of the shipped weights to results.json
beside this file, for rows of photos that the weights were not fitted to.
"""

import argparse
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from deblur_jax.blind.hypotheses import blur_of, find_hypotheses
from deblur_jax.blind.multiscale import restore_multiscale
from deblur_jax.blind.verdict import (
    LIKELY,
    NAMES,
    WEIGHTS,
    features,
    preference,
    probability,
    shipped_weights,
)
from deblur_jax.blind.working_photo import full_size, working_photo
from deblur_jax.estimate import shipped_denoiser
from deblur_jax.ops.operators import Blur, LineBlur, UniformBlur
from deblur_jax.pretrained import DEFAULT, load
from experiments.blind.kept import Restoration, aligned, write_restorations
from experiments.blind.rows import names_of, read_rows
from experiments.blind.simulations import (
    ALL_KINDS,
    SIDES,
    Simulated,
    cases,
    draw_shake,
    in_random_order,
    simulate,
)
from experiments.shared import psnr_shifted, run_command, write_record


BORDER = 20  # pixels that are not scored
RIDGE = 0.02  # of the weights
MOST = 2.0  # decibels from which a gain or loss counts no more
SAME = 0.05  # decibels below which a loss is none
FOLDS = 5
PRACTISED = ("sharp", "shake", "sharp", "mild", "sharp", "roll", "sharp", "defocus")
# What speaks for a blur, and what against it, whatever the photos of the fit say.
SIGNS = {
    "energy": -1, "ratio": -1, "misfit": -1, "cells": 1, "sharper_cells": 1, "border": -1,
}  # fmt: skip

Photos = list[tuple[np.ndarray, np.ndarray]]  # features and gains of their hypotheses


def analyse(case: Simulated, network: str = DEFAULT, keep: Path | None = None) -> dict:
    """Return features and gain of each hypothesis on a photo.

    Args:
        case: the photo and its sharp original.
        network: what the network's hypothesis comes from.
        keep: folder for the photo and its restorations, which `trust` trains on.
    """
    work = working_photo(case.photo)
    row = {
        "photo": case.name,
        "blurred": psnr_shifted(case.photo, case.sharp, BORDER),
        "reason": work.reason,
    }
    if work.reason:
        return row | {"hypotheses": []}
    estimator = load(network)

    def estimate_motion() -> LineBlur:
        found = estimator.model.estimate_blur(estimator.variables, jnp.asarray(case.photo))
        return found.blur

    found = find_hypotheses(work, estimate_motion)
    hypotheses, windows = found.hypotheses, found.windows
    rows, restorations = [], []

    def restore(blur: Blur) -> float:
        gain, restoration = restored(case, blur, row["blurred"])
        restorations.append(restoration)
        return round(gain, 4)

    for each in hypotheses:
        rows.append({
            "name": each.name,
            "features": [round(float(x), 5) for x in features(each, work.noise / work.shrunk)],
            "gain": restore(blur_of(each, windows, work)),
        })  # fmt: skip
    if keep is not None and hypotheses:
        best = max(hypotheses, key=lambda each: preference(each, work.noise / work.shrunk))
        kernel = full_size(best.kernels.mean(0), work.shrunk)
        for wrong in wrong_kernels(kernel, zlib.crc32(case.name.encode())):
            restore(UniformBlur(jnp.asarray(wrong)))
        write_restorations(keep / f"{case.name}.npz", case.photo, restorations)
    return row | {"hypotheses": rows}


def restored(case: Simulated, blur: Blur, blurred: float) -> tuple[float, Restoration]:
    """Return what a restoration gains, and the restoration.

    Args:
        case: the photo and its sharp original.
        blur: of the photo.
        blurred: PSNR of the photo.
    """
    found = restore_multiscale(case.photo, blur, denoise=shipped_denoiser())
    gain = psnr_shifted(found[0], case.sharp, BORDER) - blurred
    nearest = found[0] if gain > 0 else case.photo
    return gain, Restoration(*found, aligned(case.sharp, nearest))


def wrong_kernels(kernel: np.ndarray, seed: int, turn: float = 40.0) -> list[np.ndarray]:
    """Return a kernel `[s, s]` turned and enlarged at random, one of another shake, and a line.

    Restorations by these are more of what can go wrong, for the network to learn from.

    Args:
        kernel: of which a distorted copy is made.
        seed: of the draws.
        turn: largest angle in degrees; it is enlarged by up to a hundredth of that.
    """
    rng = np.random.default_rng(seed)
    side = kernel.shape[0] + 10
    middle = (kernel.shape[0] // 2,) * 2
    scale = 1 + rng.uniform(-turn, turn) / 100
    matrix = cv2.getRotationMatrix2D(middle, rng.uniform(-turn, turn), scale)
    matrix[:, 2] += side // 2 - middle[0]
    turned = cv2.warpAffine(kernel, matrix, (side, side), flags=cv2.INTER_LINEAR)
    other = draw_shake(jax.random.key(seed), int(rng.choice((5, 7, *SIDES))))
    line = np.zeros((31, 31), np.float32)
    end = rng.uniform(1.5, 12) * np.exp(1j * rng.uniform(0, np.pi))
    for step in np.linspace(-0.5, 0.5, 60):
        line[round(15 + step * end.imag), round(15 + step * end.real)] += 1
    return [each / each.sum() for each in (turned, other, line)]


def practise(options: argparse.Namespace) -> None:
    """Keep restorations of other photos by kernels that are wrong, or nearly right.

    No kernel is estimated, so that many photos take little time. The photos are those that
    `collect` would come to last.
    """
    folder = Path(options.data) / (options.folder or f"bsds500/images/{options.split}")
    paths = in_random_order(folder, options.seed)[::-1]
    size = None if options.size is None else tuple(options.size)
    for number in range(options.part[0], min(options.limit, len(paths)), options.part[1]):
        kind = PRACTISED[number // 2 % len(PRACTISED)]
        case = simulate(kind, paths[number], number, options.seed, size=size)
        path = options.keep / f"{case.name}.npz"
        if path.exists():
            continue
        seed = zlib.crc32(case.name.encode())
        true = case.blur.kernel if isinstance(case.blur, UniformBlur) else draw_shake(
            jax.random.key(seed), SIDES[number % len(SIDES)]
        )  # fmt: skip
        blurred = psnr_shifted(case.photo, case.sharp, BORDER)
        restorations = [
            restored(case, UniformBlur(jnp.asarray(kernel)), blurred)[1]
            for kernel in wrong_kernels(np.asarray(true), seed, 10.0)
        ]
        write_restorations(path, case.photo, restorations)
        print(path.stem, flush=True)


def collect(options: argparse.Namespace) -> None:
    """Add the rows of all cases that the file does not hold yet."""
    options.rows.parent.mkdir(parents=True, exist_ok=True)
    done = names_of(options.rows)
    folder = Path(options.data) / (options.folder or f"bsds500/images/{options.split}")
    chosen = (options.kinds, options.limit, options.seed)
    shares = {"part": tuple(options.part), "in_turn": options.in_turn}
    shares["size"] = None if options.size is None else tuple(options.size)
    for case in cases(folder, *chosen, skip=done, **shares):
        row = analyse(case, keep=options.keep)
        with options.rows.open("a") as file:
            file.write(json.dumps(row) + "\n")
        gains = [(each["name"], round(each["gain"], 2)) for each in row["hypotheses"]]
        print(f"{case.name}: {row['blurred']:.2f} dB, gains {gains}", flush=True)


def gain_loss(weights: np.ndarray, photos: Photos) -> tuple:
    """Return the logistic loss of whether each hypothesis gains, and its gradient.

    A hypothesis counts by its decibels, up to `MOST`.
    """
    total, slope = 0.0, np.zeros_like(weights)
    for given, gains in photos:
        values = given @ weights
        sign = np.where(gains > 0, 1.0, -1.0)
        count = np.clip(np.abs(gains), SAME, MOST) / len(gains)
        total += np.sum(count * np.logaddexp(0, -sign * values))
        slope -= given.T @ (count * sign * _logistic(-sign * values))
    return _with_ridge(weights, total / len(photos), slope / len(photos))


def choice_loss(weights: np.ndarray, photos: Photos) -> tuple:
    """Return the logistic loss of whether a hypothesis gains more than another, and its gradient.

    A pair counts by the difference of their decibels, up to `MOST`.
    """
    total, slope = 0.0, np.zeros_like(weights)
    for given, gains in photos:
        values = given @ weights
        first, second = np.nonzero(gains[:, None] - gains > 2 * SAME)
        if len(first):
            better = np.minimum(gains[first] - gains[second], MOST) / len(first)
            lead = values[first] - values[second]
            total += np.sum(better * np.logaddexp(0, -lead))
            slope -= (better * _logistic(-lead)) @ (given[first] - given[second])
    return _with_ridge(weights, total / len(photos), slope / len(photos))


def _with_ridge(weights: np.ndarray, value: float, slope: np.ndarray) -> tuple:
    free = np.concatenate([[0.0], weights[1:]])
    return value + RIDGE * free @ free / 2, slope + RIDGE * free


def fit_weights(rows: list[dict], loss: Callable[..., tuple] = gain_loss) -> np.ndarray:
    """Return the weights of the known signs that minimise the loss on the rows."""
    photos = [_arrays(row) for row in rows]
    ranges = {-1: (None, 0), 0: (None, None), 1: (0, None)}
    bounds = [ranges[SIGNS.get(name, 0)] for name in NAMES]
    start = np.zeros(len(NAMES))
    return minimize(loss, start, args=(photos,), jac=True, method="L-BFGS-B", bounds=bounds).x


def cross_validated(rows: list[dict]) -> list[dict]:
    """Return what is chosen on each photo by weights that were fitted to other photos."""
    stems = sorted({stem(row) for row in rows})
    chosen = []
    for fold in range(FOLDS):
        held = set(stems[fold::FOLDS])
        rest = [row for row in rows if stem(row) not in held]
        weights = fit_weights(rest), fit_weights(rest, choice_loss)
        chosen += [_choose(row, *weights) for row in rows if stem(row) in held]
    return chosen


def stem(row: dict) -> str:
    """Return the name of a row's sharp photo."""
    return row["photo"].split("-", 1)[1]


def _choose(row: dict, weights: np.ndarray, choice: np.ndarray) -> dict:
    given, gains = _arrays(row)
    best = int(np.argmax(given @ choice))
    likely = probability(float(given[best] @ weights))
    return {
        "kind": row["photo"].split("-")[0], "gain": gains[best], "likely": likely,
        "written": likely >= LIKELY, "best": max(0.0, gains.max()),
    }  # fmt: skip


def summary(chosen: list[dict]) -> dict[str, dict]:
    """Return the figures of each kind of photo, and of all."""
    table = {}
    for kind in [*dict.fromkeys(each["kind"] for each in chosen), "all"]:
        some = [each for each in chosen if kind in (each["kind"], "all")]
        written = [each for each in some if each["written"]]
        table[kind] = {
            "photos": len(some),
            "gain": round(float(np.mean([each["gain"] * each["written"] for each in some])), 3),
            "best": round(float(np.mean([each["best"] for each in some])), 3),
            "written": len(written),
            "worse": int(sum(each["gain"] < -SAME for each in written)),
            "could": int(sum(each["best"] >= 1 for each in some)),
            "did": int(sum(each["best"] >= 1 for each in written)),
        }
    return table


def _arrays(row: dict) -> tuple[np.ndarray, np.ndarray]:
    given = np.asarray([each["features"] for each in row["hypotheses"]])
    return given, np.asarray([each["gain"] for each in row["hypotheses"]])


def _logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -40, 40)))


def fit(options: argparse.Namespace) -> None:
    """Fit the weights, write them and print the cross-validated figures."""
    rows = [row for row in read_rows(options.rows) if row["hypotheses"]]
    if len(rows) < FOLDS:
        raise ValueError(f"{options.rows}: holds {len(rows)} photos, at least {FOLDS} are needed")
    weights, choice = fit_weights(rows), fit_weights(rows, choice_loss)
    table = summary(cross_validated(rows))
    for kind, each in table.items():
        print(kind, each)
    before = json.loads(options.out.read_text()) if options.out.exists() else {}
    write_record(
        options.out,
        before
        | {
            "command": "python -m experiments.blind.fit",
            "photos": len(rows),
            "choice": {n: round(float(x), 4) for n, x in zip(NAMES, choice, strict=True) if x},
            "weights": {n: round(float(x), 4) for n, x in zip(NAMES, weights, strict=True)},
            "cross_validated": table,
        },
    )


def evaluate(options: argparse.Namespace) -> None:
    """Record what the shipped weights choose."""
    rows = [row for row in read_rows(options.rows) if row["hypotheses"]]
    weights = [np.asarray(shipped_weights(group)) for group in ("weights", "choice")]
    table = summary([_choose(row, *weights) for row in rows])
    for kind, each in table.items():
        print(kind, each)
    path = Path(__file__).with_name("results.json")
    write_record(path, json.loads(path.read_text()) | {f"simulated {options.split}": table})


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("step", choices=("collect", "practise", "fit", "evaluate"))
    parser.add_argument("--data", type=Path, default=os.environ.get("DEBLUR_JAX_DATA"))
    parser.add_argument("--rows", type=Path, default=Path("runs/verdict.jsonl"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--folder", help="other photos below the data's folder")
    parser.add_argument(
        "--in-turn", action="store_true", help="blur each photo in one way, in each in turn"
    )
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"), help="cut photos to one size"
    )
    parser.add_argument("--kinds", nargs="+", default=ALL_KINDS, choices=ALL_KINDS)
    parser.add_argument("--limit", type=int, default=8, help="photos of each kind")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder for the photos and their restorations")
    parser.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"),
        help="collect the photos of share I (from 0) of N only",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data: set DEBLUR_JAX_DATA or give --data")
    steps = {"collect": collect, "practise": practise, "fit": fit, "evaluate": evaluate}
    steps[options.step](options)


if __name__ == "__main__":
    run_command(main)
