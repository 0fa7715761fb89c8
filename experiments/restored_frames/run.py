r"""Table 2 of Noroozi et al. 2017, tables II to IV of Zhang et al. 2021: restored video frames.

    python -m experiments.restored_frames.run --table noroozi --frames FRAMES --limit 15 \
        --out experiments/restored_frames/noroozi.json --model deblurnet.safetensors
    python -m experiments.restored_frames.run --table zhang --pairs DVD \
        --out experiments/restored_frames/zhang.json --model ours=small.safetensors plain=...

`noroozi` draws `--limit` pictures by `--seed` from frames that are averaged as for WILD, which was
never published: 7 to 23 frames, reduced to a third of their size (`--fastest 1` omits those with
faster motion). `zhang` takes all frames of each video and gives each network the neighbouring
frames; DVD's test videos belong in `blur/` and `sharp/` of `--pairs`. Each `--model` is a row of
table IV.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import jax.numpy as jnp
import numpy as np

from deblur_jax import deblur_video, psnr, ssim
from deblur_jax.data.examples import Source
from deblur_jax.metrics import mean_metrics
from deblur_jax.pretrained import Pretrained
from deblur_jax.training.step import count_parameters
from experiments.shared import (
    FAST_VIDEOS,
    add_arguments,
    as_floats,
    find_source,
    load_named,
    origin,
    run_command,
    write_record,
)


PUBLISHED = {  # PSNR, or PSNR / SSIM
    "noroozi": {
        "table 2, WILD": {
            "Xu": "22.50", "Xu and Jia": "23.61", "Sun": "25.48", "DeblurNet_SI": "25.8",
            "DeblurNet_WILD": "28.1",
        },
    },
    "zhang": {
        "table II, DVD": {
            "Whyte": "25.29 / 0.832", "Sun": "27.24 / 0.878", "Gong": "28.22 / 0.894",
            "SRN": "29.95 / 0.919", "SVRNN": "30.05 / 0.922", "Zhang": "30.58 / 0.928",
        },
        "table III, seconds of 720x1280 on a Titan Xp, parameters": {
            "Gong": "1500, 10.3 M", "SRN": "2.7, 8.1 M", "SVRNN": "1.4, 9.2 M",
            "Zhang": "0.20, 8.7 M",
        },
        "table IV, DVD": {
            "without recurrences": "28.84 / 0.901", "concatenated": "29.71 / 0.914",
            "without flow": "30.11 / 0.922", "without flow losses": "30.35 / 0.924",
            "flows in both directions": "30.56 / 0.927", "recurrences in the decoder":
            "29.72 / 0.914", "Zhang": "30.58 / 0.928",
        },
    },
}  # fmt: skip
MISSING = {
    "noroozi": f"give --frames: folders of 240 Hz frames, one a video, such as {FAST_VIDEOS}",
    "zhang": (
        "download DVD's quantitative_datasets from https://www.cs.ubc.ca/labs/imager/tr/2017/"
        "DeepVideoDeblurring/ and place VIDEO/input of the test videos at PAIRS/blur/VIDEO, "
        "VIDEO/GT at PAIRS/sharp/VIDEO"
    ),
}
PROTOCOL = (
    "whole frames, not aligned, rounded to 8 bits; PSNR over RGB and SSIM (Gaussian 11x11, mean of "
    "the channels) of each, averaged over frames. `same_frame`: the network was given the frame "
    "itself as its neighbours. Published scores of WILD are of 15 unpublished pictures; those of "
    "DVD are by an unpublished script and omit each video's last frame, whose neighbour here is "
    "the one before. Seconds: the median, with decoding"
)


def main() -> None:
    """Runs the experiment, prints the tables and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--table", choices=sorted(PUBLISHED), required=True, help="of which paper")
    add_arguments(parser, counts=tuple(range(7, 24, 2)), shrink=3)
    arguments = parser.parse_args()
    source = find_source(arguments, flow=False, missing=MISSING[arguments.table])
    videos = choose(source, arguments)
    record = {
        "command": f"python -m experiments.restored_frames.run --table {arguments.table}",
        "protocol": PROTOCOL,
        "images": (arguments.pairs or arguments.frames).name,
        "seed": arguments.seed,
        "published": PUBLISHED[arguments.table],
        **origin(),
        "ours": {},
    }
    for name, network in load_named(arguments.model).items():
        rows = [row for video in videos for row in score(source, video, network)]
        record["ours"][name] = {
            **{metric: round(value, 4) for metric, value in mean_metrics(rows).items()},
            "seconds": round(statistics.median(row["seconds"] for row in rows), 3),
            "pictures": len(rows),
            "parameters": count_parameters(network.params),
            "trained_steps": network.card.get("step"),
        }
        write_record(arguments.out, record)
    print(f"Protocol: {PROTOCOL}.")
    for table, rows in PUBLISHED[arguments.table].items():
        print(f"\npaper, {table}: {' | '.join(f'{name} {row}' for name, row in rows.items())}")
    print(f"\nours, {record['images']}: {json.dumps(record['ours'], indent=1)}")


def choose(source: Source, arguments: argparse.Namespace) -> list[list[int]]:
    """Returns the pictures of each video; of `noroozi` each drawn picture is a video."""
    if arguments.table == "noroozi":
        order = np.random.default_rng(arguments.seed).permutation(len(source))
        return [[index] for index in sorted(order[: arguments.limit or None].tolist())]
    indices = range(len(source))[: arguments.limit or None]
    by_video = itertools.groupby(indices, lambda index: PurePosixPath(source.name(index)).parent)
    return [list(video) for _, video in by_video]


def score(source: Source, video: list[int], network: Pretrained) -> Iterator[dict[str, Any]]:
    """Yields PSNR, SSIM and seconds of each frame of a video."""
    blurry = (as_floats(source[index]["blurry"]) for index in video)
    restored = deblur_video(blurry, network)
    for index in video:
        started = time.perf_counter()
        picture = next(restored)
        seconds = time.perf_counter() - started
        example = source[index]
        blurred, sharp = as_floats(example["blurry"]), as_floats(example["sharp"])
        shown = {"blurred": blurred, "restored": picture}
        if getattr(network.model, "frames", 1) > 1:
            shown["same_frame"] = next(deblur_video([blurred], network))
        row = {"seconds": seconds}
        for name, image in shown.items():
            rounded = jnp.round(255 * image) / 255
            row[f"psnr/{name}"] = float(psnr(rounded, sharp))
            row[f"ssim/{name}"] = float(ssim(rounded, sharp))
        print(f"{source.name(index)}: {row['psnr/blurred']:.2f} dB, {row['psnr/restored']:.2f} "
              f"restored in {seconds:.2f} s", flush=True)  # fmt: skip
        yield row


if __name__ == "__main__":
    run_command(main)
