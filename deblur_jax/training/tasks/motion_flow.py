"""Learning to see motion: a blurred photo in, its motion flow out (Gong 2017).

The batch holds sharp photos only. Each is given a camera's motion here, on the device, by the blur
that the solvers invert.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.losses.flow import doubled_angle_distance, label_cross_entropy
from deblur_jax.metrics import flow_mse, flow_mse_sign_invariant
from deblur_jax.ops.flow import canonical
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.simulate.camera_flow import MILD, camera_flow


LOSSES = {"labels": label_cross_entropy, "doubled_angle": doubled_angle_distance}

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


def make_loss(model: Any, simulate: Simulate, *, kind: str) -> Callable:
    """Returns `loss_fn(params, batch, key) -> (loss, terms)`.

    Args:
        model: a network with `flow`, such as `MotionFlowNet` and `MotionContextNet`.
        simulate: makes a blurry photo and its flow out of a sharp one.
        kind: what the network gives: `labels` (scores) or `doubled_angle` (a flow).
    """
    if kind not in LOSSES:
        raise ValueError(f"loss.kind must be one of {sorted(LOSSES)}, got {kind!r}")
    loss_of_photo = LOSSES[kind]

    def loss_fn(params: Any, batch: dict[str, jax.Array], key: jax.Array):
        keys = jax.random.split(key, len(batch["sharp"]))
        example = jax.vmap(simulate)(keys, batch["sharp"])
        estimate = model.apply({"params": params}, example["blurry"])
        loss = jnp.mean(jax.vmap(loss_of_photo)(estimate, example["flow"]))
        flow = model.flow(estimate)
        terms = {
            "flow/mse": jnp.mean(jax.vmap(flow_mse)(flow, example["flow"])),
            "flow/mse_sign_invariant": jnp.mean(
                jax.vmap(flow_mse_sign_invariant)(flow, example["flow"])
            ),
        }
        return loss, terms

    return loss_fn
