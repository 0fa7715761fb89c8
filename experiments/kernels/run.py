r"""Kernels estimated from one photo, and photos restored with them: simulated blur, Levin's photos.

    python -m experiments.kernels.run --images BSDS500/images/val --levin LEVIN --limit 50 \
        --seed 0 --model kernel-basis --out experiments/kernels/results.json

`simulated`: the middle of each photo, where an object of random shape and the background are each
blurred by a camera-shake kernel of their own, as in the network's training. `levin`: the real grey
photos of Levin et al. 2009, blurred by one kernel each, restored with the estimated kernels
(blind) and with the measured one. Both are restored as `deblur` does by default, with total
variation; `--denoiser denoiser` uses the learned prior.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from deblur_jax import load_denoiser, psnr, ssim
from deblur_jax.data.levin import read_levin
from deblur_jax.data.sources import folder_source
from deblur_jax.estimate import estimate_blur
from deblur_jax.metrics import mean_metrics
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.pretrained import Pretrained
from deblur_jax.restoration import restore
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import estimate_kernels
from experiments.shared import (
    INNER,
    crop,
    load_kernel_net,
    origin,
    run_command,
    shifted_onto,
    write_record,
)


SIZE = 288  # pixels, height and width of the middle of each photo
PROTOCOL = (
    "simulated: see `simulate` in the weights' card; PSNR over RGB and SSIM of the whole crop. "
    "levin: rounded to 8 bits, shifted onto the sharp photo by eighths of a pixel, scored without "
    f"{INNER} pixels at each edge. `kernel/absolute`: mean over pixels of the summed absolute "
    "error, at most 2; `..._baseline`: the same of a single pixel. `kernel/similarity`: the "
    "largest normalised correlation with the measured kernel over all shifts"
)


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    arguments = parse()
    network = load_kernel_net(arguments.model)
    record: dict[str, Any] = {
        "command": "python -m experiments.kernels.run",
        "protocol": PROTOCOL,
        "images": arguments.images.name,
        "seed": arguments.seed,
        "model": Path(arguments.model).name,
        "trained_steps": network.card.get("step"),
        "denoiser": arguments.denoiser or "total variation",
        **origin(),
    }
    tables = {"simulated": simulated}
    if arguments.levin:
        tables["levin"] = levin
    for name, measure in tables.items():
        started = time.perf_counter()
        figures = measure(network, arguments)
        record[name] = {key: round(value, 4) for key, value in figures.items()}
        record[name]["seconds"] = round(time.perf_counter() - started, 1)
        write_record(arguments.out, record)
        print(name, json.dumps(record[name], indent=1), flush=True)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="sharp photos")
    parser.add_argument("--levin", type=Path, help="the .mat files of Levin et al.")
    parser.add_argument("--limit", type=int, default=0, help="most photos of each set, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation")
    parser.add_argument(
        "--model", default="kernel-basis", help="shipped weights by name, or a file"
    )
    parser.add_argument(
        "--denoiser", default="", help="shipped weights by name (default: total variation)"
    )
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args()


def simulated(network: Pretrained, arguments: argparse.Namespace) -> dict[str, float]:
    """Returns means over simulated photos, whose kernels are known."""
    source = folder_source(
        folder=str(arguments.images), smallest=SIZE, in_memory=False, limit=arguments.limit
    )
    simulate: Any = estimate_kernels.make_simulate(**network.card["config"]["simulate"])
    with tempfile.TemporaryDirectory() as pictures:
        figures = evaluate(
            estimate_kernels,
            network.model,
            network.variables,
            source,
            simulate,
            workdir=Path(pictures),
            pictures=0,
            denoiser=arguments.denoiser,
            seed=arguments.seed,
            height=SIZE,
            width=SIZE,
        )
    return {**figures, "photos": len(source)}


def levin(network: Pretrained, arguments: argparse.Namespace) -> dict[str, float]:
    """Returns means over Levin's photos."""
    denoise = load_denoiser(arguments.denoiser) if arguments.denoiser else None
    paths = sorted(arguments.levin.glob("*.mat"))[: arguments.limit or None]
    if not paths:
        raise FileNotFoundError(
            f"{arguments.levin}: holds no .mat files; download LevinEtalCVPR09Data.rar from "
            "https://webee.technion.ac.il/people/anat.levin and give the folder of its .mat files"
        )
    rows = []
    for path in paths:
        found = read_levin(path)
        sharp, blurry = (np.clip(found[name], 0, 1) for name in ("sharp", "blurry"))
        photo, true = jnp.tile(blurry, 3), found["kernels"]
        estimate = estimate_blur(photo, network)
        blur: Any = estimate.blur
        mean = jnp.einsum("hwk,kij->ij", blur.mixing, blur.kernels) / blurry.size
        rows.append({"kernel/similarity": similarity(np.asarray(mean), true[0])})
        options = {"transfer": estimate.transfer, "saturates": estimate.saturates}
        options |= {"denoise": denoise, "margin": estimate.margin}
        margin = max(estimate.margin, true.shape[-1] // 2)
        known = BasisBlur(jnp.asarray(true), jnp.ones_like(photo[..., :1]))
        pictures = {
            "blurred": photo,
            "blind": restore(blur, photo, **options)[0],
            "known": restore(known, photo, **{**options, "margin": margin})[0],
        }
        for name, picture in pictures.items():
            grey = np.asarray(jnp.mean(picture, axis=-1, keepdims=True))
            both = crop(shifted_onto(grey, sharp), INNER), crop(jnp.asarray(sharp), INNER)
            rows[-1] |= {f"psnr/{name}": float(psnr(*both)), f"ssim/{name}": float(ssim(*both))}
        print(path.name, {key: round(value, 2) for key, value in rows[-1].items()}, flush=True)
    return {**mean_metrics(rows), "photos": len(rows)}


def similarity(kernel: np.ndarray, other: np.ndarray) -> float:
    """Returns the largest normalised correlation of two kernels over all shifts."""
    size = [sum(sides) - 1 for sides in zip(kernel.shape, other.shape, strict=True)]
    spectra = [np.fft.rfft2(each / np.linalg.norm(each), size) for each in (kernel, other)]
    return float(np.fft.irfft2(spectra[0] * np.conj(spectra[1]), size).max())


if __name__ == "__main__":
    run_command(main)
