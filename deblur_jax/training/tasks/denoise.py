"""Removing noise: a noisy photo and its noise level in, the photo without noise out.

A batch holds sharp photos only; the noise is added on the device.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.metrics import psnr
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.evaluation import Arrays, Score
from deblur_jax.training.step import simulated
from deblur_jax.typing import Array


def make_simulate(*, strongest: float) -> Simulate:
    """Returns `simulate(key, {"sharp"}) -> {"sharp", "noisy", "sigma"}` for one photo.

    Args:
        strongest: the largest standard deviation of the noise; it is drawn uniformly from zero to
            this. The noise is white and Gaussian, and nothing is clipped.
    """

    def simulate(key: jax.Array, example: Example) -> Example:
        sharp = example["sharp"]
        level_key, noise_key = jax.random.split(key)
        sigma = strongest * jax.random.uniform(level_key, (), sharp.dtype)
        noise = jax.random.normal(noise_key, sharp.shape, sharp.dtype)
        return {"sharp": sharp, "noisy": sharp + sigma * noise, "sigma": sigma}

    return simulate


def make_loss(model: Any, simulate: Simulate) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    The loss is the mean absolute error.

    Args:
        model: maps noisy photos and noise levels to photos, such as `DenoiserNet`.
        simulate: makes a noisy photo out of a sharp one.
    """

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        del step
        example = simulated(simulate, batch, key)
        variables = {"params": params, **statistics}
        restored = model.apply(variables, example["noisy"], example["sigma"])
        loss = jnp.mean(jnp.abs(restored - example["sharp"]))
        terms = {"psnr/restored": jnp.mean(jax.vmap(psnr)(restored, example["sharp"]))}
        return loss, (terms, statistics)

    return loss_fn


def model_inputs(simulate: Simulate, batch: Example, key: jax.Array) -> tuple[Array]:
    """Return the network's inputs; the noise level may be omitted."""
    return (simulated(simulate, batch, key)["noisy"],)


def make_score(model: Any, *, levels: Sequence[int]) -> Score:
    """Return the score of photos from which noise of known levels is removed.

    Args:
        model: the network.
        levels: standard deviations of the noise, in units of 1/255.

    Returns:
        A score with the metrics `psnr/LEVEL` and, of the noisy photos themselves,
        `psnr/noisy_LEVEL`. As in published tables the noisy photo is not clipped, and the restored
        one is clipped and rounded to 8 bits.
    """

    def score(variables: Any, example: Example, key: jax.Array) -> tuple[Arrays, Arrays]:
        sharp = jnp.asarray(example["sharp"])
        metrics, shown = {}, {}
        for level in levels:
            sigma = jnp.float32(level / 255)
            noise = jax.random.normal(jax.random.fold_in(key, level), sharp.shape, sharp.dtype)
            noisy = sharp + sigma * noise
            restored = jnp.clip(model.apply(variables, noisy[None], sigma)[0], 0, 1)
            restored = jnp.round(255 * restored) / 255
            metrics[f"psnr/noisy_{level}"] = psnr(noisy, sharp)
            metrics[f"psnr/{level}"] = psnr(restored, sharp)
            shown |= {f"noisy_{level}": jnp.clip(noisy, 0, 1), f"{level}": restored}
        return metrics, shown

    return score


def draw(example: Arrays, shown: Arrays, metrics: dict[str, float]) -> Arrays:
    """Return the noisy, restored and sharp photos by title."""
    titled = {f"{name}, {metrics[f'psnr/{name}']:.1f} dB": shown[name] for name in shown}
    return {**titled, "sharp": example["sharp"]}
