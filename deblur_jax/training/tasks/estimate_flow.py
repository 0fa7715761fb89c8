"""Estimating optical flow from one blurred photo: the motion during its exposure (Argaw 2021).

A blurred photo does not show in which direction time ran. The forward flow, from the first moment
of the exposure to the last, is defined on the pixels of the first; the backward flow on those of
the last.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.losses.flow_pyramid import pyramid_error
from deblur_jax.metrics import end_point_error, end_point_error_either_way
from deblur_jax.models.blocks import pad_to_multiple
from deblur_jax.pictures import flow_colours, with_flow_key
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.evaluation import Arrays, Score
from deblur_jax.training.simulations import make_simulate as make_simulate
from deblur_jax.training.step import blurry_inputs, simulated
from deblur_jax.typing import Array


model_inputs = blurry_inputs


DIRECTIONS = ("either", "first_to_last")


def backward_flow(example: Example) -> Array:
    """Return the flow from the last moment to the first; if unknown, minus the forward flow."""
    return example["backward_flow"] if "backward_flow" in example else -example["flow"]


def make_loss(
    model: Any, simulate: Simulate, *, weights: Sequence[float], direction: str
) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    Args:
        model: gives flows at several scales, such as `BlurToFlowNet`.
        simulate: makes a blurry photo and its flow.
        weights: of the scales from fine to coarse; the paper's are `losses.ARGAW_WEIGHTS`.
        direction: `first_to_last`, the paper's, compares with the flow from the first moment to
            the last; `either` with that of the two directions that fits better, for each photo.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"loss.direction must be one of {sorted(DIRECTIONS)}, got {direction!r}")

    def errors(levels: tuple[jax.Array, ...], flow: Array) -> jax.Array:
        # The levels are of the photo as the network pads it, so the truth is padded, too.
        padded = pad_to_multiple(flow, 2 ** len(levels))
        return jax.vmap(lambda *each: pyramid_error(*each, weights=weights))(levels, padded)

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        del step
        example = simulated(simulate, batch, key)
        estimate = model.apply({"params": params, **statistics}, example["blurry"])
        error = errors(estimate[1], example["flow"])
        if direction == "either":
            error = jnp.minimum(error, errors(estimate[1], backward_flow(example)))
        loss = jnp.mean(error)
        either_way = jax.vmap(end_point_error_either_way)
        flow, turned = example["flow"], backward_flow(example)
        terms = {
            "flow/epe": jnp.mean(either_way(model.flow(estimate), flow, turned)),
            "flow/epe_zero_baseline": jnp.mean(either_way(0 * flow, flow, turned)),
        }
        return loss, (terms, statistics)

    return loss_fn


def make_score(model: Any) -> Score:
    """Return the score of an estimated flow.

    Args:
        model: the network.

    Returns:
        A score, in pixels. `flow/epe` is the paper's: the end-point error in the direction in
        which it is smaller; `flow/epe_first_to_last` the one in the true direction;
        `flow/epe_zero_baseline` the former of no motion at all, and `flow/epe_mean_baseline` of
        each photo's own mean motion.
    """

    def score(variables: Any, example: Example, key: jax.Array) -> tuple[Arrays, Arrays]:
        del key
        estimate = model.flow(model.apply(variables, example["blurry"][None]))[0]
        flow, backward = example["flow"], backward_flow(example)
        mean = jnp.broadcast_to(jnp.mean(flow, axis=(0, 1)), flow.shape)
        metrics: Arrays = {
            "flow/epe": end_point_error_either_way(estimate, flow, backward),
            "flow/epe_first_to_last": end_point_error(estimate, flow),
            "flow/epe_zero_baseline": end_point_error_either_way(0 * flow, flow, backward),
            "flow/epe_mean_baseline": end_point_error_either_way(mean, flow, backward),
        }
        return metrics, {"flow": estimate}

    return score


def draw(example: Arrays, shown: Arrays, metrics: dict[str, float]) -> Arrays:
    """Return pictures of the blurred photo and of its estimated and true motion, by title."""
    del metrics
    truth = np.asarray(example["flow"])
    longest = max(float(np.ceil(np.hypot(truth[..., 0], truth[..., 1]).max())), 1.0)

    def coloured(flow: Any) -> np.ndarray:
        return with_flow_key(flow_colours(np.asarray(flow), longest=longest), longest=longest)

    return {
        "blurred": example["blurry"],
        "estimated motion": coloured(shown["flow"]),
        "true motion": coloured(truth),
    }
