r"""Kernels seen in one photo, and what a restoration makes of them: simulated blur, Levin's photos.

    python experiments/kernel_tables.py --images BSDS500/images/val --levin LEVIN --limit 50 \
        --seed 0 --model kernel-basis --out experiments/results/kernel_tables.json

`simulated`: the middle of each photo, where an object of random shape and the background are each
blurred by a camera-shake kernel of their own, as the network was trained. `levin`: real photos of
Levin et al. 2009, grey and shaken as a whole; blind, and with the measured kernel. Both are
restored as `deblur` does it, with total variation; `--denoiser denoiser` is the learned prior.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from frames import load_kernel_net
from levin import INNER, crop, shifted_onto
from recorded import origin

from deblur_jax import load_denoiser, psnr, ssim
from deblur_jax.data.levin import read_levin
from deblur_jax.data.sources import folder_source
from deblur_jax.io.files import write_json
from deblur_jax.metrics import mean_metrics
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.pretrained import Pretrained
from deblur_jax.restore import estimate_blur, restore_blur
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import estimate_kernels


SIZE = 288  # pixels, high and wide, of the middle of each photo
PROTOCOL = (
    "simulated: see `simulate` in the weights' card; PSNR over RGB and SSIM of the whole crop. "
    "levin: rounded to 8 bits, shifted onto the sharp photo by eighths of a pixel, scored without "
    f"{INNER} pixels at each edge. `kernel/absolute`: mean over pixels of the summed absolute "
    "error, of 2 at most; `..._baseline` of a kernel that does nothing. `kernel/similarity`: the "
    "largest correlation with the measured kernel over all shifts, of kernels of length one"
)


def main() -> None:
    """Measures, prints and writes."""
    arguments = parse()
    network = load_kernel_net(arguments.model)
    record: dict[str, Any] = {
        "command": "python experiments/kernel_tables.py",
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
        write_json(arguments.out, record)
        print(name, json.dumps(record[name], indent=1), flush=True)


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="sharp photos")
    parser.add_argument("--levin", type=Path, help="the .mat files of Levin et al.")
    parser.add_argument("--limit", type=int, default=0, help="photos of each at most, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation")
    parser.add_argument("--model", default="kernel-basis", help="a name, or a .safetensors file")
    parser.add_argument("--denoiser", default="", help="in place of total variation")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def simulated(network: Pretrained, arguments: argparse.Namespace) -> dict[str, float]:
    """Returns the means over photos of which every pixel's kernel is known."""
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
    """Returns the means over Levin's photos."""
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
        seen, options = estimate_blur(network, photo)
        assert isinstance(seen, BasisBlur)
        mean = jnp.einsum("hwk,kij->ij", seen.mixing, seen.kernels) / blurry.size
        rows.append({"kernel/similarity": similarity(np.asarray(mean), true[0])})
        margins = {**options, "margin": max(options["margin"], true.shape[-1] // 2)}
        known = BasisBlur(jnp.asarray(true), jnp.ones_like(photo[..., :1]))
        pictures = {
            "blurred": photo,
            "blind": restore_blur(seen, photo, denoise=denoise, **options)[0],
            "known": restore_blur(known, photo, denoise=denoise, **margins)[0],
        }
        for name, picture in pictures.items():
            grey = np.asarray(jnp.mean(picture, axis=-1, keepdims=True))
            both = crop(shifted_onto(grey, sharp), INNER), crop(jnp.asarray(sharp), INNER)
            rows[-1] |= {f"psnr/{name}": float(psnr(*both)), f"ssim/{name}": float(ssim(*both))}
        print(path.name, {key: round(value, 2) for key, value in rows[-1].items()}, flush=True)
    return {**mean_metrics(rows), "photos": len(rows)}


def similarity(kernel: np.ndarray, other: np.ndarray) -> float:
    """Returns the largest correlation of two kernels over all shifts; one if they are the same."""
    size = [sum(sides) - 1 for sides in zip(kernel.shape, other.shape, strict=True)]
    spectra = [np.fft.rfft2(each / np.linalg.norm(each), size) for each in (kernel, other)]
    return float(np.fft.irfft2(spectra[0] * np.conj(spectra[1]), size).max())


if __name__ == "__main__":
    main()
