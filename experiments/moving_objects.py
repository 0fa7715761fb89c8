r"""Figure 7 of Argaw et al. 2021: what moves by itself in a blurred photo, from its flow alone.

    python experiments/moving_objects.py --scenes PHOTOS --limit 32 --model argaw.safetensors \
        --out experiments/results/moving_objects.json --pictures sheets

The paper feeds the flow to FusionSeg, whose weights are another project's. Here, with scikit-image:
most of a picture is background, whose motion a moving camera makes nearly affine, so

    1. an affine motion is fitted to the flow of 2000 pixels by RANSAC (within a pixel);
    2. pixels that move otherwise, by more than Otsu's threshold of the difference and more than a
       pixel, are objects;
    3. the mask is opened and closed by a disk of 3 pixels, and parts below 0.2 % of the picture go.

Scenes are simulated, so that the truth is known: where the true flow is not the one homography that
the whole background follows.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from frames import add_arguments, load_named, moved_photos
from recorded import origin
from skimage.filters import threshold_otsu
from skimage.measure import ransac
from skimage.morphology import closing, disk, opening, remove_small_objects
from skimage.transform import AffineTransform, ProjectiveTransform

from deblur_jax.metrics import mean_metrics
from deblur_jax.pictures import write_panels


CONFIG = "argaw.py:small"
POINTS, TOLERANCE, SMALLEST, SMOOTHING = 2000, 1.0, 0.002, 3
EXACT = 0.02  # pixels, of the simulated truth
PROTOCOL = (
    "intersection over union with the objects that were painted into the scene, averaged over "
    "scenes; `true_flow` is the same method on the true flow. The paper shows pictures, no number"
)


def main() -> None:
    """Segments, scores, prints, draws and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_arguments(parser, counts=(7,), shrink=1, scenes=True)
    parser.add_argument("--pictures", type=Path, help="a folder for blurry photos and masks")
    arguments = parser.parse_args()
    if not arguments.scenes:
        parser.error("the truth is known of --scenes alone")
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
        "command": "python experiments/moving_objects.py",
        "protocol": PROTOCOL,
        "seed": arguments.seed,
        "scenes": len(rows),
        "trained_steps": network.card.get("step"),
        "ours": means,
        **origin(),
    }
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")
    print(f"ours, {len(rows)} scenes: {json.dumps(means)}\nProtocol: {PROTOCOL}.")


def moving_objects(flow: np.ndarray) -> np.ndarray:
    """Returns where a flow `[h, w, 2]` is not the background's, `[h, w]` booleans."""
    apart = apart_from_background(flow, AffineTransform, TOLERANCE)
    mask = apart > max(threshold_otsu(apart), TOLERANCE)
    smooth = closing(opening(mask, disk(SMOOTHING)), disk(SMOOTHING))
    return remove_small_objects(smooth, max_size=int(SMALLEST * mask.size))


def apart_from_background(flow: np.ndarray, kind: Any, tolerance: float) -> np.ndarray:
    """Returns how far from the motion that most pixels share each is, `[h, w]` pixels.

    Args:
        flow: `[h, w, 2]`.
        kind: of motion, a transform of scikit-image.
        tolerance: pixels, within which a motion agrees.
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
    """Returns the intersection over the union; one if both are empty."""
    union = np.sum(mask | truth)
    return float(np.sum(mask & truth) / union) if union else 1.0


def as_picture(mask: np.ndarray) -> np.ndarray:
    """Returns a mask in black and white, `[h, w, 3]` uint8."""
    return np.repeat(255 * mask.astype(np.uint8)[..., None], 3, axis=-1)


if __name__ == "__main__":
    main()
