r"""Figure 7 of Argaw et al. 2021: objects that move by themselves, segmented from a photo's flow.

    python -m experiments.moving_objects.run --scenes PHOTOS --limit 32 --model argaw.safetensors \
        --out experiments/moving_objects/results.json --pictures sheets

The paper feeds the flow to FusionSeg, whose weights are not available here. Most of a picture is
background, and a moving camera makes the background's motion nearly affine. With scikit-image:

    1. fit an affine motion to the flow of 2000 pixels by RANSAC (within a pixel);
    2. mark pixels whose motion differs by more than Otsu's threshold of the difference and by more
       than a pixel;
    3. open and close the mask with a disk of 3 pixels and drop parts below 0.2 % of the picture.

Scenes are simulated, so the true mask is known: the pixels whose true flow is not the homography
that the whole background follows.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from skimage.filters import threshold_otsu
from skimage.measure import ransac
from skimage.morphology import closing, disk, opening, remove_small_objects
from skimage.transform import AffineTransform, ProjectiveTransform

from deblur_jax.metrics import mean_metrics
from deblur_jax.pictures import write_panels
from experiments.shared import (
    add_arguments,
    load_named,
    moved_photos,
    origin,
    run_command,
    write_record,
)


CONFIG = "argaw.py:small"
POINTS, TOLERANCE, SMALLEST, SMOOTHING = 2000, 1.0, 0.002, 3
EXACT = 0.02  # pixels, the tolerance for the simulated flow
PROTOCOL = (
    "intersection over union with the objects of the scene, averaged over scenes; `true_flow`: the "
    "same method on the true flow; `everything`: all pixels marked. The paper gives no number"
)


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_arguments(parser, counts=(7,), shrink=1, scenes=True)
    parser.add_argument("--pictures", type=Path, help="a folder to draw blurry photos and masks in")
    arguments = parser.parse_args()
    if not arguments.scenes:
        parser.error("give --scenes: the true mask is known for simulated scenes only")
    if arguments.pictures:
        arguments.pictures.mkdir(exist_ok=True)
    (network,) = load_named(arguments.model).values()
    model, variables = network.model, network.variables
    read_flow = jax.jit(lambda blurry: model.flow(model.apply(variables, blurry[None]))[0])
    rows = []
    for example in moved_photos(arguments.scenes, CONFIG, arguments.seed, arguments.limit):
        truth = (
            apart_from_background(np.asarray(example["flow"]), ProjectiveTransform, EXACT) > EXACT
        )
        masks = {
            "estimated_flow": moving_objects(np.asarray(read_flow(example["blurry"]))),
            "true_flow": moving_objects(np.asarray(example["flow"])),
            "everything": np.ones_like(truth),
        }
        if arguments.pictures:
            panels = {name: as_picture(mask) for name, mask in {**masks, "truth": truth}.items()}
            write_panels(
                arguments.pictures / f"{len(rows):03d}.png",
                {"blurred": example["blurry"], **panels},
            )
        rows.append({name: overlap(mask, truth) for name, mask in masks.items()})
    means = {name: round(value, 4) for name, value in mean_metrics(rows).items()}
    record = {
        "command": "python -m experiments.moving_objects.run",
        "protocol": PROTOCOL,
        "seed": arguments.seed,
        "scenes": len(rows),
        "trained_steps": network.card.get("step"),
        "ours": means,
        **origin(),
    }
    write_record(arguments.out, record)
    print(f"ours, {len(rows)} scenes: {json.dumps(means)}\nProtocol: {PROTOCOL}.")


def moving_objects(flow: np.ndarray) -> np.ndarray:
    """Returns the mask of pixels that do not move with the background, `[h, w]` booleans."""
    apart = apart_from_background(flow, AffineTransform, TOLERANCE)
    mask = apart > max(threshold_otsu(apart), TOLERANCE)
    smooth = closing(opening(mask, disk(SMOOTHING)), disk(SMOOTHING))
    return remove_small_objects(smooth, max_size=int(SMALLEST * mask.size))


def apart_from_background(flow: np.ndarray, kind: Any, tolerance: float) -> np.ndarray:
    """Returns the distance of each pixel's motion from the background's, `[h, w]` pixels.

    Args:
        flow: `[h, w, 2]`.
        kind: the class of scikit-image's transform that models the background's motion.
        tolerance: the largest distance of an inlier in pixels.
    """
    height, width, _ = flow.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2)
    motion = flow.reshape(-1, 2).astype(float)
    chosen = np.random.default_rng(0).choice(len(grid), min(POINTS, len(grid)), replace=False)
    background, _ = ransac(
        (grid[chosen], grid[chosen] + motion[chosen]), kind, min_samples=4,
        residual_threshold=tolerance, max_trials=500, rng=0,
    )  # fmt: skip
    if background is None:
        return np.zeros((height, width))
    return np.linalg.norm(background(grid) - grid - motion, axis=-1).reshape(height, width)


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Returns the intersection over union; 1 if both are empty."""
    union = np.sum(mask | truth)
    return float(np.sum(mask & truth) / union) if union else 1.0


def as_picture(mask: np.ndarray) -> np.ndarray:
    """Returns a mask as a black-and-white picture, `[h, w, 3]` uint8."""
    return np.repeat(255 * mask.astype(np.uint8)[..., None], 3, axis=-1)


if __name__ == "__main__":
    run_command(main)
