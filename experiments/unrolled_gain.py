r"""What learned steps gain over the fixed schedule of plug-and-play steepest descent.

    python experiments/unrolled_gain.py --images BSDS500/train --held-out BSDS500/val --limit 20 \
        --seed 0 --out experiments/results/unrolled_gain.json

Trains the steps of `solvers.unrolled` (8 denoisings by total variation) by Adam on crops of 96
pixels, each blurred by a random camera motion of up to `--longest` pixels with noise of 0.005, and
compares it with the fixed schedule of as many steps on the middle of held-out photos.
"""

import argparse
import platform
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from deblur_jax import psnr
from deblur_jax.io.files import write_json
from deblur_jax.io.images import read_photo
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import LineBlur
from deblur_jax.simulate.camera_flow import MILD, camera_flow
from deblur_jax.solvers.total_variation import denoise_total_variation
from deblur_jax.solvers.unrolled import Parameters, initial_parameters, schedule, unrolled


DENOISINGS, NOISE, BORDER = 8, 0.005, 8


def main() -> None:
    """Trains, compares, writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--longest", type=float, default=17.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--machine", default=platform.machine())
    arguments = parser.parse_args()
    started = time.time()
    fixed = initial_parameters(denoisings=DENOISINGS)
    learned = train(fixed, arguments)
    restore = jax.jit(restored)
    rows = []
    for index, path in enumerate(sorted(arguments.held_out.glob("*.jpg"))[: arguments.limit]):
        key = jax.random.fold_in(jax.random.key(arguments.seed + 1), index)
        sharp, blurry, flow = example(key, middle(path, 240, 320), arguments.longest)
        images = {"blurry": blurry, "fixed": restore(fixed, flow, blurry)}
        images["learned"] = restore(learned, flow, blurry)
        rows.append({name: float(psnr(image, sharp)) for name, image in images.items()})
    record = {
        "command": "python experiments/unrolled_gain.py",
        "seed": arguments.seed,
        "steps": arguments.steps,
        "photos": len(rows),
        "machine": arguments.machine,
        "minutes": round((time.time() - started) / 60, 1),
        "psnr": {name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
        "schedule": {k: np.asarray(v).round(4).tolist() for k, v in schedule(learned).items()},
        "rows": rows,
    }
    write_json(arguments.out, record)
    print(record["psnr"])


def train(params: Parameters, arguments: argparse.Namespace) -> Parameters:
    """Returns the parameters after training on crops."""
    optimizer = optax.adam(0.05)
    rng = np.random.default_rng(arguments.seed)
    paths = sorted(arguments.images.glob("*.jpg"))

    def loss(params, key, crops):
        def one(key, crop):
            sharp, blurry, flow = example(key, crop, arguments.longest)
            return jnp.mean(jnp.square(restored(params, flow, blurry) - sharp))

        errors = jax.vmap(one)(jax.random.split(key, len(crops)), crops)
        return jnp.mean(jnp.log(errors))  # decibels: every photo counts alike

    @jax.jit
    def update(params, state, key, crops):
        value, slopes = jax.value_and_grad(loss)(params, key, crops)
        changes, state = optimizer.update(slopes, state)
        return optax.apply_updates(params, changes), state, value

    state = optimizer.init(params)
    photos = [read_photo(path).pixels for path in paths[:40]]
    for number in range(arguments.steps):
        crops = []
        for photo in (photos[i] for i in rng.integers(len(photos), size=4)):
            top, left = (int(rng.integers(length - 96)) for length in photo.shape[:2])
            crops.append(photo[top : top + 96, left : left + 96])
        key = jax.random.fold_in(jax.random.key(arguments.seed), number)
        params, state, value = update(params, state, key, jnp.asarray(np.stack(crops), jnp.float32))
        if number % 10 == 0:
            print(number, float(value), flush=True)
    return params


def restored(params: Parameters, flow: jax.Array, blurry: jax.Array) -> jax.Array:
    """Returns the photo restored with the given steps."""

    def denoise(image, sigma):
        return denoise_total_variation(image, 0.25 * sigma, num_steps=5)

    return unrolled(LineBlur(flow), blurry, denoise, params=params, margin=10)[0]


def example(
    key: jax.Array, sharp: jax.Array, longest: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns a sharp photo, its blurry version and the motion, without the border."""
    keys = jax.random.split(key)
    flow = camera_flow(keys[0], sharp.shape[0], sharp.shape[1], MILD.scaled(longest))
    blurry = line_blur(sharp, flow)
    blurry = jnp.clip(blurry + NOISE * jax.random.normal(keys[1], blurry.shape), 0, 1)
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    return sharp[inside], blurry[inside], flow[inside]


def middle(path: Path, height: int, width: int) -> jax.Array:
    """Returns the middle of a photo, upright photos turned."""
    photo = read_photo(path).pixels
    photo = photo if photo.shape[1] > photo.shape[0] else np.swapaxes(photo, 0, 1)
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return jnp.asarray(photo[top : top + height, left : left + width], jnp.float32)


if __name__ == "__main__":
    main()
