r"""Table 4 of Carbajal et al. 2021: where a photo is blurred, read off its kernels.

    python experiments/blur_detection.py --images CUHK --model WEIGHTS.safetensors \
        --out experiments/results/blur_detection.json

A pixel is as blurry as its share in kernels whose L2 norm is at most 0.25. Of CUHK's photos those
with motion blur and an even number are evaluated, as Alvarez-Gila et al. do; if the folder is not
complete, the answer says what belongs there, and where to get it. Without CUHK,

    python experiments/blur_detection.py --simulate --images PHOTOS --limit 20 --out OUT.json \
        --threshold 0.25 0.5 --side 17 --model WEIGHTS.safetensors

blurs one object, or all but one object, of each sharp photo of a folder.

The paper's threshold judges the kernels of the basis one by one. A small net of few kernels,
trained for minutes, makes a motion of several of them, of which none is as spread as the motion is;
then nothing is blurry, and the score is that of guessing. So the norm of each pixel's own kernel,
mixed of the basis, is scored as well (`own_kernel`), which needs no threshold.
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
from frames import load_kernel_net
from recorded import origin

from deblur_jax.data.photos import folder_photos
from deblur_jax.io.files import write_json
from deblur_jax.io.images import read_grey, read_photo, read_rgb
from deblur_jax.metrics import average_precision, mean_metrics
from deblur_jax.models.kernel_basis import SHARPEST, blur_map, norm_map
from deblur_jax.simulate.segments import segment_blur
from deblur_jax.simulate.shake_kernels import Tremor, Wander, shake_kernel
from deblur_jax.simulate.shapes import draw_shapes


PUBLISHED = {  # mean average precision on CUHK's motion blur
    "CUHK (Shi et al.)": 0.6944, "HiFST": 0.7484, "Ma et al., as quoted": 0.784,
    "self-supervised, as quoted": 0.838, "Carbajal": 0.8199,
}  # fmt: skip
LEAST_SHARE = 0.02  # of a simulated photo that is sharp, and that is blurred
DRAWS = 4  # kernels, of which the most spread one blurs

Sample = tuple[str, jax.Array, jax.Array]  # name, blurry photo, where it is blurred


def main() -> None:
    """Measures, prints and writes."""
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
        "command": "python experiments/blur_detection.py",
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
    write_json(arguments.out, record)
    print(json.dumps(record, indent=1))


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="CUHK, or sharp photos")
    parser.add_argument("--simulate", action="store_true", help="blur parts of sharp photos")
    parser.add_argument("--limit", type=int, default=0, help="photos at most, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation")
    parser.add_argument("--side", type=int, default=33, help="of the simulated kernels, pixels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", required=True, help="a .safetensors file of a kernel_basis net")
    parser.add_argument(
        "--threshold", type=float, nargs="+", default=[SHARPEST], help="L2 norms, each by itself"
    )
    parser.add_argument(
        "--blurred", choices=("white", "black"), default="white", help="in the masks of CUHK"
    )
    return parser.parse_args()


def protocol(arguments: argparse.Namespace) -> str:
    """Returns how the figures come about."""
    blur = (
        "blur: share in kernels of an L2 norm that is at most what stands behind the /, or "
        "(own_kernel) how small the norm of the pixel's own kernel is"
    )
    if arguments.simulate:
        return (
            f"{blur}; an object or all else blurred by one kernel of {arguments.side} pixels, the "
            f"most spread of {DRAWS}; average precision of pixels, mean of the photos; not the "
            "benchmark"
        )
    return (
        f"{blur}; CUHK, motion blur, even numbers; {arguments.blurred} is blurred; average "
        "precision of pixels, mean of the photos"
    )


def cuhk(arguments: argparse.Namespace) -> Iterator[Sample]:
    """Yields the photos of CUHK's motion blur that have even numbers."""
    # Here, since it needs tfds, which simulated photos do not.
    from deblur_jax.data.builders.registry import BUILDERS

    with tempfile.TemporaryDirectory() as records:
        found = BUILDERS["cuhk"](arguments.images, records).splits_found["motion"]
    even = [example for example in found if int(re.sub(r"\D", "", example.name)) % 2 == 0]
    for example in even[: arguments.limit or None]:
        blurry = jnp.asarray(read_rgb(example.files["blurry"]), jnp.float32) / 255
        white = read_grey(example.files["mask"]) > 127
        yield example.name, blurry, jnp.asarray(white == (arguments.blurred == "white"))


def simulated(arguments: argparse.Namespace) -> Iterator[Sample]:
    """Yields sharp photos of which a part is blurred."""
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
        sharp = jnp.asarray(read_photo(path).pixels, jnp.float32)
        sharp = jnp.swapaxes(sharp, 0, 1) if sharp.shape[0] > sharp.shape[1] else sharp
        for attempt in range(100):
            key = jax.random.fold_in(jax.random.key(arguments.seed), 100 * index + attempt)
            blurry, truth = blur(key, sharp)
            if LEAST_SHARE < np.mean(truth) < 1 - LEAST_SHARE:
                yield path.stem, blurry, truth
                break


if __name__ == "__main__":
    main()
