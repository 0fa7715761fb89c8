r"""Tables 1 to 4 of Gong et al. 2017: estimated motion, and photos restored with it.

    python -m experiments.motion_flow.run --images BSDS500/images/test --limit 50 --seed 0 \
        --restored-per-photo 1 --model camera-motion --out experiments/motion_flow/results.json

Tables 1 and 2 (BSD-S, BSD-M) use the photos of BSDS500's test set, table 3 (MC-S, MC-M) 20 photos
of COCO; `--images` takes any folder. Each photo is blurred by `--flows-per-photo` random camera
motions of at most 36 pixels ("large", the paper's S) and 17 pixels ("mild", M), and restored with
the estimated and with the true motion.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.data.photos import PhotoSource, folder_photos
from deblur_jax.metrics import flow_mse, flow_mse_sign_invariant, mean_metrics, psnr, ssim
from deblur_jax.models.motion_flow import MotionFlowNet, most_likely_flow
from deblur_jax.ops.flow import canonical
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import quantize
from deblur_jax.pretrained import DEFAULT, Pretrained, load, load_denoiser, load_mixture
from deblur_jax.restoration import restore
from deblur_jax.simulate.camera_flow import LARGE, MILD
from deblur_jax.solvers.epll import epll
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.schedules import gong_penalties, zhang_sigmas
from deblur_jax.training.tasks.estimate_motion import make_simulate
from experiments.shared import as_floats, landscape, origin, run_command, write_record


MARGIN = 18  # pixels, half the longest motion
NOISE = 1 / 255  # of rounding to 8 bits, with a margin for errors of the estimated motion
LIMITS = {"mild": MILD.limit, "large": LARGE.limit}
# PSNR and SSIM with the true and with the estimated motion, and the MSE of the flow.
PUBLISHED = {
    "mild": {
        "BSD-M, Gong": {
            "psnr_true_flow": 24.655, "ssim_true_flow": 0.7481, "psnr_restored": 23.978,
            "ssim_restored": 0.7249, "flow_mse": 5.2051,
        },
        "BSD-M, patchCNN": {"psnr_restored": 22.968, "ssim_restored": 0.6735, "flow_mse": 15.6389},
        "MC-M, Gong": {
            "psnr_true_flow": 23.827, "ssim_true_flow": 0.7620, "psnr_restored": 23.227,
            "ssim_restored": 0.7402, "flow_mse": 7.3405,
        },
    },
    "large": {
        "BSD-S, Gong": {
            "psnr_true_flow": 23.022, "ssim_true_flow": 0.6609, "psnr_restored": 21.947,
            "ssim_restored": 0.6309, "flow_mse": 6.6198,
        },
        "BSD-S, patchCNN": {"psnr_restored": 20.534, "ssim_restored": 0.5296, "flow_mse": 50.1168},
        "MC-S, Gong": {
            "psnr_true_flow": 22.620, "ssim_true_flow": 0.6953, "psnr_restored": 21.954,
            "ssim_restored": 0.6641, "flow_mse": 7.8038,
        },
    },
}  # fmt: skip
PUBLISHED_SECONDS = {"Gong": 8.4, "patchCNN": 45.2, "Kim": 1500.0}  # GTX 980, 640 x 480
PROTOCOL = (
    "photos drawn by the seed; motion of Gong et al. 2017, section 4.2, rounded to whole pixels, "
    "redrawn until within 36 or 17 pixels; edges replicated, and half of that limit cropped at "
    "each side; rounded to 8 bits, no other noise. Flow MSE is half the mean squared length "
    "of the error against motions turned to u >= 0. PSNR over RGB and SSIM (Gaussian 11x11, mean "
    "of the channels) of 8-bit results. Published scores: other photos and "
    "motions, border not documented"
)
COLUMNS = (
    "flow_mse", "flow_mse_sign_invariant", "flow_mse_zero", "flow_mse_mean",
    "flow_mse_guessed_signs", "psnr_blurred", "psnr_restored", "psnr_true_flow",
    "ssim_blurred", "ssim_restored", "ssim_true_flow",
)  # fmt: skip

Restore = Callable[[jax.Array, jax.Array], jax.Array]


def main() -> None:
    """Runs the experiment, prints the tables and writes the record."""
    arguments = parse()
    network, restore = load(arguments.model), make_restore(arguments.solver)
    estimate = make_estimate(network, arguments.labels)
    record = {
        "command": "python -m experiments.motion_flow.run",
        "protocol": PROTOCOL,
        "images": arguments.images.name,
        "seed": arguments.seed,
        "model": Path(arguments.model).name,
        "trained_steps": network.card.get("step"),
        "labels": arguments.labels,
        "solver": arguments.solver,
        "seconds_flow_640x480": seconds_of_flow(estimate),
        "published": PUBLISHED,
        "published_seconds_flow_640x480": PUBLISHED_SECONDS,
        **origin(),
    }
    photos = choose_photos(arguments)
    for setting in arguments.settings:
        started, rows = time.perf_counter(), []
        pictures, flows = [], arguments.flows_per_photo
        for example in examples(photos, setting, arguments):
            flow = estimate(example["blurry"])
            rows.append(score_flow(flow, example["flow"]))
            line = f"{setting} {len(rows)}: flow MSE {rows[-1]['flow_mse']:.2f}"
            if (len(rows) - 1) % flows < (arguments.restored_per_photo or flows):
                pictures.append(score_pictures(example, flow, restore))
                line += f", {pictures[-1]['psnr_restored']:.2f} dB"
            print(line, flush=True)
            record[setting] = {
                **mean_metrics(rows),
                **mean_metrics(pictures),
                "photos": -(-len(rows) // flows),
                "flows_per_photo": flows,
                "restored": len(pictures),
                "seconds": round(time.perf_counter() - started, 1),
            }
            write_record(arguments.out, record)
    print_tables(record)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of sharp photos")
    parser.add_argument("--limit", type=int, default=100, help="most photos")
    parser.add_argument("--seed", type=int, default=0, help="of the photos and their motions")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--model", default=DEFAULT, help="shipped by name, or a .safetensors file")
    parser.add_argument("--flows-per-photo", type=int, default=3, help="motions of each photo")
    parser.add_argument(
        "--restored-per-photo", type=int,
        help="motions of each photo to restore, which takes most of the time (default: all)",
    )  # fmt: skip
    parser.add_argument("--settings", nargs="+", default=["mild", "large"], choices=LIMITS)
    parser.add_argument(
        "--solver", default="pnp", choices=("epll", "hsd", "pnp", "tv"),
        help="pnp: plug-and-play with the shipped denoiser; epll: as in the paper; hsd, tv: "
        "steepest descent with the denoiser or with total variation",
    )  # fmt: skip
    parser.add_argument(
        "--labels", default="expected", choices=("expected", "most_likely"),
        help="motion of a network with motion labels; the paper takes the most likely label",
    )  # fmt: skip
    return parser.parse_args()


def make_estimate(network: Pretrained, labels: str) -> Callable[[jax.Array], jax.Array]:
    """Returns `estimate(blurry) -> flow` for one photo."""
    model: Any = network.model
    if labels == "most_likely" and isinstance(model, MotionFlowNet):
        scores: Any = lambda blurry: model.apply(network.variables, blurry[None])  # noqa: E731
        return jax.jit(lambda blurry: most_likely_flow(scores(blurry))[0])
    return jax.jit(
        lambda blurry: canonical(model.estimate_blur(network.variables, blurry).blur.flow)
    )


def make_restore(solver: str) -> Restore:
    """Returns `restore(blurry, flow) -> restored` for one photo."""
    if solver == "epll":
        mixture, penalties = load_mixture(), gong_penalties()
        return jax.jit(
            lambda blurry, flow: epll(
                LineBlur(flow), blurry, mixture, penalties=penalties, margin=MARGIN
            )[0]
        )
    if solver == "pnp":
        prior = load_denoiser()
        return jax.jit(
            lambda blurry, flow: plug_and_play(
                LineBlur(flow), blurry, prior, sigmas=zhang_sigmas(NOISE), noise=NOISE,
                margin=MARGIN,
            )[0]
        )  # fmt: skip
    denoise = load_denoiser() if solver == "hsd" else None
    return lambda blurry, flow: restore(LineBlur(flow), blurry, denoise=denoise, margin=MARGIN)[0]


def choose_photos(arguments: argparse.Namespace) -> PhotoSource:
    """Returns photos drawn by the seed."""
    paths = folder_photos(str(arguments.images))
    order = np.random.default_rng(arguments.seed).permutation(len(paths))[: arguments.limit]
    return PhotoSource([paths[index] for index in order], smallest=100, in_memory=False)


def examples(
    photos: PhotoSource, setting: str, arguments: argparse.Namespace
) -> Iterator[dict[str, jax.Array]]:
    """Yields `sharp`, `blurry` and `flow`, upright photos transposed."""
    limit = LIMITS[setting]
    simulate = jax.jit(
        make_simulate(limit=limit, noise=0.0, border=int(limit) // 2, setting=setting, rounded=True)
    )
    for index in range(len(photos)):
        sharp = landscape(jnp.asarray(as_floats(photos[index]["sharp"])))
        for number in range(arguments.flows_per_photo):
            key = jax.random.fold_in(
                jax.random.fold_in(jax.random.key(arguments.seed), index), number
            )
            example = simulate(key, {"sharp": sharp})
            yield {**example, "blurry": quantize(example["blurry"])}


def score_flow(flow: jax.Array, truth: jax.Array) -> dict[str, float]:
    """Returns the errors of an estimated motion and of three baselines.

    The baselines are no motion, the mean of the true motion, and the true motion with random signs
    where u is rounded to 0: there the sign of v cannot be seen in the blur.
    """
    mean = jnp.broadcast_to(jnp.mean(truth, axis=(0, 1)), truth.shape)
    row = {
        "flow_mse": flow_mse(flow, truth),
        "flow_mse_sign_invariant": flow_mse_sign_invariant(flow, truth),
        "flow_mse_zero": flow_mse(jnp.zeros_like(truth), truth),
        "flow_mse_mean": flow_mse(mean, truth),
        "flow_mse_guessed_signs": jnp.mean(truth[..., 1] ** 2 * (truth[..., 0] == 0)),
    }
    return {name: float(value) for name, value in row.items()}


def score_pictures(
    example: dict[str, jax.Array], flow: jax.Array, restore: Restore
) -> dict[str, float]:
    """Returns PSNR and SSIM: blurred, and restored with the estimated and the true motion."""
    sharp, blurry = example["sharp"], example["blurry"]
    pictures = {
        "blurred": blurry,
        "restored": quantize(restore(blurry, flow)),
        "true_flow": quantize(restore(blurry, example["flow"])),
    }
    measures = {"psnr": psnr, "ssim": ssim}
    return {
        f"{measure}_{name}": float(function(picture, sharp))
        for measure, function in measures.items()
        for name, picture in pictures.items()
    }


def seconds_of_flow(estimate: Callable[[jax.Array], jax.Array]) -> float:
    """Returns the seconds of one estimate for 640 x 480 pixels, after compilation."""
    blurry = jnp.full((480, 640, 3), 0.5)
    estimate(blurry).block_until_ready()
    started = time.perf_counter()
    estimate(blurry).block_until_ready()
    return round(time.perf_counter() - started, 3)


def print_tables(record: dict) -> None:
    """Prints the paper's rows and ours, column by column."""
    print(f"\nProtocol: {PROTOCOL}.")
    for setting in (name for name in LIMITS if name in record):
        ours = record[setting]
        print(f"\n{setting}, {ours['photos']} photos x {ours['flows_per_photo']} motions")
        rows = {**PUBLISHED[setting], "ours": ours}
        for column in COLUMNS:
            values = (f"{name} {row[column]:.4g}" for name, row in rows.items() if column in row)
            print(f"  {column:24s} {' | '.join(values)}")
    seconds = ", ".join(f"{name} {value}" for name, value in PUBLISHED_SECONDS.items())
    print(f"\nflow of 640 x 480, seconds: {seconds} (GTX 980) | ours "
          f"{record['seconds_flow_640x480']} ({record['machine']})")  # fmt: skip


if __name__ == "__main__":
    run_command(main)
