r"""Tables 1 and 3 of Argaw et al. 2021: end-point errors of flow estimated from one blurred photo.

    python -m experiments.blur_to_flow.run --frames GOPRO_TEST --limit 100 \
        --out experiments/blur_to_flow/gopro.json --model full=full.safetensors plain=...
    python -m experiments.blur_to_flow.run --monkaa RECORDS --model ... --out ...
    python -m experiments.blur_to_flow.run --scenes PHOTOS --limit 32 --model ... --out ...

`--frames` averages seven frames of a 240 Hz camera, as the paper does for GoPro and NfS.
`--monkaa` takes the last tenth of the frames that `tools/prepare.py monkaa` prepared, as
`configs/argaw.py:paper` does. `--pairs` takes any photos with their flow, in `blur/`, `sharp/` and
`flow/`. `--scenes` moves photos in front of each other, as the small config does. Each `--model`
is a row of table 3. For table 2, deblurring with this flow, run `experiments.motion_flow.run` with
the same `--model`.
"""

import argparse
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.config_file import load_config
from deblur_jax.data.sources import make_source
from deblur_jax.metrics import end_point_error_either_way, mean_metrics
from deblur_jax.pretrained import Pretrained
from deblur_jax.simulate.training_sets import Example
from deblur_jax.training.tasks.estimate_flow import backward_flow
from experiments.shared import (
    CONFIGS,
    FAST_VIDEOS,
    add_arguments,
    as_floats,
    find_source,
    load_named,
    middle,
    moved_photos,
    origin,
    run_command,
    simulated,
    write_record,
)


CONFIG = "argaw.py:small"
PUBLISHED = {  # pixels
    "table 1": {"Monkaa": 1.158, "GoPro": 2.077, "GoPro, fine-tuned": 2.038, "NfS": 1.958},
    "table 3, GoPro": {
        "full": 2.077, "no transformer": 2.263, "no refining": 2.383, "plain": 2.748,
    },
}  # fmt: skip
PLACES = ("frames", "pairs", "monkaa", "scenes")
SIDE = 256  # pixels of the central crop, as in the paper
MISSING = (
    f"give --frames: folders of 240 Hz frames, one a video, such as {FAST_VIDEOS}; or --pairs: a "
    "folder with blur/, sharp/ and flow/"
)
PROTOCOL = (
    f"middle {SIDE}x{SIDE} pixels (a scene: as simulated); of each picture the end-point error to "
    "the flow from the start to the end of the exposure or back, whichever is smaller, averaged "
    "over pictures. The truth of averaged frames is the optical flow of their first and last "
    "one by dense inverse search, in the paper by PWC-Net. "
    "`zero` is the error of no motion, `mean` of "
    "each picture's mean motion"
)


def main() -> None:
    """Runs the experiment, prints the tables and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    place = add_arguments(parser, counts=(7,), shrink=1, scenes=True)
    place.add_argument("--monkaa", type=Path, help="the folder that tools/prepare.py wrote")
    arguments = parser.parse_args()
    record = {
        "command": "python -m experiments.blur_to_flow.run",
        "protocol": PROTOCOL,
        "images": next(filter(None, (getattr(arguments, place) for place in PLACES))).name,
        "seed": arguments.seed,
        "published": PUBLISHED,
        **origin(),
        "ours": {},
    }
    for name, network in load_named(arguments.model).items():
        rows = [score(network, example) for example in examples(arguments)]
        means = {metric: round(value, 4) for metric, value in mean_metrics(rows).items()}
        record["ours"][name] = {
            **means, "pictures": len(rows), "trained_steps": network.card.get("step"),
        }  # fmt: skip
        write_record(arguments.out, record)
    print(f"Protocol: {PROTOCOL}.")
    for table, rows in PUBLISHED.items():
        print(f"paper, {table}: {' | '.join(f'{name} {value}' for name, value in rows.items())}")
    for name, row in record["ours"].items():
        print(f"ours, {record['images']}, {name}: {json.dumps(row)}")


def examples(arguments: argparse.Namespace) -> Iterator[Example]:
    """Yields blurry pictures with their flows."""
    if arguments.scenes:
        yield from moved_photos(arguments.scenes, CONFIG, arguments.seed, arguments.limit)
        return
    if arguments.monkaa:
        yield from monkaa(arguments.monkaa, arguments.seed, arguments.limit)
        return
    source = find_source(arguments, flow=True, missing=MISSING)
    order = np.random.default_rng(arguments.seed).permutation(len(source))
    for index in order[: arguments.limit or None]:
        example = source[int(index)]
        if "flow" not in example:
            raise ValueError(f"{source.name(int(index))}: has no flow; {MISSING}")
        cropped = {name: middle(x, SIDE, SIDE) for name, x in example.items()}
        yield jax.tree.map(jnp.asarray, {**cropped, "blurry": as_floats(cropped["blurry"])})


def monkaa(records: Path, seed: int, limit: int) -> Iterator[Example]:
    """Yields the pictures on which the paper's config evaluates."""
    fields = load_config(f"{CONFIGS / 'argaw.py:paper'}")
    fields.evaluation_source.folder = str(records)
    return simulated(fields, make_source(**fields.evaluation_source), seed, limit)


def score(network: Pretrained, example: Example) -> dict[str, Any]:
    """Returns the end-point errors of one picture."""
    forward, backward = jnp.asarray(example["flow"]), jnp.asarray(backward_flow(example))
    mean = jnp.broadcast_to(jnp.mean(forward, axis=(0, 1)), forward.shape)
    estimates = {
        "epe": read_flow(network.model, network.variables, example["blurry"]),
        "zero": jnp.zeros_like(forward),
        "mean": mean,
    }
    return {
        name: float(end_point_error_either_way(flow, forward, backward))
        for name, flow in estimates.items()
    }


@functools.partial(jax.jit, static_argnames="model")
def read_flow(model: Any, variables: Any, blurry: jax.Array) -> jax.Array:
    """Returns the flow that a network estimates."""
    return model.flow(model.apply(variables, blurry[None]))[0]


if __name__ == "__main__":
    run_command(main)
