"""Losses of the estimated motion flow of one photo.

A motion and its opposite cause the same blur; every true flow here is canonical (u >= 0).
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from deblur_jax.ops.flow import double_angle
from deblur_jax.typing import Array, Flow, typechecked


SOFTNESS = 0.03  # pixels, below which the doubled-angle loss is quadratic


@typechecked
def label_cross_entropy(
    scores: tuple[Float[Array, "h w nu"], Float[Array, "h w nv"]], flow: Flow
) -> jax.Array:
    """Averages the cross-entropy of the motion labels of one photo over its pixels.

    The paper sums over the pixels of a photo. The mean makes learning rates independent of the
    crop.

    Args:
        scores: logits of the motions 0, 1, ... to the right, and of the motions
            -reach, ..., reach downwards, whose number is odd.
        flow: the true canonical flow in pixels, rounded to the nearest label and clipped to the
            range of the labels.

    Returns:
        The mean over pixels of the sum of the two cross-entropies, in nats.

    Source:
        Gong et al., "From Motion Blur to Motion Flow", CVPR 2017, section 3.1.
    """
    horizontal, vertical = scores
    reach = vertical.shape[-1] // 2
    across = jnp.clip(jnp.round(flow[..., 0]), 0, horizontal.shape[-1] - 1).astype(jnp.int32)
    down = jnp.clip(jnp.round(flow[..., 1]) + reach, 0, 2 * reach).astype(jnp.int32)
    entropy = optax.softmax_cross_entropy_with_integer_labels
    return jnp.mean(entropy(horizontal, across) + entropy(vertical, down))


@typechecked
def summed_label_cross_entropy(
    scores: tuple[Float[Array, "h w nu"], Float[Array, "h w nv"]], flow: Flow
) -> jax.Array:
    """Sums the cross-entropy of the motion labels of one photo over its pixels, as in the paper.

    Args:
        scores: see `label_cross_entropy`.
        flow: see `label_cross_entropy`.

    Returns:
        The sum over pixels, in nats.
    """
    return label_cross_entropy(scores, flow) * flow[..., 0].size


@typechecked
def doubled_angle_distance(doubled: Flow, flow: Flow) -> jax.Array:
    """Averages the distance between an estimate and the true flow, both with doubled angles.

    Args:
        doubled: the estimate, a flow with twice its angle (see `ops.flow.double_angle`).
        flow: the true flow in pixels, of either sign.

    Returns:
        The mean over pixels of the distance in pixels, smooth at zero.
    """
    squared = jnp.sum(jnp.square(doubled - double_angle(flow)), axis=-1)
    return jnp.mean(jnp.sqrt(squared + SOFTNESS**2) - SOFTNESS)
