r"""Tables 1 to 3 of Carbajal et al. 2021: four benchmarks restored, aligned and scored.

    python -m experiments.real_benchmarks.run --set kohler --images KOHLER --seed 0 \
        --model kernel-basis --out experiments/real_benchmarks/kohler.json

`--set` is kohler, gopro, dvd or realblur, and `--images` the folder that the data set was unpacked
to; if files are missing, the error lists them and the page to download them from. Folders with
`blur/` (or `blurred/`) and `sharp/`, and files NAME.png beside NAME_gt.png, are accepted too:
their scores are not those of the benchmark. Networks that estimate a blur and networks that
restore directly both work; `--results DIR` scores restored photos that any other program wrote
instead: DIR/NAME.png for each name that the command prints. Table 3 is `--set gopro` with weights
of `configs/blurring_to_deblur.py`.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import jax
import numpy as np

from deblur_jax import deblur, load, load_denoiser
from deblur_jax.alignment import align_homography, align_translation, best_aligned_scores
from deblur_jax.io.images import SUFFIXES, read_rgb
from deblur_jax.metrics import mean_metrics, psnr, ssim
from deblur_jax.pretrained import DEFAULT, Pretrained
from experiments.shared import (
    as_floats,
    find_results,
    origin,
    read_result,
    run_command,
    spread,
    write_record,
)


# PSNR / SSIM. Table 1 is aligned by homography, table 2 by translation (see alignment.py).
PUBLISHED = {
    "kohler": {
        "Gong (table 1)": "25.23 / 0.74", "DeblurGAN (table 1)": "26.05 / 0.75",
        "Carbajal (table 1)": "28.23 / 0.81", "Carbajal (table 2, without 8-11)": "28.02, 31.23",
        "Xu (table 2, without 8-11)": "29.53, 31.69",
    },
    "gopro": {
        "Gong": "26.06 / 0.86", "DeblurGAN": "27.92 / 0.84", "SRN": "30.72 / 0.91",
        "Carbajal": "27.51 / 0.84", "DeblurGAN (table 3)": "27.25 / 0.81",
        "DeblurGAN, resumed (table 3)": "27.57 / 0.83",
        "DeblurGAN, blurring to deblur (table 3)": "28.06 / 0.85",
    },
    "dvd": {"DeblurGAN": "28.27 / 0.84", "SRN": "29.80 / 0.88", "Carbajal": "28.23 / 0.85"},
    "realblur": {"DeblurGAN": "27.97 / 0.83", "SRN": "28.56 / 0.87", "Carbajal": "27.86 / 0.82"},
}  # fmt: skip
LARGE_SHAKES = range(8, 12)  # kernels of Köhler et al. that table 2 omits in its second column
BORDER = {"dvd": 16}  # pixels cropped at each side
PROTOCOL = (
    "8-bit results. `homography`: scaled to the reference's brightness, warped by OpenCV's ECC "
    "homography (100 steps), PSNR and SSIM where it covers the frame. `translation`: scaled, "
    "shifted by whole pixels, PSNR over the frame. Of several references the one with the highest "
    "PSNR counts. `blurred` is not aligned, and compared with the reference in the middle; "
    "`blurred_homography` and `blurred_translation` are aligned in the same ways"
)

Restore = Callable[[str, np.ndarray], np.ndarray]  # from a name and the blurred photo


class Pair(NamedTuple):
    """A blurry photo, and one or several sharp ones."""

    name: str
    blurry: Path
    sharp: list[Path]


def main() -> None:
    """Runs the experiment, prints the table and writes the record."""
    arguments = parse()
    pairs = find_pairs(arguments.set, arguments.images, arguments.variant)
    order = np.random.default_rng(arguments.seed).permutation(len(pairs))
    pairs = [pairs[index] for index in sorted(order[: arguments.limit or None])]
    restore, described = choose_restore(arguments, [pair.name for pair in pairs])
    started, rows = time.perf_counter(), []
    for pair in pairs:
        rows.append({"name": pair.name, **score(pair, restore, BORDER.get(arguments.set, 0))})
        print(f"{len(rows)}/{len(pairs)} {pair.name}: blurred {rows[-1]['blurred/psnr']:.2f}, "
              f"restored {rows[-1]['homography/psnr']:.2f} dB", flush=True)  # fmt: skip
        record = {
            "command": f"python -m experiments.real_benchmarks.run --set {arguments.set}",
            "protocol": PROTOCOL,
            "images": arguments.images.name,
            "seed": arguments.seed,
            **described,
            "means": means(rows, arguments.set),
            "photos": len(rows),
            "published": PUBLISHED[arguments.set],
            "seconds": round(time.perf_counter() - started, 1),
            **origin(),
            "spread": spread(numbers(rows)),
        }
        write_record(arguments.out, record)
    print(f"\nProtocol: {PROTOCOL}.\n\n{arguments.set}, paper: {PUBLISHED[arguments.set]}")
    who = f"results in {arguments.results}" if arguments.results else "ours"
    print(f"{who}, {len(rows)} photos: {json.dumps(means(rows, arguments.set), indent=1)}")


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--set", choices=sorted(PUBLISHED), required=True, help="the benchmark")
    parser.add_argument("--images", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--variant", default=None, help="gopro: blur or blur_gamma; realblur: J, R")
    parser.add_argument("--limit", type=int, default=0, help="most photos, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of photos")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--model", default=DEFAULT, help="shipped weights by name, or a file")
    parser.add_argument("--denoiser", default="denoiser", help='weights; "" for total variation')
    parser.add_argument("--results", type=Path, help="score these photos instead, NAME.png")
    return parser.parse_args()


def find_pairs(name: str, folder: Path, variant: str | None) -> list[Pair]:
    """Returns the pairs of a benchmark's test set, or of a folder of pairs."""
    beside = [
        Pair(path.stem, path, [path.with_stem(f"{path.stem}_gt")])
        for path in photos_in(folder)
        if path.with_stem(f"{path.stem}_gt").exists()
    ]
    apart = [pair for place in ("blur", "blurred") for pair in folder_pairs(folder, place)]
    if beside or apart:
        return beside or apart
    # Imported here, because it needs tensorflow-datasets, which pairs do not.
    from deblur_jax.data.builders.registry import BUILDERS

    variant = "all" if name == "kohler" else variant
    with tempfile.TemporaryDirectory() as records:
        found = BUILDERS[name](folder, records, variant=variant).splits_found["test"]
    pairs = []
    for example in found:
        files = example.files
        sharp = files["frames"] if "frames" in files else [files["sharp"]]
        pairs.append(Pair(example.name, files["blurry"], sharp))
    if name == "dvd":  # the published script omits the first frame of each video
        first = {pair.name.split("/")[0]: pair.name for pair in reversed(pairs)}
        pairs = [pair for pair in pairs if pair.name not in first.values()]
    return pairs


def folder_pairs(folder: Path, place: str) -> list[Pair]:
    """Pairs the photos in `folder/place` with those of the same name or number in `sharp`."""
    sharp = {path.stem: path for path in photos_in(folder / "sharp")}
    pairs = []
    for path in photos_in(folder / place):
        numbered = re.sub(r"^Blurry(\d+)_\d+$", r"GroundTruth\1", path.stem)
        partner = sharp.get(path.stem, sharp.get(numbered))
        if partner is None:
            raise FileNotFoundError(f"{folder / 'sharp'}: holds no {path.stem}")
        pairs.append(Pair(path.stem, path, [partner]))
    return pairs


def photos_in(folder: Path) -> list[Path]:
    """Returns the photos in a folder, none if it does not exist."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def choose_restore(
    arguments: argparse.Namespace, names: list[str]
) -> tuple[Restore, dict[str, Any]]:
    """Returns what restores a photo, and its description for the record."""
    if arguments.results:
        found = find_results(arguments.results, names)
        described = {"model": f"results in {arguments.results.name}"}
        return lambda name, photo: read_result(found[name], photo), described
    network = load(arguments.model)
    described = {
        "model": Path(arguments.model).name,
        "trained_steps": network.card.get("step"),
        "denoiser": arguments.denoiser or "total variation",
    }
    return make_restore(network, arguments.denoiser), described


def make_restore(network: Pretrained, denoiser: str) -> Restore:
    """Returns `restore(name, photo) -> photo`, both `[h, w, 3]` in [0, 1], rounded to 8 bits."""
    model: Any = network.model
    if hasattr(model, "restored"):  # restores directly
        apply = jax.jit(model.apply)

        def restored(photo: np.ndarray) -> np.ndarray:
            made = model.restored(apply(network.variables, photo[None]))
            return np.clip(np.asarray(made)[0], 0, 1)

    else:
        denoise = load_denoiser(denoiser) if denoiser else None

        def restored(photo: np.ndarray) -> np.ndarray:
            return deblur(photo, network, denoise=denoise).image

    return lambda name, photo: np.rint(restored(photo) * 255).astype(np.float32) / 255


def score(pair: Pair, restore: Restore, border: int) -> dict[str, float]:
    """Returns PSNR and SSIM of one photo, blurred and restored, aligned in both ways."""
    blurry = as_floats(read_rgb(pair.blurry))
    references = [matched(as_floats(read_rgb(path)), blurry) for path in pair.sharp]
    restored = restore(pair.name, blurry)
    inside = (slice(border, -border or None), slice(border, -border or None))
    middle = references[(len(references) - 1) // 2]
    row = {
        "blurred/psnr": float(psnr(blurry[inside], middle[inside])),
        "blurred/ssim": float(ssim(blurry[inside], middle[inside])),
    }
    cut = [reference[inside] for reference in references]
    for name, align in (("homography", align_homography), ("translation", align_translation)):
        covered = name == "homography"
        for kind, photo in ((name, restored), (f"blurred_{name}", blurry)):
            best = best_aligned_scores(photo[inside], cut, align, covered=covered)
            row |= {f"{kind}/{metric}": value for metric, value in best.items()}
    return row


def matched(reference: np.ndarray, blurry: np.ndarray) -> np.ndarray:
    """Resizes the reference to the size of the blurry photo."""
    if reference.shape == blurry.shape:
        return reference
    size = (blurry.shape[1], blurry.shape[0])
    return np.clip(cv2.resize(reference, size, interpolation=cv2.INTER_CUBIC), 0, 1)


def numbers(rows: list[dict]) -> list[dict[str, Any]]:
    """Returns the rows without the photos' names."""
    return [{key: value for key, value in row.items() if key != "name"} for row in rows]


def means(rows: list[dict], name: str) -> dict[str, float]:
    """Returns the means over all photos, and for Köhler's set those without the large shakes."""
    result = mean_metrics(numbers(rows))
    if name == "kohler":
        kept = [
            row for row, named in zip(numbers(rows), rows, strict=True)
            if int(named["name"].rsplit("_", 1)[-1]) not in LARGE_SHAKES
        ]  # fmt: skip
        if kept:
            result["translation/psnr_without_8_to_11"] = mean_metrics(kept)["translation/psnr"]
    return {key: round(value, 4) for key, value in result.items()}


if __name__ == "__main__":
    run_command(main)
