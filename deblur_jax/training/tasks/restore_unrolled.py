"""Training a motion estimator and an unrolled solver together: a blurred photo in, a sharp one out.

The loss compares the restored photo with the sharp one. Its gradient passes through every step of
the solver into its schedule, its denoiser and, unless it is frozen, the motion estimator. A batch
holds sharp photos, which are blurred by a simulated camera motion as in `tasks.estimate_motion`.
The motion is estimated from the whole crop, and a part of the crop is restored.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.losses.flow import doubled_angle_distance
from deblur_jax.metrics import psnr
from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.denoiser import DenoiserNet, widen_head
from deblur_jax.models.learned_plug_and_play import HINTS
from deblur_jax.ops.flow import double_angle
from deblur_jax.pretrained import load
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.evaluation import Score, draw_restored, score_restored
from deblur_jax.training.step import blurry_inputs, simulated
from deblur_jax.training.tasks.estimate_motion import make_simulate as make_simulate
from deblur_jax.typing import Array


SMALLEST_ERROR = 1e-6  # mean square, 60 dB: smaller errors have no effect on the loss


model_inputs = blurry_inputs
draw = draw_restored


def make_loss(
    model: Any,
    simulate: Simulate,
    *,
    part: int,
    corrected: float,
    frozen: bool,
    flow_weight: float,
) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    The logarithm of each photo's error is averaged, so that a decibel counts the same in all.

    Args:
        model: a `LearnedPlugAndPlayNet`.
        simulate: makes a blurry photo, its sharp one and its flow out of a sharp one.
        part: side of the part that is restored, anywhere in the crop, in pixels; 0 for all of it.
        corrected: how much of the motion's error is removed before the photo is restored, as
            `refine_motion` does: a share u^corrected of it remains, u uniform in [0, 1] for each
            photo; 0 removes nothing.
        frozen: whether the estimator is not trained.
        flow_weight: of the motion's error in pixels.
    """

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        del step
        example = simulated(simulate, batch, key)
        variables = {"params": params, **statistics}
        doubled = model.apply(variables, example["blurry"], method="estimate_motion")
        doubled = lax.stop_gradient(doubled) if frozen else doubled
        truth = jax.vmap(double_angle)(example["flow"])
        share, place = jax.random.split(jax.random.fold_in(key, 1))
        share = jax.random.uniform(share, (len(doubled), 1, 1, 1), doubled.dtype) ** corrected
        flow = model.flow(truth + share * (doubled - truth))
        photos, sharp, flow = _cut((example["blurry"], example["sharp"], flow), part, place)

        restored = model.apply(variables, photos, flow, method="restore")
        squared = jnp.mean(jnp.square(restored - sharp), axis=(1, 2, 3))
        restoring = jnp.mean(jnp.log(squared + SMALLEST_ERROR))
        seeing = jnp.mean(jax.vmap(doubled_angle_distance)(doubled, example["flow"]))
        scores = jax.vmap(psnr)
        terms = {
            "loss/restored": restoring,
            "loss/flow": seeing,
            "psnr/blurred": jnp.mean(scores(photos, sharp)),
            "psnr/restored": jnp.mean(scores(restored, sharp)),
        }
        return restoring + flow_weight * seeing, (terms, statistics)

    return loss_fn


def _cut(images: tuple[Array, ...], part: int, key: jax.Array) -> tuple[Array, ...]:
    """Cut a square out of every photo at a random place, the same in all `images` [b, h, w, c]."""
    count, height, width, _ = images[0].shape
    if not part:
        return images
    room = jnp.asarray([height - part + 1, width - part + 1])
    places = jax.random.randint(key, (count, 2), 0, room)

    def cut(image: Array, place: jax.Array) -> jax.Array:
        return lax.dynamic_slice(image, (place[0], place[1], 0), (part, part, image.shape[-1]))

    return tuple(jax.vmap(cut)(each, places) for each in images)


def first_params(params: Any, *, estimator: str, denoiser: str) -> Any:
    """Return the parameters before the first step, parts of which are trained already.

    Args:
        params: the random initial parameters.
        estimator: the weights of a `CameraMotionNet` for the motion estimator, for
            `pretrained.load`; "" keeps the random ones.
        denoiser: the weights of a `DenoiserNet` for the prior and for the last network; "" keeps
            the random ones.

    Raises:
        ValueError: if the weights are of another network, or of other widths.
    """
    first = dict(params)
    if estimator:
        first["estimator"] = _weights("estimator", estimator, CameraMotionNet)
    if denoiser:
        first["prior"] = _weights("denoiser", denoiser, DenoiserNet)
        # Copies: the same buffer cannot be donated twice.
        finish = jax.tree.map(jnp.copy, widen_head(first["prior"], hints=HINTS))
        first["finish"] = {**finish, "tail": jax.tree.map(jnp.zeros_like, finish["tail"])}
    for field, name, group in (
        ("estimator", estimator, "estimator"),
        ("denoiser", denoiser, "prior"),
    ):
        shapes, wanted = (jax.tree.map(jnp.shape, dict(tree[group])) for tree in (first, params))
        if shapes != wanted:
            raise ValueError(
                f"init.{field}: {name} has other widths than the model; set those of config.model"
            )
    return first


def untrained(model: Any, *, denoiser: str) -> dict[str, Any]:
    """Return the variables of a network that follows the fixed schedule of the solver.

    Args:
        model: a `LearnedPlugAndPlayNet`.
        denoiser: see `first_params`. The motion estimator is all zeros.
    """
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)  # the fixed schedule
    return {"params": first_params(zeros, estimator="", denoiser=denoiser)}


def make_score(model: Any, *, denoiser: str) -> Score:
    """Return the score of restored photos, with and without the learned parameters.

    Args:
        model: a `LearnedPlugAndPlayNet`.
        denoiser: see `first_params`.

    Returns:
        A score. `restored` uses the motion that the network estimates and `refine_motion` refines,
        `as_seen` that of the network alone, `true_flow` the true one; `before` and
        `true_flow_before` use the parameters before training.
    """
    fixed = untrained(model, denoiser=denoiser)["params"]

    def with_flow(variables: Any, example: Example, flow: Array) -> jax.Array:
        return model.apply(variables, example["blurry"][None], flow[None], method="restore")[0]

    def refined(variables: Any, example: Example) -> jax.Array:
        return model.estimate_blur(variables, jnp.asarray(example["blurry"])).blur.flow

    def before(variables: Any) -> Any:
        return {"params": {**fixed, "estimator": variables["params"]["estimator"]}}

    return score_restored(
        {
            "restored": lambda net, x: with_flow(net, x, refined(net, x)),
            "before": lambda net, x: with_flow(before(net), x, refined(net, x)),
            "as_seen": lambda net, x: model.apply(net, x["blurry"][None]).photos[0],
            "true_flow": lambda net, x: with_flow(net, x, x["flow"]),
            "true_flow_before": lambda net, x: with_flow(before(net), x, x["flow"]),
        }
    )


def _weights(field: str, name: str, kind: type) -> Any:
    network = load(name)
    if not isinstance(network.model, kind):
        raise ValueError(
            f"init.{field} must be the weights of a {kind.__name__}, {name} holds a "
            f"{type(network.model).__name__}"
        )
    return jax.tree.map(jnp.asarray, network.params)
