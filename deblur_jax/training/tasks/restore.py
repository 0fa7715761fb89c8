"""Restoring photos directly: a blurry one in, the sharp one out at three sizes (Noroozi 2017)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.data.examples import Source
from deblur_jax.losses.scales import multiscale_error
from deblur_jax.metrics import psnr
from deblur_jax.training.examples import Example, Simulate, blurry_inputs, held_out, simulated
from deblur_jax.training.restored import evaluate_restored
from deblur_jax.training.simulations import make_simulate as make_simulate
from deblur_jax.training.step import DEVICES


model_inputs = blurry_inputs


def make_loss(model: Any, simulate: Simulate) -> Callable:
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    Args:
        model: restores photos at several sizes, and normalises by batches, such as `DeblurNet`:
            by the whole batch, over all devices.
        simulate: makes a blurry photo and its sharp one, of sides that the sizes divide.
    """
    network = model.clone(axis_name=DEVICES)

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
        example = simulated(simulate, batch, key)
        variables = {"params": params, **statistics}
        restored, changed = network.apply(
            variables, example["blurry"], train=True, mutable=["batch_stats"]
        )
        loss = jnp.mean(jax.vmap(multiscale_error)(restored, example["sharp"]))
        scores = jax.vmap(psnr)
        terms = {
            "psnr/blurred": jnp.mean(scores(example["blurry"], example["sharp"])),
            "psnr/restored": jnp.mean(scores(model.restored(restored), example["sharp"])),
        }
        return loss, (terms, {**statistics, **changed})

    return loss_fn


def evaluate(
    model: Any,
    variables: Any,
    source: Source,
    simulate: Simulate,
    *,
    workdir: Path,
    pictures: int,
    **chosen: int,
) -> dict[str, float]:
    """Measures restored photos that the network was not trained on.

    Args:
        model: the network.
        variables: its parameters and statistics.
        source: what blurry and sharp photos are made of.
        simulate: makes them.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.
        **chosen: seed, size and number of the examples, see `training.examples.held_out`.

    Returns:
        See `training.restored.evaluate_restored`; the restoration is called `restored`.
    """

    def restore(example: Example) -> jax.Array:
        return model.restored(model.apply(variables, example["blurry"][None]))[0]

    examples = held_out(source, simulate, **chosen)
    return evaluate_restored({"restored": restore}, examples, workdir=workdir, pictures=pictures)
