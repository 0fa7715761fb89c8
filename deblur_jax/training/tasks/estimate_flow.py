"""Learning optical flow from one blurred photo: where each point went meanwhile (Argaw 2021).

Nothing in a blurred photo tells the first moment of its exposure from the last. The flow from the
first to the last belongs to the first one's pixels, the flow back to the last one's.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.data.examples import Source
from deblur_jax.losses.flow_pyramid import pyramid_error
from deblur_jax.metrics import end_point_error, end_point_error_either_way, mean_metrics
from deblur_jax.pictures import flow_colours, with_flow_key, write_panels
from deblur_jax.training.examples import Example, Simulate, blurry_inputs, held_out, simulated
from deblur_jax.training.simulations import make_simulate as make_simulate
from deblur_jax.typing import Array


model_inputs = blurry_inputs


DIRECTIONS = ("either", "first_to_last")


def backward_flow(example: Example) -> Array:
    """Returns the flow from the last moment to the first; without one, the forward flow turned."""
    return example["backward_flow"] if "backward_flow" in example else -example["flow"]


def make_loss(
    model: Any, simulate: Simulate, *, weights: Sequence[float], direction: str
) -> Callable:
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    Args:
        model: gives flows at several scales, such as `BlurToFlowNet`.
        simulate: makes a blurry photo and its flow.
        weights: of the scales from fine to coarse; the paper's are `losses.ARGAW_WEIGHTS`.
        direction: `first_to_last`, the paper's, wants the flow from the first moment to the last;
            `either` takes for each photo the direction that fits better.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"loss.direction must be one of {sorted(DIRECTIONS)}, got {direction!r}")

    def error(levels: tuple[jax.Array, ...], example: Example) -> jax.Array:
        forward = pyramid_error(levels, example["flow"], weights=weights)
        if direction == "first_to_last":
            return forward
        return jnp.minimum(forward, pyramid_error(levels, backward_flow(example), weights=weights))

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
        example = simulated(simulate, batch, key)
        estimate = model.apply({"params": params, **statistics}, example["blurry"])
        loss = jnp.mean(jax.vmap(error)(estimate[1], example))
        either_way = jax.vmap(end_point_error_either_way)
        flow, turned = example["flow"], backward_flow(example)
        terms = {
            "flow/epe": jnp.mean(either_way(model.flow(estimate), flow, turned)),
            "flow/epe_zero_baseline": jnp.mean(either_way(0 * flow, flow, turned)),
        }
        return loss, (terms, statistics)

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
    """Measures the flow in photos that the network was not trained on.

    Args:
        model: the network.
        variables: its parameters and statistics.
        source: what blurry photos and flows are made of.
        simulate: makes them.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.
        **chosen: seed, size and number of the examples, see `training.examples.held_out`.

    Returns:
        Means over the examples, in pixels. `flow/epe` is the paper's: the end-point error in the
        direction in which it is smaller; `flow/epe_first_to_last` the one in the true direction;
        `flow/epe_zero_baseline` the former of no motion at all, and `flow/epe_mean_baseline` of
        each photo's own mean motion.
    """

    @jax.jit
    def score(example: Example) -> tuple[Array, dict[str, Array]]:
        estimate = model.flow(model.apply(variables, example["blurry"][None]))[0]
        flow, turned = example["flow"], backward_flow(example)
        mean = jnp.broadcast_to(jnp.mean(flow, axis=(0, 1)), flow.shape)
        return estimate, {
            "flow/epe": end_point_error_either_way(estimate, flow, turned),
            "flow/epe_first_to_last": end_point_error(estimate, flow),
            "flow/epe_zero_baseline": end_point_error_either_way(0 * flow, flow, turned),
            "flow/epe_mean_baseline": end_point_error_either_way(mean, flow, turned),
        }

    folder = workdir / "pictures"
    folder.mkdir(exist_ok=True)
    rows = []
    for name, example in held_out(source, simulate, **chosen):
        estimate, row = score(example)
        if len(rows) < pictures:
            _draw(folder / f"{name}.png", example, estimate)
        rows.append(row)
    return mean_metrics(rows)


def _draw(path: Path, example: Example, estimate: Array) -> None:
    truth = np.asarray(example["flow"])
    longest = max(float(np.ceil(np.hypot(truth[..., 0], truth[..., 1]).max())), 1.0)

    def painted(flow: Array) -> np.ndarray:
        return with_flow_key(flow_colours(np.asarray(flow), longest=longest), longest=longest)

    write_panels(
        path,
        {
            "blurred": example["blurry"],
            "estimated motion": painted(estimate),
            "true motion": painted(truth),
        },
    )
