r"""Restores photos whose blur is known exactly: what each solver makes of the true operator.

    python experiments/solvers_true_operator.py --images BSDS500/val --limit 50 --seed 0 \
        --out experiments/results/solvers_true_operator.json

Each photo is blurred by one random camera motion of Gong et al. 2017 (`--setting mild` or `large`,
motions of up to 17 or 36 pixels, rounded, light from outside repeats the edge), cropped by half
the longest motion, and rounded to 8 bits; no other noise. Scores are those of 8-bit results.
"""

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax import psnr, ssim
from deblur_jax.io.files import write_json
from deblur_jax.io.images import SUFFIXES, read_photo
from deblur_jax.metrics import mean_metrics
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import quantize
from deblur_jax.pretrained import load_denoiser, load_mixture
from deblur_jax.simulate.camera_flow import LARGE, MILD, camera_flow
from deblur_jax.solvers.epll import epll
from deblur_jax.solvers.proximal_gradient import proximal_gradient
from deblur_jax.solvers.richardson_lucy import richardson_lucy
from deblur_jax.solvers.schedules import carbajal_sigmas, gong_penalties
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation


MARGIN = 18  # pixels, half the longest motion
SETTINGS = {"mild": MILD, "large": LARGE}
PUBLISHED = {"mild": {"psnr": 24.655, "ssim": 0.7481}, "large": {"psnr": 23.022, "ssim": 0.6609}}


def main() -> None:
    """Runs the table."""
    arguments = parse()
    solvers = make_solvers(arguments)
    started, rows = time.time(), []
    paths = sorted(p for p in arguments.images.iterdir() if p.suffix.lower() in SUFFIXES)
    for index, path in enumerate(paths[: arguments.limit]):
        for setting in arguments.settings:
            key = jax.random.fold_in(jax.random.key(arguments.seed), index)
            sharp, blurry, flow = make_example(key, path, setting)
            row = {"photo": path.name, "setting": setting, "blurry": score(blurry, sharp, 0.0)}
            for name, solve in solvers.items():
                begun = time.time()
                restored = np.asarray(solve(flow, blurry))
                row[name] = score(restored, sharp, time.time() - begun)
            rows.append(row)
            print({k: v if isinstance(v, str) else round(v["psnr"], 2) for k, v in row.items()},
                  flush=True)  # fmt: skip
            write(arguments, rows, ["blurry", *solvers], time.time() - started)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", default=["mild", "large"], choices=SETTINGS)
    parser.add_argument("--mixture", default="gmm", help="shipped by name, or a file")
    parser.add_argument("--denoiser", default=None, help="shipped by name, or a file")
    parser.add_argument("--only", nargs="+", default=None, help="the solvers to run")
    parser.add_argument("--machine", default=platform.machine())
    return parser.parse_args()


def make_solvers(arguments: argparse.Namespace) -> dict[str, Callable]:
    """Returns the solvers by name, each `(flow, blurry) -> restored`."""
    mixture = load_mixture(arguments.mixture)
    sigmas = carbajal_sigmas()

    def flat(image, sigma):
        return denoise_total_variation(image, 0.25 * sigma, num_steps=10)

    def with_denoiser(denoise):
        return jax.jit(
            lambda flow, y: steepest_descent(
                LineBlur(flow), y, denoise, sigmas=sigmas, margin=MARGIN
            )[0]
        )

    patched = jax.jit(
        lambda flow, y, mixture: epll(
            LineBlur(flow), y, mixture, penalties=gong_penalties(), margin=MARGIN
        )[0]
    )
    solvers = {
        "epll": lambda flow, y: patched(flow, y, mixture),
        "hsd_tv": with_denoiser(flat),
        "tv": jax.jit(
            lambda flow, y: proximal_gradient(
                LineBlur(flow), y, jnp.float32(1e-3), num_steps=60, margin=MARGIN
            )[0]
        ),
        "richardson_lucy": jax.jit(
            lambda flow, y: richardson_lucy(LineBlur(flow), y, jnp.float32(1e-3), margin=MARGIN)[0]
        ),
    }
    if arguments.denoiser:
        solvers["hsd_denoiser"] = with_denoiser(load_denoiser(arguments.denoiser))
    return {k: v for k, v in solvers.items() if arguments.only is None or k in arguments.only}


def make_example(
    key: jax.Array, path: Path, setting: str
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns a sharp photo, its blurry version and the motion; all cropped to one size a setting.

    The crop is the setting's limit, at least half the longest motion, so that few shapes compile.
    """
    sharp = jnp.asarray(read_photo(path).pixels, jnp.float32)
    if sharp.shape[0] > sharp.shape[1]:
        sharp = jnp.swapaxes(sharp, 0, 1)
    motion = SETTINGS[setting]
    flow = camera_flow(key, sharp.shape[0], sharp.shape[1], motion, rounded=True)
    blurry = quantize(line_blur(sharp, flow))
    border = int(motion.limit) // 2
    inside = (slice(border, sharp.shape[0] - border), slice(border, sharp.shape[1] - border))
    return sharp[inside], blurry[inside], flow[inside]


def score(image, sharp: jax.Array, seconds: float) -> dict[str, float]:
    """Returns PSNR and SSIM of an image rounded to 8 bits, with 25 pixels less at each edge too."""
    image = quantize(jnp.asarray(image))
    inner = (slice(25, -25), slice(25, -25))
    return {
        "psnr": float(psnr(image, sharp)),
        "ssim": float(ssim(image, sharp)),
        "psnr_inner": float(psnr(image[inner], sharp[inner])),
        "seconds": seconds,
    }


def write(arguments: argparse.Namespace, rows: list[dict], names: list[str], seconds: float):
    """Writes the means and all rows."""
    means = {
        setting: {
            name: mean_metrics([row[name] for row in rows if row["setting"] == setting])
            for name in names
        }
        for setting in arguments.settings
        if any(row["setting"] == setting for row in rows)
    }
    record = {
        "command": "python experiments/solvers_true_operator.py",
        "seed": arguments.seed,
        "settings": {s: sum(row["setting"] == s for row in rows) for s in means},
        "machine": arguments.machine,
        "jax": jax.__version__,
        "minutes": round(seconds / 60, 1),
        "published_by_gong_for_true_kernels": PUBLISHED,
        "means": means,
        "rows": rows,
    }
    write_json(arguments.out, record)


if __name__ == "__main__":
    main()
