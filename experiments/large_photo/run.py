r"""Restore one large photo in tiles: seconds, peak memory, and how visible the seams are.

    python -m experiments.large_photo.run --images BSDS500/val --seed 0 --out OUT.json

The first photo is enlarged to `--width` by `--height` pixels and blurred by a random camera motion
of up to 36 pixels; `deblur` then estimates the motion and restores. The seam is the difference
between a restoration in tiles and one in one piece, with the true motion, in the top left corner
of `--seam` pixels. The peak memory is that of the whole process, which also makes the photo.
"""

import argparse
import resource
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax import LineBlur, deblur, line_blur, load_denoiser, psnr, restore
from deblur_jax.deblurring import HALO
from deblur_jax.io.images import read_photo
from deblur_jax.simulate.camera_flow import LARGE, camera_flow
from deblur_jax.solvers.tiles import restore_tiled
from experiments.shared import origin, run_command, write_record


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="folder; its first .jpg is used")
    parser.add_argument("--seed", type=int, default=0, help="of the motion")
    parser.add_argument("--height", type=int, default=3000, help="pixels")
    parser.add_argument("--width", type=int, default=4000, help="pixels")
    parser.add_argument("--seam", type=int, default=512, help="side of the corner, pixels")
    parser.add_argument("--denoiser", default="", help="weights (default: total variation)")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    path = sorted(arguments.images.glob("*.jpg"))[0]
    shape = (arguments.height, arguments.width, 3)
    sharp, blurry, flow = make_photo(path, shape, arguments.seed)
    side = arguments.seam
    differences = seam(blurry[:side, :side], flow[:side, :side])
    print(f"seam: {differences}", flush=True)
    started = time.perf_counter()
    denoise = load_denoiser(arguments.denoiser) if arguments.denoiser else None
    result = deblur(
        blurry,
        "camera-motion",
        denoise=denoise,
        progress=lambda share: report(share, started),
    )
    record = {
        "command": "python -m experiments.large_photo.run",
        "seed": arguments.seed,
        "photo": f"{arguments.width}x{arguments.height}",
        "denoiser": arguments.denoiser or "total variation",
        "seconds": round(time.perf_counter() - started, 1),
        "peak_gigabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "longest_motion": round(float(np.abs(result.flow).max()), 1),
        "psnr": {
            "blurred": float(psnr(blurry, sharp)),
            "restored": float(psnr(result.image, sharp)),
        },
        "halo": HALO,
        "seam": differences,
        "verdict": result.verdict,
        **origin(),
    }
    write_record(arguments.out, record)
    print(record)


def make_photo(
    path: Path, shape: tuple[int, int, int], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns an enlarged photo, its blurry version and the motion, as NumPy arrays."""

    @jax.jit
    def make(pixels):
        sharp = jnp.clip(jax.image.resize(pixels, shape, "cubic"), 0, 1)
        flow = camera_flow(jax.random.key(seed), shape[0], shape[1], LARGE)
        return sharp, jnp.clip(line_blur(sharp, flow), 0, 1), flow

    sharp, blurry, flow = make(jnp.asarray(read_photo(path).pixels, jnp.float32))
    return np.asarray(sharp), np.asarray(blurry), np.asarray(flow)


def report(share: float, started: float) -> None:
    """Prints the progress of the restoration."""
    print(f"{100 * share:.0f} %, {time.perf_counter() - started:.0f} s", flush=True)


def seam(blurry: np.ndarray, flow: np.ndarray) -> dict[str, float]:
    """Returns the largest and the mean difference of a restoration in tiles to one in one piece."""
    blur = LineBlur(flow)
    whole = np.asarray(restore(blur, blurry)[0])
    side = min(blurry.shape[:2])
    tiled = restore_tiled(
        lambda photo, blur: restore(blur, photo)[0],
        blurry,
        blur,
        halo=HALO,
        tile=(side * 3 // 5,) * 2,
    )
    difference = np.abs(whole - tiled)
    return {"largest": float(difference.max()), "mean": float(difference.mean())}


if __name__ == "__main__":
    run_command(main)
