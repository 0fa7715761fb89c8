"""How wrong a motion flow is, for training it.

A flow and its opposite draw the same blur; every true flow here is canonical (u >= 0), the side
that the labels of the network stand for.
"""

import jax.numpy as jnp
import optax
from jaxtyping import Float

from deblur_jax.typing import Array, Flow, Scalar, typechecked


@typechecked
def label_cross_entropy(
    horizontal: Float[Array, "h w nu"], vertical: Float[Array, "h w nv"], flow: Flow
) -> Scalar:
    """Averages the cross-entropy of the motion labels of one photo over its pixels.

    The paper sums over the pixels of a photo; the mean is that sum over `h * w`, so that learning
    rates do not depend on the crop.

    Args:
        horizontal: logits of the motions 0, 1, ... to the right.
        vertical: logits of the motions -reach, ..., reach downwards; their number is odd.
        flow: the true canonical flow in pixels. It is rounded to the nearest label; motions beyond
            the labels count as the outermost ones.

    Returns:
        The mean over pixels of the sum of the two cross-entropies, in nats.

    Source:
        Gong et al., "From Motion Blur to Motion Flow", CVPR 2017, section 3.1.
    """
    reach = vertical.shape[-1] // 2
    across = jnp.clip(jnp.round(flow[..., 0]), 0, horizontal.shape[-1] - 1).astype(jnp.int32)
    down = jnp.clip(jnp.round(flow[..., 1]) + reach, 0, 2 * reach).astype(jnp.int32)
    entropy = optax.softmax_cross_entropy_with_integer_labels
    return jnp.mean(entropy(horizontal, across) + entropy(vertical, down))
