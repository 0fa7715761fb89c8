"""Learning what photos look like: a noisy photo and its noise level in, the photo out.

The batch holds sharp photos only; the noise is made here, on the device.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.data.examples import Source
from deblur_jax.metrics import mean_metrics, psnr
from deblur_jax.training.examples import Example, Simulate, simulated


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
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    The loss is the mean absolute error.

    Args:
        model: maps noisy photos and noise levels to photos, such as `DenoiserNet`.
        simulate: makes a noisy photo out of a sharp one.
    """

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
        example = simulated(simulate, batch, key)
        variables = {"params": params, **statistics}
        restored = model.apply(variables, example["noisy"], example["sigma"])
        loss = jnp.mean(jnp.abs(restored - example["sharp"]))
        terms = {"psnr/restored": jnp.mean(jax.vmap(psnr)(restored, example["sharp"]))}
        return loss, (terms, statistics)

    return loss_fn


def model_inputs(simulate: Simulate, batch: Example, key: jax.Array) -> tuple[jax.Array]:
    """Returns the arrays that the network is called with; without a noise level it assumes none."""
    return (simulated(simulate, batch, key)["noisy"],)


def evaluate(
    model: Any,
    variables: Any,
    source: Source,
    simulate: Simulate,
    *,
    seed: int,
    workdir: Path,
    levels: Sequence[int],
) -> dict[str, float]:
    """Measures what is left of known noise, over whole photos.

    Args:
        model: the network.
        variables: its parameters and statistics.
        source: sharp photos that the network was not trained on.
        simulate: not used: the levels are given.
        seed: of the noise.
        workdir: not used.
        levels: standard deviations of the noise in 255ths of the range of values.

    Returns:
        `psnr/LEVEL` and, of the noisy photos themselves, `psnr/noisy_LEVEL`: means over the photos
        of the ratio over all pixels and channels, in decibels. As in published tables the noisy
        photo is not clipped, and the restored one is clipped and rounded to 8 bits.
    """
    del simulate, workdir

    @jax.jit
    def score(key: jax.Array, sharp: jax.Array, sigma: jax.Array):
        noisy = sharp + sigma * jax.random.normal(key, sharp.shape, sharp.dtype)
        restored = model.apply(variables, noisy[None], sigma)[0]
        shown = jnp.round(255 * jnp.clip(restored, 0, 1)) / 255
        return psnr(noisy, sharp), psnr(shown, sharp)

    rows = []
    for index in range(len(source)):
        sharp = jnp.asarray(source[index]["sharp"], jnp.float32) / 255
        row = {}
        for level in levels:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), index), level)
            noisy, restored = score(key, sharp, jnp.float32(level / 255))
            row |= {f"psnr/noisy_{level}": noisy, f"psnr/{level}": restored}
        rows.append(row)
    return mean_metrics(rows)
