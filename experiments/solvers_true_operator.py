r"""Restores photos whose blur is known exactly: what each solver makes of the true operator.

    python experiments/solvers_true_operator.py --images BSDS500/val --limit 50 --seed 0 \
        --out experiments/results/solvers_true_operator.json
    python experiments/solvers_true_operator.py --images BSDS500/val --levin LEVIN --limit 8 \
        --settings basis levin --out experiments/results/solvers_true_kernels.json

Four settings. `mild` and `large`: each photo is blurred by one random camera motion of Gong et al.
2017 (of up to 17 or 36 pixels, rounded; light from outside repeats the edge), cropped by half the
longest motion. `basis`: by 25 random shake kernels of side 33, mixed differently in every pixel
(gather), cropped by 16 pixels. These are rounded to 8 bits and have no other noise. `levin`: the
real photos of Levin et al. 2009 with their measured kernels; restorations are shifted onto the
sharp photo by eighths of a pixel, and scored without 25 pixels at each edge.

The solvers have their published schedules: `plug_and_play` Zhang's with 20 linear steps
each, `epll` Gong's, `steepest_descent` Carbajal's. `steepest_descent_quiet` takes 90 longer
gradient steps and lower noise levels, chosen on two training photos.

Scores are those of 8-bit results, seconds those of a solve that is compiled already. A file that is
there already is added to, so an interrupted run goes on and a solver can be added.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from levin import INNER, crop, shifted_onto
from recorded import origin

from deblur_jax import psnr, ssim
from deblur_jax.data.levin import read_levin
from deblur_jax.io.files import write_json
from deblur_jax.io.images import SUFFIXES, read_photo
from deblur_jax.metrics import mean_metrics
from deblur_jax.models.gmm import PatchMixture
from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import BasisBlur, LineBlur
from deblur_jax.ops.sensor import QUANTISATION_NOISE, quantize
from deblur_jax.pretrained import load_denoiser, load_mixture
from deblur_jax.simulate.camera_flow import LARGE, MILD, camera_flow
from deblur_jax.simulate.shake_kernels import shake_kernel
from deblur_jax.solvers.diagnosis import noise_level
from deblur_jax.solvers.epll import epll
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.proximal_gradient import proximal_gradient
from deblur_jax.solvers.richardson_lucy import richardson_lucy
from deblur_jax.solvers.schedules import carbajal_sigmas, gong_penalties, log_spaced, zhang_sigmas
from deblur_jax.solvers.steepest_descent import steepest_descent


MARGIN = 18  # pixels, half the longest motion
MOTIONS = {"mild": MILD, "large": LARGE}
SETTINGS = (*MOTIONS, "basis", "levin")
COUNT, SIDE = 25, 33  # of the basis
LARGEST = 27  # side of Levin's kernels
PUBLISHED = {"mild": {"psnr": 24.655, "ssim": 0.7481}, "large": {"psnr": 23.022, "ssim": 0.6609}}

Blur = LineBlur | BasisBlur


class Example(NamedTuple):
    """A photo whose blur and noise are known, and how wide an unknown frame it needs."""

    name: str
    sharp: jax.Array
    blurry: jax.Array
    blur: Blur
    margin: int
    noise: float = QUANTISATION_NOISE


def main() -> None:
    """Runs the table."""
    arguments = parse()
    solvers = {k: v for k, v in make_solvers(arguments).items() if k in arguments.only}
    record = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"rows": []}
    timed = Timed(load_mixture(arguments.mixture))
    rows = {(row["setting"], row["photo"]): row for row in record["rows"]}
    for setting, example in examples(arguments):
        row = rows.setdefault(
            (setting, example.name), {"setting": setting, "photo": example.name, "scores": {}}
        )
        scores = row["scores"]
        scores["blurry"] = score(example.blurry, example.sharp, setting, 0.0)
        for name, solve in solvers.items():
            if name not in scores:
                restored, seconds = timed(name, solve, example)
                scores[name] = score(restored, example.sharp, setting, seconds)
                write(arguments, list(rows.values()))
        print(setting, example.name, {k: round(v["psnr"], 2) for k, v in scores.items()},
              flush=True)  # fmt: skip
    print(table(list(rows.values())))


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--levin", type=Path, default=None)
    parser.add_argument("--limit", type=int, default=50, help="photos of each setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", default=["mild", "large"], choices=SETTINGS)
    parser.add_argument("--mixture", default="gmm", help="shipped by name, or a file")
    parser.add_argument("--denoiser", default="denoiser", help="shipped by name, or a file")
    parser.add_argument("--only", nargs="+", default=list(SOLVERS), choices=SOLVERS)
    return parser.parse_args()


SOLVERS = (
    "plug_and_play", "steepest_descent_quiet", "steepest_descent", "epll", "tv", "richardson_lucy",
)  # fmt: skip
QUIET = {"gradient_steps": 6, "step_size": 1.3}  # for photos with hardly any noise
QUIET_SIGMAS = (20 / 255, 0.6 / 255, 15)


def make_solvers(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the solvers: `(blur, blurry, noise, mixture, *, margin) -> (restored, trace)`."""
    denoise = load_denoiser(arguments.denoiser)
    carbajal, quiet, gong = carbajal_sigmas(), log_spaced(*QUIET_SIGMAS), gong_penalties()

    def plugged(blur, y, noise, mixture, **options):
        return plug_and_play(blur, y, denoise, sigmas=zhang_sigmas(noise), noise=noise, **options)

    def patched(blur, y, noise, mixture, **options):
        return epll(blur, y, mixture, penalties=gong, **options)

    def flattened(blur, y, noise, mixture, **options):
        return proximal_gradient(blur, y, 1e-3 * noise / QUANTISATION_NOISE, **options)

    def counted(blur, y, noise, mixture, **options):
        return richardson_lucy(blur, y, jnp.float32(1e-3), **options)

    def descended(blur, y, noise, mixture, **options):
        return steepest_descent(blur, y, denoise, sigmas=carbajal, **options)

    def descended_farther(blur, y, noise, mixture, **options):
        return steepest_descent(blur, y, denoise, sigmas=quiet, **QUIET, **options)

    solvers = {
        "plug_and_play": plugged, "epll": patched, "tv": flattened, "richardson_lucy": counted,
        "steepest_descent": descended, "steepest_descent_quiet": descended_farther,
    }  # fmt: skip
    return {name: jax.jit(solve, static_argnames="margin") for name, solve in solvers.items()}


class Timed:
    """Runs solvers, each compiled once for a shape, which does not count as time."""

    def __init__(self, mixture: PatchMixture):
        self.mixture = mixture
        self.compiled: dict[tuple, Any] = {}

    def __call__(self, name: str, solve: Any, example: Example) -> tuple[np.ndarray, float]:
        """Returns a restoration, and its seconds."""
        inputs = (example.blur, example.blurry, jnp.float32(example.noise), self.mixture)
        which = (name, type(example.blur), example.blurry.shape, example.margin)
        if which not in self.compiled:
            self.compiled[which] = solve.lower(*inputs, margin=example.margin).compile()
        begun = time.perf_counter()
        restored = np.asarray(self.compiled[which](*inputs)[0])
        return restored, time.perf_counter() - begun


def examples(arguments: argparse.Namespace) -> Iterator[tuple[str, Example]]:
    """Yields the settings' photos, and which setting each is of."""
    paths = sorted(p for p in arguments.images.iterdir() if p.suffix.lower() in SUFFIXES)
    for index, path in enumerate(paths[: arguments.limit]):
        key = jax.random.fold_in(jax.random.key(arguments.seed), index)
        for setting in arguments.settings:
            if setting in MOTIONS:
                yield setting, moved(key, path, setting)
            if setting == "basis":
                yield setting, shaken(key, path)
    if "levin" in arguments.settings:
        for path in sorted(arguments.levin.glob("*.mat"))[: arguments.limit]:
            yield "levin", photographed(path)


def moved(key: jax.Array, path: Path, setting: str) -> Example:
    """Returns a photo blurred by a camera's motion.

    The crop is half the setting's limit, at least half the longest motion, so that few shapes
    compile.
    """
    sharp, motion = lying(path), MOTIONS[setting]
    flow = camera_flow(key, sharp.shape[0], sharp.shape[1], motion, rounded=True)
    border = int(motion.limit) // 2
    blurry = crop(quantize(line_blur(sharp, flow)), border)
    return Example(path.name, crop(sharp, border), blurry, LineBlur(crop(flow, border)), MARGIN)


def shaken(key: jax.Array, path: Path) -> Example:
    """Returns a photo blurred by many kernels, mixed smoothly."""
    sharp, keys = lying(path), jax.random.split(key)
    kernels = jax.vmap(lambda k: shake_kernel(k, SIDE))(jax.random.split(keys[0], COUNT))
    likings = 3 * jax.random.normal(keys[1], (4, 6, COUNT))
    mixing = jax.nn.softmax(jax.image.resize(likings, (*sharp.shape[:2], COUNT), "cubic"))
    blurry = quantize(basis_blur(sharp, kernels, mixing))
    border = SIDE // 2
    blur = BasisBlur(kernels, crop(mixing, border))
    return Example(path.name, crop(sharp, border), crop(blurry, border), blur, border)


def photographed(path: Path) -> Example:
    """Returns one of Levin's photos; all kernels are given the largest one's side."""
    found = read_levin(path)
    around = (LARGEST - found["kernels"].shape[-1]) // 2
    kernels = jnp.pad(found["kernels"], ((0, 0), (around, around), (around, around)))
    sharp, blurry = (jnp.clip(found[name], 0, 1) for name in ("sharp", "blurry"))
    blur = BasisBlur(kernels, jnp.ones_like(blurry))
    return Example(path.name, sharp, blurry, blur, LARGEST // 2, float(noise_level(blurry)))


def lying(path: Path) -> jax.Array:
    """Returns a photo that is wider than high, turned if need be."""
    sharp = jnp.asarray(read_photo(path).pixels, jnp.float32)
    return jnp.swapaxes(sharp, 0, 1) if sharp.shape[0] > sharp.shape[1] else sharp


def score(image: Any, sharp: jax.Array, setting: str, seconds: float) -> dict[str, float]:
    """Returns PSNR and SSIM of an image rounded to 8 bits, with 25 pixels less at each edge too."""
    image = quantize(jnp.asarray(image))
    if setting == "levin":
        image = shifted_onto(np.asarray(image), np.asarray(sharp))
    inner = [crop(x, INNER) for x in (image, sharp)]
    scored = inner if setting == "levin" else (image, sharp)
    return {
        "psnr": float(psnr(*scored)),
        "ssim": float(ssim(*scored)),
        "psnr_inner": float(psnr(*inner)),
        "seconds": seconds,
    }


def summary(rows: list[dict]) -> dict[str, dict]:
    """Returns the mean scores in each setting, over the photos that all its solvers restored."""
    result = {}
    for setting in SETTINGS:
        scores = [row["scores"] for row in rows if row["setting"] == setting]
        names = [name for name in ("blurry", *SOLVERS) if any(name in each for each in scores)]
        scores = [each for each in scores if all(name in each for name in names)]
        if scores:
            means = {name: mean_metrics([each[name] for each in scores]) for name in names}
            result[setting] = {"photos": len(scores), "means": means}
    return result


def table(rows: list[dict]) -> str:
    """Returns the summary as Markdown: PSNR / SSIM and seconds."""
    found = summary(rows)
    heads = [f"{setting}, {each['photos']} photos" for setting, each in found.items()]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in ("blurry", *SOLVERS):
        cells = [each["means"].get(name) for each in found.values()]
        shown = [
            f"{c['psnr']:.2f} / {c['ssim']:.3f}, {c['seconds']:.1f} s" if c else "" for c in cells
        ]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def write(arguments: argparse.Namespace, rows: list[dict]) -> None:
    """Writes the means and all rows."""
    record = {
        "command": "python experiments/solvers_true_operator.py",
        "seed": arguments.seed,
        "settings": summary(rows),
        "published_by_gong_for_true_kernels": PUBLISHED,
        **origin(),
        "rows": rows,
    }
    write_json(arguments.out, record)


if __name__ == "__main__":
    main()
