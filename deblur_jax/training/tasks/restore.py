"""Restoring photos directly: a blurry one in, the sharp one out at three sizes (Noroozi 2017)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.losses.scales import multiscale_error
from deblur_jax.metrics import psnr
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.evaluation import Score, draw_restored, score_restored
from deblur_jax.training.simulations import make_simulate as make_simulate
from deblur_jax.training.step import DEVICES, blurry_inputs, simulated


model_inputs = blurry_inputs
draw = draw_restored


def make_loss(model: Any, simulate: Simulate) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    Args:
        model: restores photos at several sizes, and normalises by batches, such as `DeblurNet`:
            by the whole batch, over all devices.
        simulate: makes a blurry photo and its sharp one, of sides that the sizes divide.
    """
    network = model.clone(axis_name=DEVICES)

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        del step
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


def make_score(model: Any) -> Score:
    """Return the score of photos that the network restores, called `restored`.

    Args:
        model: the network.
    """

    def restore(variables: Any, example: Example) -> jax.Array:
        return model.restored(model.apply(variables, example["blurry"][None]))[0]

    return score_restored({"restored": restore})
