"""Restoring a frame with the help of the ones beside it, whose motion nobody tells (Zhang 2021).

    weight * sum_s |warp(next_s, flow_s) - blurry_s|^2 / 2  +  |restored - sharp|^2 / 2

summed over pixels and colours; s are the scales at which the network estimates flow.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.data.examples import Source
from deblur_jax.losses.flow_pyramid import warp_error
from deblur_jax.metrics import psnr
from deblur_jax.models.blocks import pad_to_multiple
from deblur_jax.models.flow_rnn import STRIDE
from deblur_jax.training import simulations
from deblur_jax.training.examples import Example, Simulate, held_out, simulated
from deblur_jax.training.restored import evaluate_restored


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
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    Args:
        model: such as `FlowRnnNet`, or `SpatialRnnNet`, which sees one frame and no flow.
        simulate: makes blurry frames and a sharp one.
        flow_weight: of the error of the warped neighbours; the paper's is 1, its ablation "w/o
            flow losses" has 0.
    """

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
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


def _warp_error(flows: tuple[jax.Array, ...], frames: tuple[jax.Array, ...]) -> jax.Array:
    """Returns the errors of warping each neighbour to the first frame: the mean over the batch."""
    # The flows are of the frames as the network padded them.
    first, *neighbours = (pad_to_multiple(frame, STRIDE, mode="constant") for frame in frames)
    total = jnp.zeros(())
    for number, neighbour in enumerate(neighbours):
        part = tuple(flow[..., 2 * number : 2 * number + 2] for flow in flows)
        total = total + jnp.mean(jax.vmap(warp_error)(part, first, neighbour))
    return total


def _frames(example: Example) -> tuple[jax.Array, ...]:
    return tuple(example[name] for name in FRAMES if name in example)


def model_inputs(simulate: Simulate, batch: Example, key: jax.Array) -> tuple[jax.Array, ...]:
    """Returns the arrays that the network is called with."""
    return _frames(simulated(simulate, batch, key))


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
    """Measures restored frames that the network was not trained on.

    Args:
        model: the network.
        variables: its parameters and statistics.
        source: what blurry and sharp frames are made of.
        simulate: makes them.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.
        **chosen: seed, size and number of the examples, see `training.examples.held_out`.

    Returns:
        See `training.restored.evaluate_restored`; the restoration is called `restored`, and
        `same_frame` where the network was given the frame itself as its neighbours: without
        motion between them there is nothing to learn from, and it should restore less.
    """

    def apply(*frames: jax.Array) -> jax.Array:
        return model.restored(model.apply(variables, *(frame[None] for frame in frames)))[0]

    def same_frame(example: Example) -> jax.Array:
        return apply(*[example["blurry"]] * len(_frames(example)))

    restorations = {"restored": lambda example: apply(*_frames(example))}
    if getattr(model, "frames", 1) > 1:
        restorations["same_frame"] = same_frame
    examples = held_out(source, simulate, **chosen)
    return evaluate_restored(restorations, examples, workdir=workdir, pictures=pictures)
