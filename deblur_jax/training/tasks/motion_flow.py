"""Learning to see motion: a blurred photo in, its motion flow out (Gong 2017).

The batch holds sharp photos only. Each is given a camera's motion here, on the device, by the blur
that the solvers invert.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.losses.flow import label_cross_entropy
from deblur_jax.metrics import flow_mse
from deblur_jax.models.motion_flow import expected_flow
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.simulate.camera_flow import MILD, camera_flow, canonical


Simulate = Callable[[jax.Array, jax.Array], dict[str, jax.Array]]


def make_simulate(*, limit: float, noise: float, border: int) -> Simulate:
    """Returns `simulate(key, sharp) -> {"sharp", "blurry", "flow"}` for one photo.

    Args:
        limit: the longest motion along either axis in pixels; the rest of the camera's motion is
            Gong et al.'s mild setting in proportion.
        noise: standard deviation of the sensor noise.
        border: pixels cut off on every side after the blur, whose light partly came from outside
            the photo.
    """
    motion = MILD.scaled(limit)

    def simulate(key: jax.Array, sharp: jax.Array) -> dict[str, jax.Array]:
        motion_key, noise_key = jax.random.split(key)
        height, width, _ = sharp.shape
        flow = canonical(camera_flow(motion_key, height, width, motion))
        blurry = line_blur(sharp, flow)
        blurry = blurry + noise * jax.random.normal(noise_key, blurry.shape, blurry.dtype)
        inside = (slice(border, height - border), slice(border, width - border))
        return {
            "sharp": sharp[inside],
            "blurry": jnp.clip(blurry[inside], 0, 1),
            "flow": flow[inside],
        }

    return simulate


def make_loss(model: nn.Module, simulate: Simulate) -> Callable:
    """Returns `loss_fn(params, batch, key) -> (loss, terms)`.

    Args:
        model: gives the logits of the motion labels of blurry photos.
        simulate: makes a blurry photo and its flow out of a sharp one.
    """

    def loss_fn(params: Any, batch: dict[str, jax.Array], key: jax.Array):
        keys = jax.random.split(key, len(batch["sharp"]))
        example = jax.vmap(simulate)(keys, batch["sharp"])
        horizontal, vertical = model.apply({"params": params}, example["blurry"])  # pyright: ignore
        loss = jnp.mean(jax.vmap(label_cross_entropy)(horizontal, vertical, example["flow"]))
        errors = jax.vmap(flow_mse)(expected_flow(horizontal, vertical), example["flow"])
        return loss, {"flow/mse": jnp.mean(errors)}

    return loss_fn
