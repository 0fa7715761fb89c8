"""How well pictures are restored, where the sharp ones are known: for every task that restores."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp

from deblur_jax.metrics import mean_metrics, psnr, ssim
from deblur_jax.pictures import write_panels
from deblur_jax.training.examples import Example
from deblur_jax.typing import Array


Restore = Callable[[Example], Array]


def evaluate_restored(
    restorations: Mapping[str, Restore],
    examples: Iterable[tuple[str, Example]],
    *,
    workdir: Path,
    pictures: int,
) -> dict[str, float]:
    """Compares restored pictures, clipped to [0, 1], and the blurry ones with the sharp ones.

    Args:
        restorations: functions of an example that give a picture `[h, w, c]`, by name.
        examples: their names, and `blurry` and `sharp` among their arrays.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.

    Returns:
        `psnr/NAME` and `ssim/NAME` of each restoration and of `blurred`: means over the examples.
    """

    @jax.jit
    def score(example: Example) -> tuple[dict[str, jax.Array], dict[str, Array]]:
        shown = {"blurred": example["blurry"]}
        for name, restore in restorations.items():
            shown[name] = jnp.clip(restore(example), 0, 1)
        sharp, row = example["sharp"], {}
        for name, picture in shown.items():
            row |= {f"psnr/{name}": psnr(picture, sharp), f"ssim/{name}": ssim(picture, sharp)}
        return shown, row

    folder = workdir / "pictures"
    folder.mkdir(exist_ok=True)
    rows = []
    for name, example in examples:
        shown, row = score(example)
        if len(rows) < pictures:
            titled = {f"{kind}, {row[f'psnr/{kind}']:.1f} dB": shown[kind] for kind in shown}
            write_panels(folder / f"{name}.png", {**titled, "sharp": example["sharp"]})
        rows.append(row)
    return mean_metrics(rows)
