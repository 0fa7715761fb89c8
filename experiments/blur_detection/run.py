r"""Table 4 of Carbajal et al. 2021: blur detection from a photo's estimated kernels.

    python -m experiments.blur_detection.run --images CUHK --model WEIGHTS.safetensors \
        --out OUT.json

The blurriness of a pixel is the share of kernels in its mixture whose L2 norm is at most 0.25. Of
CUHK's photos with motion blur those with an even number are evaluated, as Alvarez-Gila et al. do;
if files are missing, the error lists them and the page to download them from. Without CUHK,

    python -m experiments.blur_detection.run --simulate --images PHOTOS --limit 20 \
        --threshold 0.25 0.5 --side 17 --model WEIGHTS.safetensors \
        --out experiments/blur_detection/results.json

blurs one object, or everything but one object, in each sharp photo of a folder.

The paper's threshold is applied to the kernels of the basis one by one. A small network composes a
motion from several compact kernels, none of which falls below the threshold; then no pixel is
blurry and the score is that of chance. `own_kernel` therefore also scores the norm of each pixel's
mixed kernel, which needs no threshold.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.data.photos import folder_photos
from deblur_jax.io.images import read_grey, read_rgb
from deblur_jax.metrics import average_precision, mean_metrics
from deblur_jax.models.kernel_basis import SHARPEST, blur_map, norm_map
from deblur_jax.simulate.segments import segment_blur
from deblur_jax.simulate.shake_kernels import Tremor, Wander, shake_kernel
from deblur_jax.simulate.shapes import draw_shapes
from experiments.shared import (
    as_floats,
    load_kernel_net,
    origin,
    read_landscape,
    run_command,
    write_record,
)


PUBLISHED = {  # mean average precision on CUHK's motion blur
    "CUHK (Shi et al.)": 0.6944, "HiFST": 0.7484, "Ma et al., as quoted": 0.784,
    "self-supervised, as quoted": 0.838, "Carbajal": 0.8199,
}  # fmt: skip
LEAST_SHARE = 0.02  # least area of a simulated photo that is sharp, and that is blurred
DRAWS = 4  # kernels; the one with the least norm blurs

Sample = tuple[str, jax.Array, jax.Array]  # name, blurry photo, mask of the blurred pixels


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    arguments = parse()
    network = load_kernel_net(arguments.model)

    @jax.jit
    def score(blurry: jax.Array, truth: jax.Array) -> dict[str, jax.Array]:
        field: Any = network.model.apply(network.variables, blurry[None])
        row = {"chance": jnp.mean(truth.astype(blurry.dtype))}
        for threshold in arguments.threshold:
            blurs = blur_map(field.kernels[0], field.mixing[0], sharpest=threshold)
            row[f"average_precision/{threshold}"] = average_precision(blurs, truth)
        norms = norm_map(field.kernels[0], field.mixing[0])
        row["average_precision/own_kernel"] = average_precision(-norms, truth)
        row["norm/smallest_in_basis"] = jnp.sqrt(
            jnp.min(jnp.sum(jnp.square(field.kernels[0]), axis=(1, 2)))
        )
        for name, where in (("blurred", truth), ("sharp", ~truth)):
            row[f"norm/own_{name}"] = jnp.mean(norms, where=where)
        return row

    started, rows = time.perf_counter(), []
    for name, blurry, truth in simulated(arguments) if arguments.simulate else cuhk(arguments):
        rows.append({key: float(value) for key, value in score(blurry, truth).items()})
        print(
            len(rows), name, {key: round(value, 3) for key, value in rows[-1].items()}, flush=True
        )
    record = {
        "command": "python -m experiments.blur_detection.run",
        "protocol": protocol(arguments),
        "images": arguments.images.name,
        "seed": arguments.seed,
        "model": Path(arguments.model).name,
        "trained_steps": network.card.get("step"),
        **{name: round(value, 4) for name, value in mean_metrics(rows).items()},
        "photos": len(rows),
        "published_on_cuhk": PUBLISHED,
        "seconds": round(time.perf_counter() - started, 1),
        **origin(),
    }
    write_record(arguments.out, record)
    print(json.dumps(record, indent=1))


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="CUHK, or sharp photos")
    parser.add_argument("--simulate", action="store_true", help="blur parts of sharp photos")
    parser.add_argument("--limit", type=int, default=0, help="most photos, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation")
    parser.add_argument(
        "--side", type=int, default=33, help="size of the simulated kernels in pixels"
    )
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--model", required=True, help="weights of a kernel_basis network")
    parser.add_argument(
        "--threshold",
        type=float,
        nargs="+",
        default=[SHARPEST],
        help="largest L2 norm of a blurry kernel; each is scored",
    )
    parser.add_argument(
        "--blurred",
        choices=("white", "black"),
        default="white",
        help="colour of blurred pixels in the masks of CUHK",
    )
    return parser.parse_args()


def protocol(arguments: argparse.Namespace) -> str:
    """Returns a description of how the figures are computed."""
    blur = (
        "blurriness: share of kernels with an L2 norm of at most the number after the /, or "
        "(own_kernel) the negative norm of the pixel's own kernel"
    )
    if arguments.simulate:
        return (
            f"{blur}; an object or everything else blurred by one kernel of {arguments.side} "
            f"pixels, the one of {DRAWS} with the least norm; average precision of pixels, mean "
            "over photos; not the benchmark"
        )
    return (
        f"{blur}; CUHK, motion blur, even numbers; {arguments.blurred} is blurred; average "
        "precision of pixels, mean over photos"
    )


def cuhk(arguments: argparse.Namespace) -> Iterator[Sample]:
    """Yields CUHK's photos with motion blur and an even number."""
    # Imported here, because it needs tensorflow-datasets, which simulated photos do not.
    from deblur_jax.data.builders.registry import BUILDERS

    with tempfile.TemporaryDirectory() as records:
        found = BUILDERS["cuhk"](arguments.images, records).splits_found["motion"]
    even = [example for example in found if int(re.sub(r"\D", "", example.name)) % 2 == 0]
    for example in even[: arguments.limit or None]:
        blurry = jnp.asarray(as_floats(read_rgb(example.files["blurry"])))
        white = read_grey(example.files["mask"]) > 127
        yield example.name, blurry, jnp.asarray(white == (arguments.blurred == "white"))


def simulated(arguments: argparse.Namespace) -> Iterator[Sample]:
    """Yields sharp photos that are blurred in part."""
    side, ratio = arguments.side, arguments.side / 33
    hand, walk = Tremor().scaled(ratio), Wander().scaled(min(ratio, 1.0))

    def draw(key: jax.Array) -> jax.Array:
        return shake_kernel(key, side, tremor=hand, wander=walk, still_share=0.0)

    @jax.jit
    def blur(key: jax.Array, sharp: jax.Array) -> tuple[jax.Array, jax.Array]:
        shaping, drawing, choosing = jax.random.split(key, 3)
        segments = draw_shapes(shaping, sharp.shape[0], sharp.shape[1], objects=1)
        kernels = jax.vmap(draw)(jax.random.split(drawing, DRAWS))
        spread = kernels[jnp.argmin(jnp.sum(jnp.square(kernels), axis=(1, 2)))]
        still = jnp.zeros_like(spread).at[side // 2, side // 2].set(1)
        object_moves = jax.random.bernoulli(choosing)
        pair = jnp.stack([still, spread])
        blurred = segment_blur(sharp, segments, jnp.where(object_moves, pair, pair[::-1]))
        moving = jnp.where(object_moves, blurred.mixing[..., 1], blurred.mixing[..., 0])
        return jnp.clip(blurred.blurry, 0, 1), moving > 0.5

    paths = folder_photos(str(arguments.images))[: arguments.limit or None]
    for index, path in enumerate(paths):
        sharp = read_landscape(path)
        for attempt in range(100):
            key = jax.random.fold_in(jax.random.key(arguments.seed), 100 * index + attempt)
            blurry, truth = blur(key, sharp)
            if LEAST_SHARE < np.mean(truth) < 1 - LEAST_SHARE:
                yield path.stem, blurry, truth
                break


if __name__ == "__main__":
    run_command(main)
