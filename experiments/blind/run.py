"""Blind kernels on the photos of Köhler et al. and Levin et al., and on simulated shake.

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.run kohler
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.run levin
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.run simulated --hindsight

Each command adds its scores to results.json beside this file, or to --out. Köhler's photos are
aligned by a homography, Levin's by a shift of eighths of a pixel. Simulated photos are parts of
BSDS500 validation photos, blurred by one shake kernel, with noise and 8 bits.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import jax
import numpy as np

from deblur_jax.alignment import align_homography, aligned_scores
from deblur_jax.blind import Candidate, estimate_kernel, restore_uniform
from deblur_jax.data.levin import read_levin
from deblur_jax.pretrained import load_denoiser
from deblur_jax.simulate.shake_kernels import Tremor, Wander, shake_kernel
from experiments.shared import crop, run_command, shifted_onto, write_record


SIMULATED_SIZE = (270, 400)
SIMULATED_SIDES = (15, 21, 31, 45)


class Case(NamedTuple):
    """A blurred photo and the sharp one, `[h, w, c]`, and the true kernel if there is one."""

    name: str
    photo: np.ndarray
    sharp: np.ndarray
    kernel: np.ndarray | None


def kohler(data: Path, limit: int, seed: int) -> Iterator[Case]:
    """Yield the photos of Köhler et al. 2012."""
    del seed
    for path in sorted((data / "kohler/blurred").glob("*.png"))[:limit]:
        sharp = data / f"kohler/sharp/GroundTruth{path.stem[6]}.jpg"
        yield Case(path.stem[6:], _read(path), _read(sharp), None)


def levin(data: Path, limit: int, seed: int) -> Iterator[Case]:
    """Yield the photos of Levin et al. 2009."""
    del seed
    for path in sorted((data / "levin2009").glob("*.mat"))[:limit]:
        found = read_levin(path)
        photo = np.clip(found["blurry"], 0, 1)
        yield Case(path.stem, photo, found["sharp"], found["kernels"][0])


def simulated(data: Path, limit: int, seed: int) -> Iterator[Case]:
    """Yield shaken parts of BSDS500 validation photos."""
    draw = np.random.default_rng(seed)
    paths = sorted((data / "bsds500/images/val").glob("*.jpg"))
    for number, index in enumerate(draw.permutation(len(paths))[:limit]):
        sharp = _read(paths[index])
        sharp = sharp.transpose(1, 0, 2) if sharp.shape[0] > sharp.shape[1] else sharp
        side = SIMULATED_SIDES[number % len(SIMULATED_SIDES)]
        hand = {"tremor": Tremor().scaled(side / 33), "wander": Wander().scaled(side / 33)}
        key = jax.random.key(1000 * seed + number)
        kernel = np.asarray(shake_kernel(key, side, still_share=0.0, **hand))
        photo = cv2.filter2D(sharp, -1, kernel, borderType=cv2.BORDER_REFLECT)
        noise = (0.002, 0.005, 0.01)[number % 3]
        photo = np.clip(photo + noise * draw.standard_normal(photo.shape), 0, 1)
        photo = (np.round(255 * photo) / 255).astype(np.float32)
        around = (side // 2, side // 2)
        height, width = (
            min(a, b - side) for a, b in zip(SIMULATED_SIZE, sharp.shape, strict=False)
        )
        part = slice(around[0], around[0] + height), slice(around[1], around[1] + width)
        yield Case(paths[index].stem, photo[part], sharp[part], kernel)


CASES = {"kohler": kohler, "levin": levin, "simulated": simulated}


def score(image: np.ndarray, case: Case, name: str) -> float:
    """Return the PSNR of a photo after it was aligned."""
    if name == "kohler":
        return aligned_scores(align_homography(image, case.sharp))["psnr"]
    grey = image if name == "levin" else image.mean(-1, keepdims=True)
    truth = case.sharp if name == "levin" else case.sharp.mean(-1, keepdims=True)
    moved = np.asarray(shifted_onto(grey.astype(np.float32), truth.astype(np.float32)))
    error = crop(moved, 25) - crop(truth, 25)
    return float(-10 * np.log10(np.mean(np.square(error))))


def likeness(kernel: np.ndarray, true: np.ndarray) -> float:
    """Return the largest normalised correlation of two kernels over shifts."""
    length = 2 * max(len(kernel), len(true)) + 1
    spectra = (np.fft.rfft2(each, (length, length)) for each in (kernel, true))
    shared = np.fft.irfft2(next(spectra) * np.conj(next(spectra)), (length, length)).max()
    return float(shared / np.sqrt(np.square(kernel).sum() * np.square(true).sum()))


def described(candidate: Candidate) -> dict[str, float]:
    """Return the numbers of a candidate."""
    return {
        "support": candidate.support,
        "energy": candidate.energy,
        "ratio": candidate.ratio,
        "border": candidate.border,
    }


def main() -> None:
    """Run one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("table", choices=sorted(CASES))
    parser.add_argument("--data", type=Path, default=os.environ.get("DEBLUR_JAX_DATA"))
    parser.add_argument("--limit", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hindsight", action="store_true", help="score all candidates")
    parser.add_argument("--denoiser", default="denoiser")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--pictures", type=Path, help="folder for restored photos and kernels")
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data: set DEBLUR_JAX_DATA or give --data")
    denoise = load_denoiser(options.denoiser)
    rows = []
    for case in CASES[options.table](Path(options.data), options.limit, options.seed):
        start, busy = time.perf_counter(), time.process_time()
        found = estimate_kernel(case.photo)
        halfway = time.process_time()
        restored = case.photo
        if found.support > 1:
            restored = restore_uniform(case.photo, found.kernel, denoise=denoise)
        row = {
            "photo": case.name,
            "blurred": score(case.photo, case, options.table),
            "restored": score(restored, case, options.table),
            "support": found.support,
            "noise": found.noise,
            "seconds": time.perf_counter() - start,
            "cpu_estimate": halfway - busy,
            "cpu_restore": time.process_time() - halfway,
            "candidates": [described(each) for each in found.candidates],
        }
        if case.kernel is not None:
            row["likeness"] = likeness(found.kernel, case.kernel)
            known = restore_uniform(case.photo, case.kernel, denoise=denoise, kernel_error=0.0)
            row["known"] = score(known, case, options.table)
        if options.hindsight:
            for each, entry in zip(found.candidates, row["candidates"], strict=True):
                image = case.photo
                if each.support > 1:
                    image = restore_uniform(case.photo, each.kernel, denoise=denoise)
                entry["psnr"] = score(image, case, options.table)
        rows.append(row)
        print(
            f"{case.name}: {row['blurred']:.2f} -> {row['restored']:.2f} dB, support "
            f"{row['support']}, {row['cpu_estimate']:.0f} + {row['cpu_restore']:.0f} s",
            flush=True,
        )
        if options.pictures:
            _draw(options.pictures, case.name, restored, found.kernel)
        _record(options.out, options.table, rows)


def _read(path: Path) -> np.ndarray:
    photo = cv2.imread(str(path))
    if photo is None:
        raise FileNotFoundError(f"{path}: no readable photo")
    return photo[..., ::-1].astype(np.float32) / 255


def _record(path: Path, table: str, rows: list[dict]) -> None:
    results = json.loads(path.read_text()) if path.exists() else {}
    means = {
        name: float(np.mean([row[name] for row in rows]))
        for name in ("blurred", "restored", "known", "likeness")
        if name in rows[0]
    }
    results[table] = {"photos": len(rows), "means": means, "rows": rows}
    write_record(path, results)


def _draw(folder: Path, name: str, restored: np.ndarray, kernel: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = np.round(255 * restored[..., ::-1]).astype(np.uint8)
    shown = (255 * kernel / kernel.max()).astype(np.uint8)
    cv2.imwrite(str(folder / f"{name}.png"), picture)
    shown = cv2.resize(shown, (240, 240), interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(folder / f"{name}-kernel.png"), shown)


if __name__ == "__main__":
    run_command(main)
