r"""Draw samples of a config's training data, after its task's simulation, as one picture.

    python tools/preview.py --config configs/quickstart.py --out sheet.png --samples 4
    python tools/preview.py --config configs/quickstart.py --set source.name=folder \
        source.folder=PHOTOS

Each row is a sample: its pictures, its flow in colours, its kernels at a grid of pixels.
"""

import argparse
from functools import partial
from typing import Any

import jax
import numpy as np

from deblur_jax.config_file import load_config, set_fields
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.io.images import Photo, write_photo
from deblur_jax.pictures import flow_colours, panels, to_bytes, with_flow_key
from deblur_jax.training.step import simulated
from deblur_jax.training.tasks.registry import find_task


PICTURES = ("previous_blurry", "blurry", "noisy", "sharp", "next_blurry", "next_sharp")
KERNELS = 8  # along each side of the drawing of a kernel field


def kernel_field(kernels: np.ndarray, mixing: np.ndarray | None) -> np.ndarray:
    """Draws the mixed kernels at a grid of pixels, or the kernels if there is no mixing."""
    if mixing is not None:
        height, width, _ = mixing.shape
        rows, columns = (
            ((np.arange(KERNELS) + 0.5) * size / KERNELS).astype(int) for size in (height, width)
        )
        field = np.einsum("ijk,kst->ijst", mixing[np.ix_(rows, columns)], kernels)
    else:
        field = kernels[None]
    field = field / np.maximum(field.max(axis=(2, 3), keepdims=True), 1e-12)
    field = np.pad(field, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=0.4)
    count, across, side, _ = field.shape
    board = field.transpose(0, 2, 1, 3).reshape(count * side, across * side)
    return np.repeat(to_bytes(board)[..., None], 3, axis=-1)


def draw(example: dict[str, np.ndarray]) -> np.ndarray:
    """Draws the panels of one sample."""
    found = {name: to_bytes(example[name]) for name in PICTURES if name in example}
    if "flow" in example:
        flow = example["flow"]
        longest = max(float(np.ceil(np.hypot(flow[..., 0], flow[..., 1]).max())), 1.0)
        found["flow"] = with_flow_key(flow_colours(flow, longest=longest), longest=longest)
    if "kernels" in example:
        found["kernels"] = kernel_field(example["kernels"], example.get("mixing"))
    return panels(found)


def draw_sheet(config: Any, samples: int) -> np.ndarray:
    """Draws the first samples of a config's training run, `[h, w, 3]` uint8."""
    fields = {**config.batches, "batch_size": samples, "workers": 0}
    batch = next(training_batches(make_source(**config.source), seed=config.seed, **fields))
    simulate = find_task(config.task).make_simulate(**config.simulate)
    drawn = jax.jit(partial(simulated, simulate))(batch, jax.random.key(config.seed))
    arrays = {name: np.asarray(array) for name, array in drawn.items()}
    rows = [draw({name: array[i] for name, array in arrays.items()}) for i in range(samples)]
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [
            np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)
            for row in rows
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]")
    parser.add_argument("--out", default="sheet.png", help="the picture to write")
    parser.add_argument("--samples", type=int, default=4, help="rows of the picture")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="FIELD=VALUE", help="fields of the config to change"
    )
    options = parser.parse_args(arguments)
    config = load_config(options.config)
    set_fields(config, options.set)
    picture = draw_sheet(config, options.samples)
    write_photo(options.out, Photo(picture.astype(np.float32) / 255))
    print(f"{options.out}: {options.samples} samples of {options.config}")


if __name__ == "__main__":
    main()
