r"""Fit the Gaussian mixture over patches that EPLL uses, by EM on small batches.

    python tools/fit_gmm.py --images PHOTOS --held-out OTHER_PHOTOS --output gmm.safetensors

Every photo contributes the same number of patches of its luma, at random positions. Each step
computes the moments of one batch and moves the running moments towards them by `(step + 2) **
-0.6`; the mixture follows from the moments. The file is written every few steps, with the mean
log density of held-out patches in its model card.
"""

import argparse
import functools
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.data.photos import folder_photos
from deblur_jax.io.images import read_photo
from deblur_jax.io.weights import write_weights
from deblur_jax.models.gmm import (
    Moments,
    PatchMixture,
    blend,
    expectation,
    initial_mixture,
    maximisation,
)
from deblur_jax.typing import Array
from deblur_jax.version import __version__, revision


LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
FLOOR = 1e-6  # about the variance of rounding to 8 bits


def random_patches(
    paths: list[Path], *, side: int, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns `count` patches without their means, `[n, side * side]`, shuffled."""
    each = -(-count // len(paths))
    chosen = []
    for path in paths:
        brightness = read_photo(path).pixels[..., :3] @ LUMA
        windows = np.lib.stride_tricks.sliding_window_view(brightness, (side, side))
        rows = rng.integers(windows.shape[0], size=each)
        columns = rng.integers(windows.shape[1], size=each)
        chosen.append(windows[rows, columns].reshape(each, -1))
    patches = rng.permutation(np.concatenate(chosen))[:count]
    return patches - patches.mean(axis=1, keepdims=True)


@functools.partial(jax.jit, static_argnames="floor")
def em_step(
    mixture: PatchMixture, running: Moments, patches: jax.Array, rate: jax.Array, *, floor: float
) -> tuple[PatchMixture, Moments, Array]:
    """Returns the next mixture and running moments, and the batch's log density before the step."""
    found = expectation(mixture, patches)
    running = blend(running, found, rate)
    return maximisation(running, floor=floor), running, found.log_likelihood


@jax.jit
def mean_log_density(mixture: PatchMixture, patches: jax.Array) -> jax.Array:
    """Returns the mean log density of patches, in nats a patch."""
    return jnp.mean(mixture.log_density(patches))


def fit(
    patches: np.ndarray, *, components: int, batch: int, steps: int, seed: int, floor: float = FLOOR
):
    """Yields (step, mixture, log density of the last batch) while the mixture is fitted.

    Args:
        patches: `[n, d]` without their means, used in order and repeatedly.
        components: number of Gaussians.
        batch: patches in each step.
        steps: number of steps.
        seed: of the initial mixture.
        floor: least variance along any direction.
    """
    batches = len(patches) // batch
    first = jnp.asarray(patches[:batch])
    mixture = initial_mixture(jax.random.key(seed), first, components=components, floor=floor)
    running = jax.jit(expectation)(mixture, first)
    for step in range(steps):
        start = step % batches * batch
        rate = jnp.asarray((step + 2) ** -0.6, patches.dtype)
        some = jnp.asarray(patches[start : start + batch])
        mixture, running, density = em_step(mixture, running, some, rate, floor=floor)
        yield step + 1, mixture, float(density)


def main() -> None:
    """Runs the command line."""
    arguments = parse()
    started, rng = time.perf_counter(), np.random.default_rng(arguments.seed)
    sample = functools.partial(random_patches, side=arguments.side, rng=rng)
    training = folder_photos(arguments.images)
    patches = sample(training, count=arguments.patches)
    held_out = jnp.asarray(sample(folder_photos(arguments.held_out), count=20_000))
    card = {
        "kind": "patch mixture",
        "data": f"{len(training)} training photos, BT.601 brightness of display values in [0, 1]",
        "patches": arguments.patches,
        "side": arguments.side,
        "batch": arguments.batch,
        "seed": arguments.seed,
        "floor": FLOOR,
        "machine": arguments.machine,
        "revision": revision(),
        "version": __version__,
        "jax": jax.__version__,
        "licence": "Apache-2.0",
    }
    fitting = fit(
        patches, components=arguments.components, batch=arguments.batch, steps=arguments.steps,
        seed=arguments.seed,
    )  # fmt: skip
    for step, mixture, density in fitting:
        if step % arguments.every and step != arguments.steps:
            continue
        outside = float(mean_log_density(mixture, held_out))
        minutes = (time.perf_counter() - started) / 60
        print(
            f"step {step}: {density:.3f} in, {outside:.3f} held out, {minutes:.1f} min", flush=True
        )
        tree = {name: np.asarray(value) for name, value in vars(mixture).items()}
        progress = {
            "steps": step,
            "minutes": round(minutes, 1),
            "held_out_log_density": round(outside, 3),
        }
        write_weights(arguments.output, tree, {**card, **progress})


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", required=True, help="a folder of training photos")
    parser.add_argument("--held-out", required=True, help="a folder of held-out photos")
    parser.add_argument("--output", required=True, type=Path, help="the .safetensors file to write")
    parser.add_argument("--components", type=int, default=200, help="Gaussians")
    parser.add_argument("--side", type=int, default=8, help="side of a patch in pixels")
    parser.add_argument("--patches", type=int, default=1_000_000, help="training patches")
    parser.add_argument("--batch", type=int, default=20_000, help="patches in a step")
    parser.add_argument("--steps", type=int, default=300, help="of EM")
    parser.add_argument("--every", type=int, default=10, help="steps between reports")
    parser.add_argument("--seed", type=int, default=0, help="of the patches and the start")
    parser.add_argument("--machine", default="not said", help="a description for the model card")
    return parser.parse_args()


if __name__ == "__main__":
    main()
