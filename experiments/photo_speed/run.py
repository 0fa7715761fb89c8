"""Measure where the seconds of `deblur` go, for photos of several sizes.

    python -m experiments.photo_speed.run --megapixels 0.64 3 12 --cores 2
    python -m experiments.photo_speed.run --megapixels 0.64 --cores 1

The photo is one that scikit-image ships, shaken by a simulated hand. Each size runs twice, in a
process of its own: with no compiled programs, and with those that the first process kept. The
figures are added to results.json beside this file.
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import jax
import numpy as np
from PIL import Image
from skimage import data

from deblur_jax.blind.working_photo import smaller
from deblur_jax.compiled import CACHE, compile_quickly, keep_compiled_programs
from deblur_jax.deblurring import deblur
from deblur_jax.estimate import estimate_blur
from deblur_jax.io.images import read_photo, write_photo
from deblur_jax.simulate.develop import Camera, develop
from experiments.blind.simulations import draw_shake
from experiments.shared import as_floats, origin, psnr_shifted, run_command, write_record


CAMERA = Camera(sigma=(0.004, 0.004), levels=256, quality=(95, 95))
EXTENT = 0.035  # of the shake, in units of the photo's width
SHAPE = (3, 4)  # height to width
COMPARED = 640_000  # pixels to which a result and the sharp photo are reduced for their PSNR


def sharp_photo(height: int, width: int) -> np.ndarray:
    """Return the photo that is shaken."""
    return cv2.resize(as_floats(data.coffee()), (width, height), interpolation=cv2.INTER_CUBIC)


def quality(image: np.ndarray) -> float:
    """Return the PSNR of a result, reduced to `COMPARED` pixels."""
    height, width, _ = image.shape
    ratio = min(1.0, (COMPARED / (height * width)) ** 0.5)
    sharp = sharp_photo(height, width)
    return psnr_shifted(smaller(image, ratio), smaller(sharp, ratio))


def make_photo(path: Path, megapixels: float) -> None:
    """Write a shaken photo of a size."""
    unit = (1e6 * megapixels / (SHAPE[0] * SHAPE[1])) ** 0.5
    height, width = (round(side * unit) for side in SHAPE)
    sharp = sharp_photo(height, width)
    small = draw_shake(jax.random.key(1), 31)
    side = 2 * round(EXTENT * width / 2) + 1
    kernel = cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA)
    shaken = cv2.filter2D(sharp, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    photo = np.asarray(develop(jax.random.key(2), shaken.clip(0, 1), CAMERA))
    Image.fromarray(np.round(255 * photo).astype(np.uint8)).save(path, quality=95)


def measure(path: Path, started: float) -> dict[str, float]:
    """Return the seconds of each part for one photo, and the process's peak memory.

    Args:
        path: of the photo.
        started: when the process was started.
    """
    seconds = {"start": time.time() - started}

    def timed(name, function, *given):
        before = time.perf_counter()
        found = function(*given)
        seconds[name] = time.perf_counter() - before
        return found

    given = timed("read", read_photo, path)
    photo = given.pixels
    timed("first photo", deblur, photo)
    timed("estimate", lambda: jax.block_until_ready(estimate_blur(photo).blur))
    result = timed("second photo", deblur, photo)
    seconds["restore and judge"] = seconds["second photo"] - seconds["estimate"]
    restored = dataclasses.replace(given, pixels=result.image)
    timed("write", write_photo, path.with_name("restored.jpg"), restored)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rounded = {name: round(value, 2) for name, value in seconds.items()}
    return rounded | {
        "peak gigabytes": round(memory, 2),
        "likely": round(result.likely or 0, 3),
        "dB before": round(quality(photo), 2),
        "dB after": round(quality(result.image), 2),
        "dB restored": round(
            quality(result.image if result.restored is None else result.restored), 2
        ),
    }


def run_apart(path: Path, cache: Path, cores: int) -> dict[str, float]:
    """Return what `measure` does in a process of its own on some of the cores."""
    command = [sys.executable, "-m", "experiments.photo_speed.run", "--measure", str(path)]
    command += ["--cores", str(cores), "--started", str(time.time())]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {CACHE: str(cache)}
    )
    return json.loads(said.stdout.splitlines()[-1])


def main() -> None:
    """Measure all sizes, print the figures and record them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--megapixels", type=float, nargs="+", default=(0.64, 3, 12))
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"))
    parser.add_argument("--measure", type=Path, help="only measure this photo, in this process")
    parser.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
        compile_quickly()
        keep_compiled_programs()
        print(json.dumps(measure(options.measure, options.started)))
        return
    for megapixels in options.megapixels:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "photo.jpg")
            make_photo(path, megapixels)
            programs = Path(folder, "programs")
            found = {
                "nothing compiled": run_apart(path, programs, options.cores),
                "programs kept": run_apart(path, programs, options.cores),
            }
        for name, seconds in found.items():
            print(
                f"{megapixels:g} megapixels, {options.cores} cores, {name}: {seconds}", flush=True
            )
        record = json.loads(options.out.read_text()) if options.out.exists() else {}
        key = f"{megapixels:g} megapixels, {options.cores} cores"
        write_record(options.out, record | {"origin": origin(), key: found})


if __name__ == "__main__":
    run_command(main)
