r"""What learned solver steps gain over the fixed schedule of plug-and-play steepest descent.

    python -m experiments.learned_steps.run --images BSDS500/train --held-out BSDS500/val \
        --limit 8 --seeds 0 1 --steps 60 --out experiments/learned_steps/results.json

Trains the steps of `solvers.learned_steepest_descent` (8 denoising steps by total variation, 16
gradient steps) on crops of 96 pixels, once for each of `--seeds`. Each crop is blurred by a random
camera motion of up to `--longest` pixels, which the solver is given, with noise of 0.005. Training
starts at the fixed schedule and keeps the parameters that score best on 16 crops of training
photos. Both schedules then restore the middle of held-out photos.
`experiments.direct_restoration.run` measures the gain with an estimated motion.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from deblur_jax import psnr
from deblur_jax.io.images import read_photo
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import LineBlur
from deblur_jax.simulate.camera_flow import MILD, camera_flow
from deblur_jax.solvers.learned_steepest_descent import (
    Parameters,
    initial_parameters,
    learned_steepest_descent,
    schedule,
)
from deblur_jax.solvers.total_variation import denoise_total_variation
from experiments.shared import middle, origin, read_landscape, run_command, spread, write_record


DENOISING_STEPS, NOISE, BORDER, MARGIN = 8, 0.005, 8, 10
CROP, BATCH, SELECTION, EVERY = 96, 4, 16, 25


class Example(NamedTuple):
    """A photo, its blurry version and the motion."""

    sharp: jax.Array
    blurry: jax.Array
    flow: jax.Array


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    arguments = parse()
    fixed = initial_parameters(denoising_steps=DENOISING_STEPS)
    photos = [read_photo(path).pixels for path in sorted(arguments.images.glob("*.jpg"))]
    runs = []
    for seed in arguments.seeds:
        started = time.perf_counter()
        learned = train(fixed, photos, seed, arguments)
        rows = compare(fixed, learned, arguments)
        gains = [row["learned"] - row["fixed"] for row in rows]
        runs.append({
            "seed": seed,
            "psnr": {name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
            "gain": float(np.mean(gains)),
            "least_gain": float(np.min(gains)),
            "spread": spread(rows, digits=3),
            "minutes": round((time.perf_counter() - started) / 60, 1),
            "schedule": {k: np.asarray(v).round(4).tolist() for k, v in schedule(learned).items()},
        })  # fmt: skip
        print({k: runs[-1][k] for k in ("seed", "psnr", "gain", "least_gain")}, flush=True)
        gained = [run["gain"] for run in runs]
        write_record(arguments.out, {
            "command": "python -m experiments.learned_steps.run",
            "steps": arguments.steps,
            "photos": len(rows),
            "longest": arguments.longest,
            "gain": {"mean": float(np.mean(gained)), "deviation": float(np.std(gained))},
            **origin(),
            "runs": runs,
        })  # fmt: skip


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="a folder of training photos")
    parser.add_argument("--held-out", type=Path, required=True, help="a folder of held-out photos")
    parser.add_argument("--limit", type=int, default=20, help="most held-out photos")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one run each")
    parser.add_argument("--steps", type=int, default=200, help="of the training")
    parser.add_argument("--rate", type=float, default=0.03, help="initial learning rate")
    parser.add_argument("--longest", type=float, default=17.0, help="longest motion in pixels")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args()


def train(
    params: Parameters, photos: list[np.ndarray], seed: int, arguments: argparse.Namespace
) -> Parameters:
    """Trains the steps; returns the parameters with the least error on the selection crops."""
    rates = optax.cosine_decay_schedule(arguments.rate, arguments.steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rates))
    rng = np.random.default_rng(seed)

    def loss(params: Parameters, key: jax.Array, crops: jax.Array) -> jax.Array:
        def one(key: jax.Array, crop: jax.Array) -> jax.Array:
            example = make_example(key, crop, arguments.longest)
            return jnp.mean(jnp.square(restored(params, example) - example.sharp))

        errors = jax.vmap(one)(jax.random.split(key, len(crops)), crops)
        return jnp.mean(jnp.log(errors))  # so that a decibel weighs the same in all photos

    @jax.jit
    def update(params, state, key, crops):
        value, slopes = jax.value_and_grad(loss)(params, key, crops)
        changes, state = optimizer.update(slopes, state)
        return optax.apply_updates(params, changes), state, value

    measure = jax.jit(loss)
    keys = jax.random.split(jax.random.key(seed))
    selection = draw_crops(rng, photos, SELECTION)
    best, least = params, float(measure(params, keys[0], selection))
    print(f"0: {least:.3f}", flush=True)
    state = optimizer.init(params)
    for number in range(1, arguments.steps + 1):
        key = jax.random.fold_in(keys[1], number)
        params, state, _ = update(params, state, key, draw_crops(rng, photos, BATCH))
        if number % EVERY == 0:
            value = float(measure(params, keys[0], selection))
            best, least = (params, value) if value < least else (best, least)
            print(f"{number}: {value:.3f}", flush=True)
    return best


def compare(
    fixed: Parameters, learned: Parameters, arguments: argparse.Namespace
) -> list[dict[str, float]]:
    """Returns the PSNR of each held-out photo: blurry, fixed and learned."""
    restore, rows = jax.jit(restored), []
    for index, path in enumerate(sorted(arguments.held_out.glob("*.jpg"))[: arguments.limit]):
        key = jax.random.fold_in(jax.random.key(0), index)
        example = make_example(key, middle(read_landscape(path), 240, 320), arguments.longest)
        images = {"blurry": example.blurry}
        images |= {"fixed": restore(fixed, example), "learned": restore(learned, example)}
        rows.append({
            name: float(psnr(jnp.clip(image, 0, 1), example.sharp))
            for name, image in images.items()
        })  # fmt: skip
    return rows


def restored(params: Parameters, example: Example) -> jax.Array:
    """Restores a photo with the given steps."""

    def denoise(image, sigma):
        return denoise_total_variation(image, 0.25 * sigma, steps=5)

    blur = LineBlur(example.flow)
    return learned_steepest_descent(blur, example.blurry, denoise, params=params, margin=MARGIN)[0]


def make_example(key: jax.Array, sharp: jax.Array, longest: float) -> Example:
    """Blurs a photo, adds noise and crops the border."""
    keys = jax.random.split(key)
    flow = camera_flow(keys[0], sharp.shape[0], sharp.shape[1], MILD.scaled(longest))
    blurry = line_blur(sharp, flow)
    blurry = jnp.clip(blurry + NOISE * jax.random.normal(keys[1], blurry.shape), 0, 1)
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    return Example(sharp[inside], blurry[inside], flow[inside])


def draw_crops(rng: np.random.Generator, photos: list[np.ndarray], count: int) -> jax.Array:
    """Returns random crops of random photos, `[count, 96, 96, 3]`."""
    crops = []
    for photo in (photos[index] for index in rng.integers(len(photos), size=count)):
        top, left = (int(rng.integers(length - CROP)) for length in photo.shape[:2])
        crops.append(photo[top : top + CROP, left : left + CROP])
    return jnp.asarray(np.stack(crops), jnp.float32)


if __name__ == "__main__":
    run_command(main)
