"""Learning to see motion and to take it out, as one: a blurred photo in, the sharp one out.

The loss is that of the restored photo, whose gradient passes through every step of the solver into
its plan, its denoiser and, unless it is kept as it is, into the estimator of the motion. The batch
holds sharp photos, which are given a camera's motion here, as in `tasks.estimate_motion`. The
motion is looked for in the whole crop, and a part of it is restored.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.data.examples import Source
from deblur_jax.losses.flow import doubled_angle_distance
from deblur_jax.metrics import psnr
from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.denoiser import DenoiserNet, widen_head
from deblur_jax.models.learned_plug_and_play import HINTS
from deblur_jax.ops.flow import double_angle
from deblur_jax.pretrained import load
from deblur_jax.training.examples import Example, Simulate, blurry_inputs, held_out, simulated
from deblur_jax.training.restored import evaluate_restored
from deblur_jax.training.tasks.estimate_motion import make_simulate as make_simulate


SMALLEST_ERROR = 1e-6  # mean square, 60 dB: below it a photo has nothing more to teach


model_inputs = blurry_inputs


def make_loss(
    model: Any,
    simulate: Simulate,
    *,
    part: int,
    corrected: float,
    frozen: bool,
    flow_weight: float,
    start: str,
    prior: str,
) -> Callable:
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    The logarithm of each photo's error is averaged: a decibel counts alike in all photos.

    Args:
        model: an `LearnedPlugAndPlayNet`.
        simulate: makes a blurry photo, its sharp one and its flow out of a sharp one.
        part: side of the part that is restored, anywhere in the crop, in pixels; 0 for all of it.
        corrected: how much of the error of the motion is taken off before the photo is restored,
            as `refine_motion` does: of each photo all but a share u^corrected, u even in [0, 1];
            0 leaves the motion as it is seen.
        frozen: whether the estimator is kept as it is.
        flow_weight: of the motion's error in pixels.
        start: see `first_params`.
        prior: see `first_params`.
    """
    del start, prior

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
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


def _cut(images: tuple[jax.Array, ...], part: int, key: jax.Array) -> tuple[jax.Array, ...]:
    """Returns a part of every photo, at a place of its own, of images `[b, h, w, c]` alike."""
    count, height, width, _ = images[0].shape
    if not part:
        return images
    room = jnp.asarray([height - part + 1, width - part + 1])
    places = jax.random.randint(key, (count, 2), 0, room)

    def cut(image: jax.Array, place: jax.Array) -> jax.Array:
        return lax.dynamic_slice(image, (place[0], place[1], 0), (part, part, image.shape[-1]))

    return tuple(jax.vmap(cut)(each, places) for each in images)


def first_params(params: Any, *, start: str, prior: str, **_: Any) -> Any:
    """Returns the parameters before the first step.

    Args:
        params: as the network makes them.
        start: the weights of a `CameraMotionNet` for the estimator, for `pretrained.load`; "" to
            begin without any.
        prior: the weights of a `DenoiserNet` for the prior and the last net, likewise.

    Raises:
        ValueError: if the weights are of another network, or of other widths.
    """
    begun = dict(params)
    if start:
        begun["estimator"] = _weights("start", start, CameraMotionNet)
    if prior:
        begun["prior"] = _weights("prior", prior, DenoiserNet)
        # Copies: a step may not be given the same array twice to consume.
        finish = jax.tree.map(jnp.copy, widen_head(begun["prior"], hints=HINTS))
        begun["finish"] = {**finish, "tail": jax.tree.map(jnp.zeros_like, finish["tail"])}
    for field, name, group in (("start", start, "estimator"), ("prior", prior, "prior")):
        shapes, wanted = (jax.tree.map(jnp.shape, dict(tree[group])) for tree in (begun, params))
        if shapes != wanted:
            raise ValueError(f"loss.{field}: {name} has other widths than the model; set model's")
    return begun


def untrained(model: Any, *, start: str, prior: str) -> dict[str, Any]:
    """Returns the variables of a net whose steps are the fixed schedule.

    Args:
        model: an `LearnedPlugAndPlayNet`.
        start: see `first_params`.
        prior: likewise.
    """
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    silent = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)  # a plan of zeros is fixed
    return {"params": first_params(silent, start=start, prior=prior)}


def evaluate(
    model: Any,
    variables: Any,
    source: Source,
    simulate: Simulate,
    *,
    workdir: Path,
    pictures: int,
    start: str,
    prior: str,
    **chosen: int,
) -> dict[str, float]:
    """Measures restored photos, and what was learned has part in it.

    Args:
        model: an `LearnedPlugAndPlayNet`.
        variables: its parameters.
        source: sharp photos that the network was not trained on.
        simulate: makes a blurry photo and its flow out of a sharp one.
        workdir: gets `pictures/`.
        pictures: how many of the examples to draw.
        start: see `first_params`.
        prior: likewise.
        **chosen: seed, size and number of the examples, see `training.examples.held_out`.

    Returns:
        See `training.restored.evaluate_restored`. `restored` are with the motion that the net sees
        and `refine_motion` makes exact, `as_seen` with that of the net alone, `true_flow` with the
        true one; `before` and `true_flow_before` are the parameters before training.
    """
    before = untrained(model, start=start, prior=prior)
    before["params"]["estimator"] = variables["params"]["estimator"]

    def with_flow(net: Any, example: Example, flow: jax.Array) -> jax.Array:
        return model.apply(net, example["blurry"][None], flow[None], method="restore")[0]

    def refined(example: Example) -> jax.Array:
        return model.estimate_blur(variables, example["blurry"]).blur.flow

    restorations = {
        "restored": lambda x: with_flow(variables, x, refined(x)),
        "before": lambda x: with_flow(before, x, refined(x)),
        "as_seen": lambda x: model.apply(variables, x["blurry"][None]).photos[0],
        "true_flow": lambda x: with_flow(variables, x, x["flow"]),
        "true_flow_before": lambda x: with_flow(before, x, x["flow"]),
    }
    examples = held_out(source, simulate, **chosen)
    return evaluate_restored(restorations, examples, workdir=workdir, pictures=pictures)


def _weights(field: str, name: str, kind: type) -> Any:
    network = load(name)
    if not isinstance(network.model, kind):
        raise ValueError(
            f"loss.{field} must be the weights of a {kind.__name__}, {name} holds a "
            f"{type(network.model).__name__}"
        )
    return jax.tree.map(jnp.asarray, network.params)
