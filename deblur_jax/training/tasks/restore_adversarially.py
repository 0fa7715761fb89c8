"""Restoring photos against a critic, by a net whose results, blurred again, must give the photo.

"Blurring to deblur" of Carbajal et al. 2021 with the nets of DeblurGAN:

    content   restored and sharp photos differ little, in the maps of VGG19 or as they are
    critic    a second net cannot tell the restored ones from sharp ones
    reblur    the restored photo, blurred by the kernels seen in the blurry one, gives that one

The critic learns in the same step, a few times for each step of the generator. Its parameters and
its optimizer's memory are what the loss carries: saved with the run, and not released.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from deblur_jax.losses.adversarial import critic_distance, feature_distance, generator_distance
from deblur_jax.losses.reblur import reblur_error
from deblur_jax.models.adversarial import Critic
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.models.vgg import VggFeatures
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.pretrained import load
from deblur_jax.training.examples import Example, Simulate, blurry_inputs, simulated
from deblur_jax.training.state import LOSS
from deblur_jax.training.step import DEVICES, scan_unroll
from deblur_jax.training.tasks.restore import evaluate as evaluate
from deblur_jax.training.tasks.restore import make_simulate as make_simulate


model_inputs = blurry_inputs


TRUTH = "truth"  # the kernels of simulated photos, in place of estimated ones
SIDE = 32  # pixels of the photo that makes the critic's first parameters; they hang on no size

SeeBlur = Callable[[Example], Any]  # gives kernels and mixing of a batch


def first_memory(
    simulate: Simulate, batch: Example, key: jax.Array, *, critic_width: int, **others: Any
) -> dict[str, Any]:
    """Returns the critic before the first step: `params`, their two running moments, `steps`."""
    del simulate, batch, others
    params = Critic(critic_width).init(key, jnp.zeros((1, SIDE, SIDE, 3)))["params"]
    moments = {
        name: jax.tree.map(jnp.zeros_like, params) for name in ("first_moment", "second_moment")
    }
    return {"params": params, **moments, "steps": jnp.zeros((), jnp.int32)}


def make_loss(
    model: Any,
    simulate: Simulate,
    *,
    features: str,
    content_weight: float,
    critic_weight: float,
    reblur_weight: float,
    kernels: str,
    transfer: Transfer,
    critic_width: int,
    critic_steps: int,
    critic_rate: float,
    critic_momentum: float,
) -> Callable:
    """Returns `loss_fn(params, statistics, batch, key) -> (loss, (terms, statistics))`.

    It must run inside a step that is mapped over the devices: the critic is the same on all.

    Args:
        model: a `Generator`.
        simulate: gives `blurry` and `sharp`.
        features: weights of `tools/convert_weights.py` for the content loss; "" compares pixels.
        content_weight: of the mean squared difference of these.
        critic_weight: of what the critic thinks of the restored photos.
        reblur_weight: of the mean squared error of the restored photo when it is blurred again;
            0 leaves kernels out.
        kernels: the weights of a `kernel_basis` net, which are not trained here, or "truth" for
            simulated photos that come with their kernels.
        transfer: from display values to the light in which photos are blurred, with "truth"; a
            net knows its own.
        critic_width: channels of the critic's first maps.
        critic_steps: of the critic for each of the generator, on the same photos.
        critic_rate: its learning rate, with Adam.
        critic_momentum: Adam's first decay for it.

    Source:
        Carbajal et al., arXiv:2102.01026, section 4.1.4; Kupyn et al., "DeblurGAN", CVPR 2018. The
        weight of the reblur error is not published.
    """
    feature_maps = make_features(features)
    reblur = make_reblur(kernels, transfer) if reblur_weight else None
    update: Any = optax.scale_by_adam(critic_momentum).update
    judge = Critic(critic_width)

    def scores(params: Any) -> Callable:
        return lambda photos: judge.apply({"params": params}, photos)

    def train_critic(critic: Any, restored: jax.Array, sharp: jax.Array, key: jax.Array):
        def distance(params: Any, key: jax.Array) -> jax.Array:
            return critic_distance(scores(params), restored, sharp, key)

        def step(critic: Any, key: jax.Array):
            value, grads = jax.value_and_grad(distance)(critic["params"], key)
            value, grads = lax.pmean((value, grads), DEVICES)
            memory = optax.ScaleByAdamState(
                critic["steps"], critic["first_moment"], critic["second_moment"]
            )
            updates, memory = update(grads, memory)
            params = jax.tree.map(lambda x, up: x - critic_rate * up, critic["params"], updates)
            return {
                "params": params,
                "first_moment": memory.mu,
                "second_moment": memory.nu,
                "steps": memory.count,
            }, value

        keys = jax.random.split(key, critic_steps)
        critic, values = lax.scan(step, critic, keys, unroll=scan_unroll(critic_steps))
        return critic, values[-1]

    def loss_fn(params: Any, statistics: Any, batch: Example, key: jax.Array):
        simulating, dropping, judging = jax.random.split(key, 3)
        example = simulated(simulate, batch, simulating)
        sharp = jnp.asarray(example["sharp"])
        restored = model.apply(
            {"params": params}, example["blurry"], train=True, rngs={"dropout": dropping}
        )
        critic, distance = train_critic(
            statistics[LOSS], lax.stop_gradient(restored), sharp, judging
        )
        terms = {
            "loss/content": feature_distance(feature_maps, restored, sharp),
            "loss/generator": generator_distance(scores(critic["params"]), restored),
        }
        loss = content_weight * terms["loss/content"] + critic_weight * terms["loss/generator"]
        if reblur is not None:
            terms["loss/reblur"] = reblur(restored, example)
            loss += reblur_weight * terms["loss/reblur"]
        terms["loss/critic"] = distance
        return loss, (terms, {LOSS: critic})

    return loss_fn


def make_features(features: str) -> Callable[[Any], jax.Array]:
    """Returns the maps in which photos are compared: those of a file, or the photos themselves."""
    if not features:
        return jnp.asarray
    network = load(features)
    if not isinstance(network.model, VggFeatures):
        raise ValueError(
            f"{features}: holds a {type(network.model).__name__}, expected VggFeatures; make the "
            "file with tools/convert_weights.py"
        )
    model: Any = network.model
    return lambda photos: model.apply(network.variables, photos)


def make_reblur(kernels: str, transfer: Transfer) -> Callable[[jax.Array, Example], jax.Array]:
    """Returns the mean squared error of restored photos, blurred by the kernels of the blurry ones.

    Args:
        kernels: see `make_loss`.
        transfer: likewise.
    """
    see_blur, transfer = _make_see_blur(kernels, transfer)

    def error(restored: jax.Array, blurry: jax.Array, kernels: jax.Array, mixing: jax.Array):
        weights = jnp.full(restored.shape[:2], 1 / restored.size, restored.dtype)
        restored, blurry = to_light(restored, transfer), to_light(blurry, transfer)
        return reblur_error(restored, blurry, kernels, mixing, weights)

    def reblur(restored: jax.Array, example: Example) -> jax.Array:
        blur = lax.stop_gradient(see_blur(example))
        return jnp.mean(jax.vmap(error)(restored, example["blurry"], *blur))

    return reblur


def _make_see_blur(kernels: str, transfer: Transfer) -> tuple[SeeBlur, Transfer]:
    """Returns what gives kernels and mixing of an example's batch, and the light they are of."""
    if kernels == TRUTH:
        return lambda example: (example["kernels"], example["mixing"]), transfer
    if not kernels:
        raise ValueError(
            "loss.kernels must be the weights of a kernel_basis net or 'truth', got ''; or set "
            "loss.reblur_weight to 0"
        )
    network = load(kernels)
    if not isinstance(network.model, KernelBasisNet):
        raise ValueError(
            f"{kernels}: holds a {type(network.model).__name__}, expected a KernelBasisNet; give "
            "the weights of one"
        )
    model: Any = network.model
    return lambda example: model.apply(network.variables, example["blurry"]), model.transfer
