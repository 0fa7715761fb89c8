r"""What the learned solver steps of `learned-plug-and-play` gain, and what they cost.

    python -m experiments.direct_restoration.run --images BSDS500/images/val --limit 6 --seed 0 \
        --out experiments/direct_restoration/results.json
    python -m experiments.direct_restoration.run --pairs GOPRO --out OUT
    python -m experiments.direct_restoration.run --frames FRAMES --limit 2 --out OUT
    python -m experiments.direct_restoration.run --scenes BSDS500/images/val --limit 16 --out OUT

With `--images`, photos are blurred by a simulated camera in three settings: `mild` and `large` as
in Gong et al. 2017, with motions of at most 17 and 36 pixels, rounded to 8 bits and without other
noise; and `files` as in the training: both motions, with noise, half of the photos through a JPEG
file. The middle of each is restored with the network's motion after `refine_motion`, and with the
true one: by the learned steps (`learned`); by their schedule before training (`fixed`); by
plug-and-play with its long schedule (`long`); and by steepest descent with total variation, the
default of `deblur` (`default`). Real pairs, averaged frames of a fast camera, and scenes that
`configs/noroozi.py:small` simulates are restored by the learned steps, and by `deblur` with its
default network and those of `--also`.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax import deblur, psnr, ssim
from deblur_jax.data.photos import PhotoSource, folder_photos
from deblur_jax.metrics import mean_metrics
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import quantize
from deblur_jax.pretrained import DEFAULT, Pretrained, load, load_denoiser
from deblur_jax.restoration import restore
from deblur_jax.simulate.camera_flow import LARGE, MILD
from deblur_jax.solvers.diagnosis import DOUBTFUL
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.schedules import zhang_sigmas
from deblur_jax.training.tasks.estimate_motion import make_simulate
from deblur_jax.training.tasks.restore_unrolled import untrained
from deblur_jax.typing import Array
from experiments.shared import (
    as_floats,
    find_source,
    landscape,
    middle,
    moved_photos,
    origin,
    run_command,
    spread,
    write_record,
)


Row = dict[str, Any]  # figures by name

HEIGHT, WIDTH = 240, 320  # pixels of the middle of a photo
MARGIN, NOISE = 18, 1 / 255  # of the long schedule, as in experiments/motion_flow
TRUSTED = DOUBTFUL  # share of the photo that a restoration must explain for `deblur` to write it
SETTINGS = ("mild", "large", "files")
PROTOCOL = (
    "the middle 240x320 pixels of each photo, upright ones transposed; PSNR over RGB and SSIM "
    "(Gaussian 11x11, mean of the channels) of 8-bit results. Seconds: the median after "
    "compilation, of the motion and of the restoration separately"
)

Restore = Callable[[Array, Array], Array]


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    arguments = parse()
    network = load(arguments.model)
    record: dict[str, Any] = {
        "command": "python -m experiments.direct_restoration.run",
        "protocol": PROTOCOL if arguments.images else "whole pictures, not aligned; 8-bit results",
        "seed": arguments.seed,
        "model": Path(arguments.model).stem,
        "trained_steps": network.card.get("step"),
        **origin(),
    }
    if arguments.images:
        estimate, solvers = make_solvers(network)
        for setting in arguments.settings:
            rows = []
            for example in examples(arguments, setting, network):
                rows.append(score_all(example, estimate, solvers))
                report(setting, len(rows), rows[-1])
                record[setting] = summary(rows)
                write_record(arguments.out, record)
        return
    networks, rows = {"learned-plug-and-play": network, DEFAULT: load(DEFAULT)}, []
    networks |= {name: load(name) for name in arguments.also}
    kind = "scenes" if arguments.scenes else "real"
    for example in pictures(arguments):
        rows.append(score_real(example, networks))
        report(kind, len(rows), rows[-1])
        record[kind] = summary(rows)
        write_record(arguments.out, record)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--images", type=Path, help="a folder of sharp photos")
    place.add_argument("--pairs", type=Path, help="a folder with blur/ and sharp/, or *_gt files")
    place.add_argument("--frames", type=Path, help="a folder of 240 Hz frames, a folder a video")
    place.add_argument("--scenes", type=Path, help="a folder of sharp photos to make scenes of")
    parser.add_argument("--limit", type=int, default=8, help="most photos of each setting")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation")
    parser.add_argument("--settings", nargs="+", default=SETTINGS, choices=SETTINGS)
    parser.add_argument(
        "--model", default="learned-plug-and-play", help="shipped weights by name, or a file"
    )
    parser.add_argument("--also", nargs="*", default=[], help="more networks for real pictures")
    parser.add_argument(
        "--counts", type=int, nargs="+", default=list(range(7, 24, 2)), help="frames to average"
    )
    parser.add_argument("--shrink", type=int, default=3, help="factor to reduce frames by")
    parser.add_argument(
        "--fastest", type=float, default=float("inf"), help="longest motion between frames, pixels"
    )
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args()


def examples(
    arguments: argparse.Namespace, setting: str, network: Pretrained
) -> Iterator[dict[str, jax.Array]]:
    """Yields `sharp`, `blurry` and `flow`, all of one size."""
    motions = {"mild": MILD, "large": LARGE}
    fields = network.card["config"]["simulate"]
    if setting in motions:
        limit = motions[setting].limit
        fields = {"limit": limit, "noise": 0.0, "border": int(limit) // 2, "setting": setting}
    simulate = jax.jit(make_simulate(**fields))
    photos = PhotoSource(folder_photos(str(arguments.images)), smallest=100, in_memory=False)
    for index in range(min(len(photos), arguments.limit)):
        sharp = landscape(jnp.asarray(as_floats(photos[index]["sharp"])))
        example = simulate(
            jax.random.fold_in(jax.random.key(arguments.seed), index), {"sharp": sharp}
        )
        cut = {name: middle(image, HEIGHT, WIDTH) for name, image in example.items()}
        yield {**cut, "blurry": quantize(cut["blurry"])}


def pictures(arguments: argparse.Namespace) -> Iterator[dict[str, np.ndarray]]:
    """Yields `sharp` and `blurry`, 8-bit values."""
    if arguments.scenes:
        scenes = moved_photos(arguments.scenes, "noroozi.py:small", arguments.seed, arguments.limit)
        for scene in scenes:
            yield {
                name: np.rint(255 * np.clip(scene[name], 0, 1)).astype(np.uint8)
                for name in ("sharp", "blurry")
            }
        return
    source = find_source(arguments, flow=False, missing="give a folder of pairs or of frames")
    for index in range(min(len(source), arguments.limit)):
        yield source[index]


def make_solvers(network: Pretrained) -> tuple[Callable[[Array], Array], dict[str, Restore]]:
    """Returns a function that estimates the motion, and the solvers that restore with a motion."""
    model: Any = network.model
    chosen = network.card["config"]["loss"]
    fixed = untrained(model, denoiser=chosen["prior"])
    denoise, sigmas = load_denoiser(), zhang_sigmas(NOISE)

    @jax.jit
    def by_steps(variables: Any, blurry: Array, flow: Array) -> Array:
        return model.apply(variables, blurry[None], flow[None], method="restore")[0]

    @jax.jit
    def by_long_schedule(blurry: Array, flow: Array) -> Array:
        options = {"sigmas": sigmas, "noise": NOISE, "margin": MARGIN}
        return plug_and_play(LineBlur(flow), blurry, denoise, **options)[0]

    return jax.jit(lambda blurry: model.estimate_blur(network.variables, blurry).blur.flow), {
        "learned": lambda blurry, flow: by_steps(network.variables, blurry, flow),
        "fixed": lambda blurry, flow: by_steps(fixed, blurry, flow),
        "long": by_long_schedule,
        "default": lambda blurry, flow: restore(LineBlur(flow), blurry)[0],
    }


def score_all(
    example: dict[str, jax.Array], estimate: Callable[[Array], Array], solvers: dict[str, Restore]
) -> Row:
    """Returns the figures of one photo: each solver with the estimated and with the true motion."""
    blurry, sharp = example["blurry"], example["sharp"]
    flow, seconds = timed(estimate, blurry)
    row = {**score("blurred", blurry, sharp), "seconds/motion": seconds}
    for name, solve in solvers.items():
        image, row[f"seconds/{name}"] = timed(solve, blurry, flow)
        row |= score(name, image, sharp)
        row |= score(f"{name}_true_motion", solve(blurry, example["flow"]), sharp)
    return row


def score_real(example: dict[str, np.ndarray], networks: dict[str, Pretrained]) -> Row:
    """Returns the figures of a real picture, restored by each network."""
    blurry, sharp = (as_floats(example[name]) for name in ("blurry", "sharp"))
    row = score("blurred", jnp.asarray(blurry), jnp.asarray(sharp))
    for name, network in networks.items():
        started = time.perf_counter()
        result = deblur(blurry, network)
        row[f"seconds_with_compilation/{name}"] = time.perf_counter() - started
        row[f"explained/{name}"] = result.explained
        row |= score(name, jnp.asarray(result.image), jnp.asarray(sharp))
    return row


def score(name: str, image: Array, sharp: Array) -> Row:
    """Returns PSNR and SSIM of an image rounded to 8 bits."""
    shown = quantize(jnp.clip(image, 0, 1))
    return {f"psnr/{name}": float(psnr(shown, sharp)), f"ssim/{name}": float(ssim(shown, sharp))}


COMPILED: set[Any] = set()


def timed(function: Callable[..., Array], *arrays: Array) -> tuple[Array, float]:
    """Returns a function's result and its seconds after compilation."""
    if function not in COMPILED:
        COMPILED.add(function)
        jax.block_until_ready(function(*arrays))
    started = time.perf_counter()
    return jax.block_until_ready(function(*arrays)), time.perf_counter() - started


def summary(rows: list[Row]) -> dict[str, Any]:
    """Returns means and spreads, median seconds, and comparisons photo by photo.

    `gain/X` is the PSNR of X above the blurred photo, `learned_over/X` that of the learned steps
    above X. `psnr_where_trusted/X` is the mean PSNR if photos that X
    explains too little of stay blurred.
    """
    means = {name: round(value, 4) for name, value in mean_metrics(rows).items()}
    for name in (name for name in rows[0] if name.startswith("seconds")):
        means[name] = round(statistics.median(row[name] for row in rows), 2)
    found: dict[str, Any] = {"photos": len(rows), **means}
    if "psnr/learned" in rows[0]:
        for other in (name for name in ("fixed", "long", "default") if f"psnr/{name}" in rows[0]):
            gains = [row["psnr/learned"] - row[f"psnr/{other}"] for row in rows]
            found[f"better_than/{other}"] = sum(gain > 0 for gain in gains)
    for name in (name for name in rows[0] if name.startswith("explained/")):
        psnr_name = name.replace("explained", "psnr")
        kept = [row[psnr_name if row[name] >= TRUSTED else "psnr/blurred"] for row in rows]
        found[name.replace("explained", "psnr_where_trusted")] = round(statistics.mean(kept), 4)
    return {**found, "spread": spread(map(with_gains, rows), digits=3)}


def with_gains(row: Row) -> Row:
    """Returns a photo's figures without seconds, and the differences of PSNR."""
    psnrs = {name.removeprefix("psnr/"): x for name, x in row.items() if name.startswith("psnr/")}
    blurred = psnrs.pop("blurred", None)
    gains = {f"gain/{k}": x - blurred for k, x in psnrs.items()} if blurred is not None else {}
    others = {f"learned_over/{k}": psnrs["learned"] - x for k, x in psnrs.items()
              if k in ("fixed", "long", "default")} if "learned" in psnrs else {}  # fmt: skip
    return {name: x for name, x in row.items() if "seconds" not in name} | gains | others


def report(place: str, number: int, row: Row) -> None:
    """Prints the decibels of one photo."""
    shown = {k.removeprefix("psnr/"): round(v, 2) for k, v in row.items() if "psnr" in k}
    print(place, number, shown, flush=True)


if __name__ == "__main__":
    run_command(main)
