"""Restoring photos with an adversarial loss and a reblur loss.

"Blurring to deblur" of Carbajal et al. 2021 with the networks of DeblurGAN. The generator minimises
the weighted sum of three terms:

    content   the difference of restored and sharp photos, of VGG19's feature maps or of pixels
    critic    the Wasserstein distance that a critic estimates between restored and sharp photos
    reblur    the difference of the blurry photo and the restored one after blurring it again by
              the kernels that were estimated from the blurry photo

The critic is updated a few times in each step of the generator. Its parameters and the state of its
optimizer are the state of the loss: they are saved in checkpoints, and not exported.
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
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.optimizer import make_schedule
from deblur_jax.training.step import DEVICES, LOSS, blurry_inputs, scan_unroll, simulated
from deblur_jax.training.tasks.restore import draw as draw
from deblur_jax.training.tasks.restore import make_score as make_score
from deblur_jax.training.tasks.restore import make_simulate as make_simulate
from deblur_jax.typing import Array


model_inputs = blurry_inputs


TRUTH = "truth"  # the kernels of simulated photos, in place of estimated ones
SIDE = 32  # pixels of the photo that initialises the critic, whose parameters fit any size

EstimateBlur = Callable[[Example], Any]  # a batch -> its kernels and mixing


def first_memory(key: jax.Array, *, critic_width: int) -> dict[str, Any]:
    """Return the critic before the first step: `params`, their two running moments, `steps`."""
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
    critic_schedule: str,
    critic_constant_steps: int,
    critic_total_steps: int,
) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    It must run inside a step that is mapped over the devices: the critic is the same on all.

    Args:
        model: a `Generator`.
        simulate: gives `blurry` and `sharp`.
        features: weights of `tools/convert_weights.py` for the content loss; "" compares pixels.
        content_weight: of the mean squared difference of these.
        critic_weight: of the critic's negative mean score of the restored photos.
        reblur_weight: of the mean squared error of the restored photo when it is blurred again;
            0 leaves kernels out.
        kernels: the weights of a `kernel_basis` net, which is not trained here, or "truth" to use
            the true kernels of simulated photos.
        transfer: from display values to the light in which photos are blurred, with "truth"; a
            network has its own.
        critic_width: channels of the critic's first maps, as in `first_memory`.
        critic_steps: of the critic for each of the generator, on the same photos.
        critic_rate: its learning rate, with Adam.
        critic_momentum: Adam's first decay for it.
        critic_schedule: of its rate, `constant` or `linear`, see `training.optimizer`.
        critic_constant_steps: of the generator, until the rate falls with `linear`.
        critic_total_steps: of the generator.

    Source:
        Carbajal et al., arXiv:2102.01026, section 4.1.4; Kupyn et al., "DeblurGAN", CVPR 2018. The
        weight of the reblur error is not published.
    """
    feature_maps = make_features(features)
    reblur = make_reblur(kernels, transfer) if reblur_weight else None
    update: Any = optax.scale_by_adam(critic_momentum).update
    judge = Critic(critic_width)
    rate_at = make_schedule(
        schedule=critic_schedule, peak_rate=critic_rate, warmup_fraction=0.0,
        total_steps=critic_total_steps, constant_steps=critic_constant_steps,
    )  # fmt: skip

    def scores(params: Any) -> Callable:
        return lambda photos: judge.apply({"params": params}, photos)

    def train_critic(critic: Any, restored: jax.Array, sharp: jax.Array, rate: Any, key: jax.Array):
        def distance(params: Any, key: jax.Array) -> jax.Array:
            return critic_distance(scores(params), restored, sharp, key)

        def step(critic: Any, key: jax.Array):
            value, grads = jax.value_and_grad(distance)(critic["params"], key)
            value, grads = lax.pmean((value, grads), DEVICES)
            memory = optax.ScaleByAdamState(
                critic["steps"], critic["first_moment"], critic["second_moment"]
            )
            updates, memory = update(grads, memory)
            params = jax.tree.map(lambda x, up: x - rate * up, critic["params"], updates)
            return {
                "params": params,
                "first_moment": memory.mu,
                "second_moment": memory.nu,
                "steps": memory.count,
            }, value

        keys = jax.random.split(key, critic_steps)
        critic, values = lax.scan(step, critic, keys, unroll=scan_unroll(critic_steps))
        return critic, values[-1]

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        simulating, dropping, judging = jax.random.split(key, 3)
        example = simulated(simulate, batch, simulating)
        sharp = jnp.asarray(example["sharp"])
        restored = model.apply(
            {"params": params}, example["blurry"], train=True, rngs={"dropout": dropping}
        )
        critic, distance = train_critic(
            statistics[LOSS], lax.stop_gradient(restored), sharp, rate_at(step), judging
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
    """Return the feature maps of VGG19 as a function of photos; the identity without a file."""
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
    """Return the mean squared error of restored photos, blurred by the kernels of the blurry ones.

    Args:
        kernels: see `make_loss`.
        transfer: see `make_loss`.
    """
    estimate_blur, transfer = _make_estimate_blur(kernels, transfer)

    def error(restored: Array, blurry: Array, kernels: Array, mixing: Array):
        weights = jnp.full(restored.shape[:2], 1 / restored.size, restored.dtype)
        restored, blurry = to_light(restored, transfer), to_light(blurry, transfer)
        return reblur_error(restored, blurry, kernels, mixing, weights)

    def reblur(restored: jax.Array, example: Example) -> jax.Array:
        blur = lax.stop_gradient(estimate_blur(example))
        return jnp.mean(jax.vmap(error)(restored, example["blurry"], *blur))

    return reblur


def _make_estimate_blur(kernels: str, transfer: Transfer) -> tuple[EstimateBlur, Transfer]:
    """Return a function that estimates a batch's kernels, and the transfer to their light."""
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
