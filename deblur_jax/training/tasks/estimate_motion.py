"""Estimating motion: a blurred photo in, its motion flow out (Gong 2017).

A batch holds sharp photos only. On the device each one is blurred by a simulated camera motion,
with the same operator that the solvers invert.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.losses.flow import (
    doubled_angle_distance,
    label_cross_entropy,
    summed_label_cross_entropy,
)
from deblur_jax.metrics import flow_mse, flow_mse_sign_invariant, psnr, ssim
from deblur_jax.ops.flow import canonical
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import LineBlur
from deblur_jax.pictures import flow_colours, with_flow_key
from deblur_jax.restoration import restore
from deblur_jax.simulate.camera_flow import LARGE, MILD, camera_flow
from deblur_jax.simulate.jpeg import jpeg
from deblur_jax.simulate.training_sets import Example, Simulate
from deblur_jax.training.evaluation import Arrays, Score
from deblur_jax.training.step import blurry_inputs, simulated


model_inputs = blurry_inputs


LOSSES = {
    "labels": label_cross_entropy,
    "summed_labels": summed_label_cross_entropy,
    "doubled_angle": doubled_angle_distance,
}
JPEG_BLOCK = 8  # pixels
QUALITIES = (60.0, 100.0)  # of JPEG files
SETTINGS = {"mild": (MILD,), "large": (LARGE,), "both": (MILD, LARGE)}


def make_simulate(
    *,
    limit: float,
    noise: float,
    border: int,
    setting: str = "mild",
    centre_jitter: Sequence[float] | None = None,
    rounded: bool = False,
    still: float = 0.0,
    least_noise: float | None = None,
    compressed: float = 0.0,
) -> Simulate:
    """Returns `simulate(key, {"sharp"}) -> {"sharp", "blurry", "flow"}` for one photo.

    Args:
        limit: the longest motion along either axis in pixels; the rest of the camera's motion is
            that of the setting in proportion.
        noise: standard deviation of the sensor noise, the largest one with `least_noise`.
        border: pixels cut off on every side after the blur, whose light partly came from outside
            the photo.
        setting: of Gong et al., `mild` or `large`, or `both`, as likely; `limit` is then that of
            the large one, and the other's is less in the same proportion as theirs.
        centre_jitter: across and down, see `simulate.camera_flow.CameraMotion`; the setting's if
            None.
        rounded: whether motions are whole pixels, as in Gong et al.
        still: share of the photos that are not blurred.
        least_noise: if given, each photo has a noise of its own, between this and `noise`, as
            likely in each octave.
        compressed: share of the photos that went through a JPEG file of quality 60 to 100.
    """
    if setting not in SETTINGS:
        raise ValueError(f"simulate.setting must be one of {sorted(SETTINGS)}, got {setting!r}")
    if least_noise is not None and not 0 < least_noise <= noise:
        raise ValueError(
            f"simulate.least_noise must be more than 0 and at most simulate.noise, {noise}, "
            f"got {least_noise}"
        )
    if compressed and border < JPEG_BLOCK:
        raise ValueError(
            f"simulate.border must be at least {JPEG_BLOCK} pixels with compressed photos, "
            f"got {border}"
        )
    largest = SETTINGS[setting][-1].limit
    motions = [each.scaled(limit * each.limit / largest) for each in SETTINGS[setting]]
    if centre_jitter is not None:
        across, down = centre_jitter
        motions = [dataclasses.replace(each, centre_jitter=(across, down)) for each in motions]

    def simulate(key: jax.Array, example: Example) -> Example:
        sharp = example["sharp"]
        motion_key, noise_key = jax.random.split(key)
        height, width, _ = sharp.shape
        flows = [camera_flow(motion_key, height, width, each, rounded=rounded) for each in motions]
        flow = canonical(flows[0])
        if len(flows) > 1:
            choice = jax.random.randint(jax.random.fold_in(key, 3), (), 0, len(flows))
            flow = canonical(jnp.stack(flows)[choice])
        if still:
            chance = jax.random.uniform(jax.random.fold_in(key, 2))
            flow = jnp.where(chance < still, 0, flow)
        blurry = line_blur(sharp, flow)
        deviation = noise
        if least_noise is not None:
            octave = jax.random.uniform(jax.random.fold_in(key, 4))
            deviation = least_noise * (noise / least_noise) ** octave
        blurry = blurry + deviation * jax.random.normal(noise_key, blurry.shape, blurry.dtype)
        if compressed:
            blurry = _maybe_compressed(jax.random.fold_in(key, 5), blurry, compressed)
        inside = (slice(border, height - border), slice(border, width - border))
        return {
            "sharp": sharp[inside],
            "blurry": jnp.clip(blurry[inside], 0, 1),
            "flow": flow[inside],
        }

    return simulate


def _maybe_compressed(key: jax.Array, blurry: jax.Array, share: float) -> jax.Array:
    """Returns a photo, or what a JPEG file leaves of it, with the blocks anywhere."""
    chance, quality, offset = jax.random.split(key, 3)
    shift = jax.random.randint(offset, (2,), 0, JPEG_BLOCK)
    # What the roll brings to the other side lies in the border, which is cut off.
    moved = jnp.roll(jnp.clip(blurry, 0, 1), shift, axis=(0, 1))
    file = jpeg(
        moved, quality=jax.random.uniform(quality, minval=QUALITIES[0], maxval=QUALITIES[1])
    )
    back = jnp.roll(file, -shift, axis=(0, 1))
    return jnp.where(jax.random.uniform(chance) < share, back, blurry)


def make_loss(model: Any, simulate: Simulate, *, kind: str) -> Callable:
    """Return the loss of a batch; see `tasks.registry` for its signature.

    Args:
        model: a network with `flow`, such as `MotionFlowNet` and `MotionContextNet`.
        simulate: makes a blurry photo and its flow out of a sharp one.
        kind: what the network gives: `labels` or `summed_labels` (scores, with the mean or the
            paper's sum over pixels) or `doubled_angle` (a flow).
    """
    if kind not in LOSSES:
        raise ValueError(f"loss.kind must be one of {sorted(LOSSES)}, got {kind!r}")
    loss_of_photo = LOSSES[kind]

    def loss_fn(params: Any, statistics: Any, batch: Example, step: jax.Array, key: jax.Array):
        del step
        example = simulated(simulate, batch, key)
        estimate = model.apply({"params": params, **statistics}, example["blurry"])
        loss = jnp.mean(jax.vmap(loss_of_photo)(estimate, example["flow"]))
        flow = model.flow(estimate)
        terms = {
            "flow/mse": jnp.mean(jax.vmap(flow_mse)(flow, example["flow"])),
            "flow/mse_sign_invariant": jnp.mean(
                jax.vmap(flow_mse_sign_invariant)(flow, example["flow"])
            ),
        }
        return loss, (terms, statistics)

    return loss_fn


def make_score(model: Any) -> Score:
    """Return the score of an estimated motion, and of a restoration with it, by the truth.

    Args:
        model: the network.

    Returns:
        A score. `flow/mse_mean_baseline` is the error of each map's own mean flow, the least error
        of any single motion for the whole photo; `psnr/true_flow` is what the same solver restores
        when it is given the true motion.
    """

    def score(variables: Any, example: Example, key: jax.Array) -> tuple[Arrays, Arrays]:
        del key
        sharp, blurry, true_flow = (example[name] for name in ("sharp", "blurry", "flow"))
        flow = model.flow(model.apply(variables, blurry[None]))[0]
        restored, _ = restore(LineBlur(flow), blurry)
        ideal, _ = restore(LineBlur(true_flow), blurry)
        mean = jnp.broadcast_to(jnp.mean(true_flow, axis=(0, 1)), true_flow.shape)
        metrics: Arrays = {
            "flow/mse": flow_mse(flow, true_flow),
            "flow/mse_sign_invariant": flow_mse_sign_invariant(flow, true_flow),
            "flow/mse_zero_baseline": flow_mse(jnp.zeros_like(flow), true_flow),
            "flow/mse_mean_baseline": flow_mse(mean, true_flow),
            "psnr/blurred": psnr(blurry, sharp),
            "psnr/restored": psnr(restored, sharp),
            "psnr/true_flow": psnr(ideal, sharp),
            "ssim/blurred": ssim(blurry, sharp),
            "ssim/restored": ssim(restored, sharp),
            "ssim/true_flow": ssim(ideal, sharp),
        }
        return metrics, {"flow": flow, "restored": restored}

    return score


def draw(example: Arrays, shown: Arrays, metrics: dict[str, float]) -> Arrays:
    """Return pictures of the estimated and the true motion, and of the restoration, by title."""
    lengths = np.linalg.norm(example["flow"], axis=-1)
    longest = max(float(np.ceil(np.max(lengths))), 1.0)

    def coloured(flow: Any) -> np.ndarray:
        return with_flow_key(flow_colours(np.asarray(flow), longest=longest), longest=longest)

    return {
        f"blurred, {metrics['psnr/blurred']:.1f} dB": example["blurry"],
        "estimated motion": coloured(shown["flow"]),
        "true motion": coloured(example["flow"]),
        f"restored, {metrics['psnr/restored']:.1f} dB": shown["restored"],
        "sharp": example["sharp"],
    }


def describe(metrics: dict[str, float]) -> str:
    """Return a sentence on what was learned."""
    part = 100 * metrics["flow/mse"] / metrics["flow/mse_zero_baseline"]
    before, after = metrics["psnr/blurred"], metrics["psnr/restored"]
    return (
        f"The squared error of the motion is {part:.0f} % of that of assuming no motion; restored "
        f"photos gain {after - before:+.2f} dB ({before:.2f} -> {after:.2f})."
    )
