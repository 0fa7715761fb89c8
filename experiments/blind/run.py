"""What `deblur` gains on photos of real shake whose sharp original is known.

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.run kohler
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.run levin
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.run gopro

Each command adds its scores to results.json beside this file, or to --out. With `--results DIR` it
scores restored photos that any other program wrote, and writes them only to an --out: DIR holds an
image with the name of each blurred photo, such as Blurry1_1.png, im05_flit01.png or mean-0-7.png.
Köhler's photos are
aligned by a homography, Levin's and GoPro's by a shift of eighths of a pixel. GoPro's are the pairs
at hand and means of 7 to 13 frames of 240 Hz.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from deblur_jax.alignment import align_homography, aligned_scores
from deblur_jax.blind.restoration import restore_uniform
from deblur_jax.data.levin import read_levin
from deblur_jax.deblurring import deblur
from deblur_jax.ops.sensor import to_display, to_light
from deblur_jax.pretrained import load_denoiser
from experiments.blind.simulations import read
from experiments.shared import (
    find_results,
    psnr_shifted,
    read_result,
    run_command,
    write_record,
)


WINDOWS = ((0, 7), (2, 9), (4, 11), (1, 10), (5, 14), (0, 11), (3, 14), (6, 17), (0, 13), (4, 17))


class Case(NamedTuple):
    """A blurred photo and the sharp one, `[h, w, c]`, and the true kernel if there is one.

    `file` is the name of the blurred photo's file without its ending.
    """

    name: str
    file: str
    photo: np.ndarray
    sharp: np.ndarray
    kernel: np.ndarray | None


def kohler(data: Path) -> Iterator[Case]:
    """Yield the photos of Köhler et al. 2012."""
    for path in sorted((data / "kohler/blurred").glob("*.png")):
        sharp = data / f"kohler/sharp/GroundTruth{path.stem[6]}.jpg"
        yield Case(path.stem[6:], path.stem, read(path), read(sharp), None)


def levin(data: Path) -> Iterator[Case]:
    """Yield the photos of Levin et al. 2009, grey as three equal channels."""
    for path in sorted((data / "levin2009").glob("*.mat")):
        found = read_levin(path)
        photo = np.repeat(np.clip(found["blurry"], 0, 1), 3, axis=-1)
        yield Case(path.stem, path.stem, photo, found["sharp"], found["kernels"][0])


def gopro(data: Path) -> Iterator[Case]:
    """Yield the pairs of Nah et al. 2017, and means of frames of 240 Hz in linear light."""
    for path in sorted((data / "gopro/pairs").glob("*_gt.png")):
        blurred = path.with_name(path.name.replace("_gt", ""))
        yield Case(path.stem, blurred.stem, read(blurred), read(path), None)
    frames = sorted((data / "gopro/raw240").glob("*.png"))
    for first, last in WINDOWS:
        light = np.mean([to_light(read(path), "srgb") for path in frames[first:last]], axis=0)
        photo = np.round(255 * np.asarray(to_display(light, "srgb"))) / np.float32(255)
        middle = frames[(first + last) // 2]
        name = f"mean-{first}-{last}"
        yield Case(name, name, photo.astype(np.float32), read(middle), None)


CASES = {"kohler": kohler, "levin": levin, "gopro": gopro}


def score(image: np.ndarray, case: Case, name: str) -> float:
    """Return the PSNR of a photo after it was aligned."""
    if name == "kohler":
        return aligned_scores(align_homography(image, case.sharp))["psnr"]
    return psnr_shifted(image, case.sharp)


def main() -> None:
    """Run one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("table", choices=sorted(CASES))
    parser.add_argument("--data", type=Path, default=os.environ.get("DEBLUR_JAX_DATA"))
    parser.add_argument("--model", default="auto")
    parser.add_argument("--photos", nargs="+", help="names of the photos (default: all)")
    parser.add_argument("--out", type=Path, help="the record (default: results.json here)")
    parser.add_argument("--results", type=Path, help="score a folder of restored photos instead")
    parser.add_argument("--pictures", type=Path, help="folder for restored photos")
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data: set DEBLUR_JAX_DATA or give --data")
    cases = (
        case
        for case in CASES[options.table](Path(options.data))
        if not options.photos or case.name in options.photos
    )
    if options.results:
        score_results(options.results, list(cases), options.table, options.out)
        return
    out = options.out or Path(__file__).with_name("results.json")
    rows = []
    for case in cases:
        start, busy = time.perf_counter(), time.process_time()
        result = deblur(case.photo, options.model)
        row = {
            "photo": case.name,
            "blurred": score(case.photo, case, options.table),
            "restored": score(result.image, case, options.table),
            "likely": result.likely,
            "written": result.trusted,
            "blur": type(result.blur).__name__,
            "seconds": time.perf_counter() - start,
            "processor_seconds": time.process_time() - busy,
        }
        row["after_verdict"] = row["restored"] if result.trusted else row["blurred"]
        if case.kernel is not None:
            known = restore_uniform(
                case.photo, case.kernel, denoise=load_denoiser(), kernel_error=0.0
            )
            row["known"] = score(known, case, options.table)
            row["error_ratio"] = 10 ** ((row["known"] - row["restored"]) / 10)
        rows.append(row)
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
        if options.pictures:
            _draw(options.pictures, case.name, result.image)
        _record(out, options.table, rows)


def score_results(folder: Path, cases: list[Case], table: str, out: Path | None) -> None:
    """Score the restored photos in a folder, and print and record them as one row.

    Args:
        folder: holds an image with the name of each blurred photo.
        cases: the photos.
        table: name of the data set.
        out: the record to add to; None for none.
    """
    if not cases:
        raise FileNotFoundError(f"{table}: no photos; see --data and --photos")
    found = find_results(folder, [case.file for case in cases])
    rows = [
        {
            "photo": case.name,
            "blurred": score(case.photo, case, table),
            "restored": score(read_result(found[case.file], case.photo), case, table),
        }
        for case in cases
    ]
    for row in rows:
        print(f"{row['photo']}: {row['blurred']:.2f} dB blurred, {row['restored']:.2f} restored")
    blurred, restored = (np.mean([row[name] for row in rows]) for name in ("blurred", "restored"))
    print(f"results in {folder}: {blurred:.2f} dB blurred, {restored:.2f} restored")
    if out:
        _record(out, f"{table}: results in {folder.name}", rows)


def _record(path: Path, table: str, rows: list[dict]) -> None:
    results = json.loads(path.read_text()) if path.exists() else {}
    means = {
        name: float(np.mean([row[name] for row in rows]))
        for name in ("blurred", "restored", "after_verdict", "known", "error_ratio")
        if name in rows[0]
    }
    results[table] = {"photos": len(rows), "means": means, "rows": rows}
    write_record(path, results)


def _draw(folder: Path, name: str, restored: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = np.round(255 * restored[..., ::-1]).astype(np.uint8)
    cv2.imwrite(str(folder / f"{name}.png"), picture)


if __name__ == "__main__":
    run_command(main)
