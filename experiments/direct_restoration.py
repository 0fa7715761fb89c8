r"""What a net that restores directly gains, and at what cost: the weights `deblur`.

    python experiments/direct_restoration.py --images BSDS500/images/val --limit 8 --seed 0 \
        --out experiments/results/direct_restoration.json
    python experiments/direct_restoration.py --pairs GOPRO --out OUT
    python experiments/direct_restoration.py --frames FRAMES --limit 2 --out OUT
    python experiments/direct_restoration.py --scenes BSDS500/images/val --limit 16 --out OUT

Photos are blurred by a simulated camera in three settings: `mild` and `large` as Gong et al. 2017,
of at most 17 and 36 pixels, rounded to 8 bits and without other noise, and `files` as in the
training: both, with noise, half of them through a JPEG file. The middle of each is restored with
the motion that the net sees and `refine_motion` makes exact, and with the true one: by the net; by
its fixed schedule, as it was before training; by plug-and-play with its long schedule; and by what
`deblur` does by default, steepest descent with total variation. Real pairs, frames of a fast camera
that are averaged, and scenes, photos that move in front of each other as `configs/noroozi.py:small`
simulates them, are restored by the net and by `deblur` with its default network.
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
from frames import find_source, moved_photos
from recorded import origin

from deblur_jax import deblur, psnr, ssim
from deblur_jax.data.photos import PhotoSource, folder_photos
from deblur_jax.io.files import write_json
from deblur_jax.metrics import mean_metrics
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import quantize
from deblur_jax.pretrained import DEFAULT, Pretrained, load, load_denoiser
from deblur_jax.restore import estimate_flow, restore_blur
from deblur_jax.simulate.camera_flow import LARGE, MILD
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.schedules import zhang_sigmas
from deblur_jax.training.tasks.estimate_motion import make_simulate
from deblur_jax.training.tasks.restore_unrolled import untrained
from deblur_jax.typing import Array


Row = dict[str, Any]  # figures by name

HEIGHT, WIDTH = 240, 320  # pixels that are restored
MARGIN, NOISE = 18, 1 / 255  # of the long schedule, as in motion_flow_tables.py
SETTINGS = ("mild", "large", "files")
PROTOCOL = (
    "the middle 240x320 pixels of each photo, upright ones turned; PSNR over RGB and SSIM "
    "(Gaussian 11x11, mean of the channels) of 8-bit results. Seconds: the median, without "
    "compiling; those of the motion apart from those of the restoration"
)

Restore = Callable[[Array, Array], Array]


def main() -> None:
    """Restores, scores, prints and writes."""
    arguments = parse()
    network = load(arguments.model)
    record: dict[str, Any] = {
        "command": "python experiments/direct_restoration.py",
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
                tell(setting, len(rows), rows[-1])
                record[setting] = summary(rows)
                write_json(arguments.out, record)
        return
    networks, rows = {"learned-plug-and-play": network, DEFAULT: load(DEFAULT)}, []
    networks |= {name: load(name) for name in arguments.also}
    kind = "scenes" if arguments.scenes else "real"
    for example in pictures(arguments):
        rows.append(score_real(example, networks))
        tell(kind, len(rows), rows[-1])
        record[kind] = summary(rows)
        write_json(arguments.out, record)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--images", type=Path, help="folder of sharp photos")
    place.add_argument("--pairs", type=Path, help="holds blur/ and sharp/, or NAME and NAME_gt")
    place.add_argument("--frames", type=Path, help="holds frames of a fast camera")
    place.add_argument("--scenes", type=Path, help="folder of sharp photos, which are moved")
    parser.add_argument("--limit", type=int, default=8, help="photos of each setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", nargs="+", default=SETTINGS, choices=SETTINGS)
    parser.add_argument(
        "--model", default="learned-plug-and-play", help="shipped by name, or a file"
    )
    parser.add_argument("--also", nargs="*", default=[], help="other networks, for real pictures")
    parser.add_argument("--counts", type=int, nargs="+", default=list(range(7, 24, 2)))
    parser.add_argument("--shrink", type=int, default=3, help="of frames, before")
    parser.add_argument("--fastest", type=float, default=float("inf"))
    parser.add_argument("--out", type=Path, required=True)
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
        sharp = jnp.asarray(photos[index]["sharp"], jnp.float32) / 255
        sharp = jnp.swapaxes(sharp, 0, 1) if sharp.shape[0] > sharp.shape[1] else sharp
        example = simulate(
            jax.random.fold_in(jax.random.key(arguments.seed), index), {"sharp": sharp}
        )
        cut = {name: middle(image) for name, image in example.items()}
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


def middle(image: jax.Array) -> jax.Array:
    """Returns the middle of an image."""
    top, left = (image.shape[0] - HEIGHT) // 2, (image.shape[1] - WIDTH) // 2
    return image[top : top + HEIGHT, left : left + WIDTH]


def make_solvers(network: Pretrained) -> tuple[Callable[[Array], Array], dict[str, Restore]]:
    """Returns what sees the motion in a photo, and what restores it with a motion."""
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

    return jax.jit(lambda blurry: estimate_flow(network, blurry)), {
        "learned": lambda blurry, flow: by_steps(network.variables, blurry, flow),
        "fixed": lambda blurry, flow: by_steps(fixed, blurry, flow),
        "long": by_long_schedule,
        "default": lambda blurry, flow: restore_blur(LineBlur(flow), blurry)[0],
    }


def score_all(
    example: dict[str, jax.Array], estimate: Callable[[Array], Array], solvers: dict[str, Restore]
) -> Row:
    """Returns the figures of one photo: of each solver with the motion that is seen, and true."""
    blurry, sharp = example["blurry"], example["sharp"]
    flow, seconds = timed(estimate, blurry)
    row = {**score("blurred", blurry, sharp), "seconds/motion": seconds}
    for name, solve in solvers.items():
        image, row[f"seconds/{name}"] = timed(solve, blurry, flow)
        row |= score(name, image, sharp)
        row |= score(f"{name}_true_motion", solve(blurry, example["flow"]), sharp)
    return row


def score_real(example: dict[str, np.ndarray], networks: dict[str, Pretrained]) -> Row:
    """Returns the figures of a real photo, restored by `deblur`."""
    blurry, sharp = (np.asarray(example[name], np.float32) / 255 for name in ("blurry", "sharp"))
    row = score("blurred", jnp.asarray(blurry), jnp.asarray(sharp))
    for name, network in networks.items():
        started = time.perf_counter()
        result = deblur(blurry, network)
        row[f"seconds_compiling_too/{name}"] = time.perf_counter() - started
        row[f"explained/{name}"] = result.explained
        row |= score(name, jnp.asarray(result.image), jnp.asarray(sharp))
    return row


def score(name: str, image: Array, sharp: Array) -> Row:
    """Returns PSNR and SSIM of an image rounded to 8 bits."""
    shown = quantize(jnp.clip(image, 0, 1))
    return {f"psnr/{name}": float(psnr(shown, sharp)), f"ssim/{name}": float(ssim(shown, sharp))}


COMPILED: set[Any] = set()


def timed(function: Callable[..., Array], *arrays: Array) -> tuple[Array, float]:
    """Returns what a function gives, and its seconds, compiled before."""
    if function not in COMPILED:
        COMPILED.add(function)
        jax.block_until_ready(function(*arrays))
    started = time.perf_counter()
    return jax.block_until_ready(function(*arrays)), time.perf_counter() - started


def summary(rows: list[Row]) -> dict[str, Any]:
    """Returns the means, the median seconds, and on how many photos the net beats the others."""
    means = {name: round(value, 4) for name, value in mean_metrics(rows).items()}
    for name in (name for name in rows[0] if name.startswith("seconds")):
        means[name] = round(statistics.median(row[name] for row in rows), 2)
    found: dict[str, Any] = {"photos": len(rows), **means}
    if "psnr/learned" in rows[0]:
        for other in (name for name in ("fixed", "long", "default") if f"psnr/{name}" in rows[0]):
            gains = [row["psnr/learned"] - row[f"psnr/{other}"] for row in rows]
            found[f"better_than/{other}"] = sum(gain > 0 for gain in gains)
    return {**found, "rows": [{k: round(v, 3) for k, v in row.items()} for row in rows]}


def tell(place: str, number: int, row: Row) -> None:
    """Prints the decibels of one photo."""
    shown = {k.removeprefix("psnr/"): round(v, 2) for k, v in row.items() if "psnr" in k}
    print(place, number, shown, flush=True)


if __name__ == "__main__":
    main()
