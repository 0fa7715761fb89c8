"""Restoring a frame of a video from its neighbours, without known motion (Zhang 2021).

    weight * sum_s |warp(next_s, flow_s) - blurry_s|^2 / 2  +  |restored - sharp|^2 / 2

summed over pixels and channels; s are the scales at which the network estimates flow.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.losses.flow_pyramid import warp_error
from deblur_jax.metrics import psnr
from deblur_jax.models.blocks import pad_to_multiple
from deblur_jax.models.flow_rnn import STRIDE
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training import simulations
from deblur_jax.training.evaluation import Score, draw_restored, score_restored
from deblur_jax.training.step import simulated
from deblur_jax.typing import Array


draw = draw_restored

FRAMES = ("blurry", "next_blurry", "previous_blurry")  # as networks take them


def make_simulate(*, name: str, frames: int, **options: Any) -> Simulate:
    """Returns a simulation whose examples have as many blurry frames as the network takes.

    Args:
        name: see `training.simulations.make_simulate`.
        frames: 1 (`blurry`), 2 (and `next_blurry`) or 3 (and `previous_blurry`).
        **options: of the simulation.
    """
    if frames not in (1, 2, 3):
        raise ValueError(f"simulate.frames must be 1, 2 or 3, got {frames}")
    simulate = simulations.make_simulate(name=name, **options)
    names = (*FRAMES[:frames], "sharp")

    def chosen(key: jax.Array, example: Example) -> Example:
        found = simulate(key, example)
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(
                f"the examples have no {' and no '.join(missing)}; lower simulate.frames, or raise "
                "source.neighbours"
            )
        return {name: found[name] for name in names}

    return chosen


def make_loss(model: Any, simulate: Simulate, *, flow_weight: float) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    Args:
        model: such as `FlowRnnNet`, or `SpatialRnnNet`, which takes one frame and has no flow.
        simulate: makes blurry frames and a sharp one.
        flow_weight: of the error of the warped neighbours; the paper's is 1, its ablation "w/o
            flow losses" has 0.
    """

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        del step
        example = simulated(simulate, batch, key)
        estimate = model.apply({"params": params, **statistics}, *_frames(example))
        restored, (_, flows) = model.restored(estimate), estimate
        mistake = jnp.mean(jnp.sum(jnp.square(restored - example["sharp"]), axis=(1, 2, 3))) / 2
        warp = _warp_error(flows, _frames(example)) if flows else jnp.zeros(())
        scores = jax.vmap(psnr)
        terms = {
            "loss/restored": mistake,
            "loss/warp": warp,
            "psnr/blurred": jnp.mean(scores(example["blurry"], example["sharp"])),
            "psnr/restored": jnp.mean(scores(restored, example["sharp"])),
        }
        return mistake + flow_weight * warp, (terms, statistics)

    return loss_fn


def _warp_error(flows: tuple[jax.Array, ...], frames: tuple[Array, ...]) -> jax.Array:
    """Returns the errors of warping each neighbour to the first frame: the mean over the batch."""
    # The flows are of the frames as the network padded them.
    first, *neighbours = (pad_to_multiple(frame, STRIDE, mode="constant") for frame in frames)
    total = jnp.zeros(())
    for number, neighbour in enumerate(neighbours):
        part = tuple(flow[..., 2 * number : 2 * number + 2] for flow in flows)
        total = total + jnp.mean(jax.vmap(warp_error)(part, first, neighbour))
    return total


def _frames(example: Example) -> tuple[Array, ...]:
    return tuple(example[name] for name in FRAMES if name in example)


def model_inputs(simulate: Simulate, batch: Example, key: jax.Array) -> tuple[Array, ...]:
    """Returns the arrays that the network is called with."""
    return _frames(simulated(simulate, batch, key))


def make_score(model: Any) -> Score:
    """Return the score of restored frames.

    Args:
        model: the network.

    Returns:
        A score of `restored`, and of `same_frame`, for which the network is given the frame itself
        as its neighbours: without motion between them there is nothing to learn from, and it
        should restore less.
    """

    def apply(variables: Any, *frames: Array) -> jax.Array:
        return model.restored(model.apply(variables, *(frame[None] for frame in frames)))[0]

    def same_frame(variables: Any, x: Example) -> jax.Array:
        return apply(variables, *[x["blurry"]] * len(_frames(x)))

    restorations: dict[str, Any] = {"restored": lambda variables, x: apply(variables, *_frames(x))}
    if getattr(model, "frames", 1) > 1:
        restorations["same_frame"] = same_frame
    return score_restored(restorations)
