"""Learning to see motion and to take it out, as one: a blurred photo in, the sharp one out.

The loss is that of the restored photo, whose gradient passes through every step of the solver into
its schedule and into the estimator of the motion; the motion itself may count as well. The batch
holds sharp photos, which are given a camera's motion here, as in `tasks.motion_flow`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.data.examples import Source
from deblur_jax.losses.flow import doubled_angle_distance
from deblur_jax.metrics import flow_mse_sign_invariant, psnr
from deblur_jax.models.motion_context import MotionContextNet
from deblur_jax.pretrained import load
from deblur_jax.training.examples import Example, Simulate, blurry_inputs, held_out, simulated
from deblur_jax.training.restored import evaluate_restored
from deblur_jax.training.tasks.motion_flow import make_simulate as make_simulate


SMALLEST_ERROR = 1e-6  # mean square, 60 dB: below it a photo has nothing more to teach


model_inputs = blurry_inputs


def make_loss(model: Any, simulate: Simulate, *, flow_weight: float, start: str) -> Callable:
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    The logarithm of each photo's error is averaged: a decibel counts alike in all photos.

    Args:
        model: an `UnrolledNet`.
        simulate: makes a blurry photo, its sharp one and its flow out of a sharp one.
        flow_weight: of the motion's error in pixels.
        start: see `first_params`.
    """
    del start

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
        example = simulated(simulate, batch, key)
        result = model.apply({"params": params, **statistics}, example["blurry"])
        squared = jnp.mean(jnp.square(result.photos - example["sharp"]), axis=(1, 2, 3))
        restoring = jnp.mean(jnp.log(squared + SMALLEST_ERROR))
        seeing = jnp.mean(jax.vmap(doubled_angle_distance)(result.doubled, example["flow"]))
        flow, scores = model.flow(result), jax.vmap(psnr)
        terms = {
            "loss/restored": restoring,
            "loss/flow": seeing,
            "flow/mse_sign_invariant": jnp.mean(
                jax.vmap(flow_mse_sign_invariant)(flow, example["flow"])
            ),
            "psnr/blurred": jnp.mean(scores(example["blurry"], example["sharp"])),
            "psnr/restored": jnp.mean(scores(result.photos, example["sharp"])),
        }
        return restoring + flow_weight * seeing, (terms, statistics)

    return loss_fn


def first_params(params: Any, *, start: str, **_: Any) -> Any:
    """Returns the parameters before the first step.

    Args:
        params: as the network makes them.
        start: the weights of a `MotionContextNet` for the estimator, for `pretrained.load`; "" to
            begin without any.

    Raises:
        ValueError: if the weights are of another network, or of other widths.
    """
    if not start:
        return params
    weights = _motion_weights(start)
    shapes, wanted = (jax.tree.map(jnp.shape, tree) for tree in (weights, params["estimator"]))
    if shapes != wanted:
        raise ValueError(
            f"loss.start: {start} has other widths than the model; set model.widths and "
            "model.blocks to its own"
        )
    return {**params, "estimator": weights}


def evaluate(
    model: Any,
    variables: Any,
    source: Source,
    simulate: Simulate,
    *,
    workdir: Path,
    pictures: int,
    start: str,
    **chosen: int,
) -> dict[str, float]:
    """Measures restored photos, and what learned steps and the learned estimator have part in it.

    Args:
        model: an `UnrolledNet`.
        variables: its parameters.
        source: sharp photos that the network was not trained on.
        simulate: makes a blurry photo and its flow out of a sharp one.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.
        start: the weights that training began with, see `first_params`; "" leaves `start` out.
        **chosen: seed, size and number of the examples, see `training.examples.held_out`.

    Returns:
        See `training.restored.evaluate_restored`. `start` are the first weights' motion and the
        fixed schedule; `fixed` this net's motion and the fixed schedule; `true_flow` the true
        motion and the learned schedule, and `true_flow_fixed` the true motion and the fixed one.
    """

    def with_flow(example: Example, flow: jax.Array, *, learned: bool) -> jax.Array:
        blurry = example["blurry"][None]
        options = {"learned": learned, "method": "restore"}
        return model.apply(variables, blurry, flow, **options)[0]

    def seen(example: Example) -> jax.Array:
        return model.flow(model.apply(variables, example["blurry"][None]))

    restorations = {
        "restored": lambda x: with_flow(x, seen(x), learned=True),
        "fixed": lambda x: with_flow(x, seen(x), learned=False),
        "true_flow": lambda x: with_flow(x, x["flow"][None], learned=True),
        "true_flow_fixed": lambda x: with_flow(x, x["flow"][None], learned=False),
    }
    if start:
        first = {"params": first_params(dict(variables["params"]), start=start)}
        restorations["start"] = lambda x: model.apply(
            variables,
            x["blurry"][None],
            model.flow(model.apply(first, x["blurry"][None])),
            learned=False,
            method="restore",
        )[0]
    examples = held_out(source, simulate, **chosen)
    return evaluate_restored(restorations, examples, workdir=workdir, pictures=pictures)


def _motion_weights(name: str) -> Any:
    network = load(name)
    if not isinstance(network.model, MotionContextNet):
        raise ValueError(
            f"loss.start must be the weights of a motion_context net, {name} holds a "
            f"{type(network.model).__name__}"
        )
    return jax.tree.map(jnp.asarray, network.params)
