"""Losses of the flows of one image at several scales, supervised and unsupervised."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from deblur_jax.ops.resample import resize_bilinear
from deblur_jax.ops.warp import warp_flow
from deblur_jax.typing import Array, Flow, Image, typechecked


ARGAW_WEIGHTS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.32)  # of the levels from fine to coarse


@typechecked
def pyramid_error(
    flows: Sequence[Array], flow: Flow, *, weights: Sequence[float], scale: float = 20.0
) -> jax.Array:
    """Returns the weighted sum of end-point errors over all levels: sum_l w_l sum_p |f_l - f|.

    Args:
        flows: estimates `[h_l, w_l, 2]` in pixels of the full size.
        flow: the true flow at full size; it is resized to each level without scaling its values.
        weights: w, one a level.
        scale: pixels that count as one.

    Source:
        Argaw et al., AAAI 2021, equation 6; sums, not means, over pixels.
    """
    if len(flows) != len(weights):
        raise ValueError(
            f"pyramid_error: weights must have one value for each of {len(flows)} flows, "
            f"got {len(weights)}"
        )
    total = jnp.zeros((), flow.dtype)
    for estimate, weight in zip(flows, weights, strict=True):
        truth = resize_bilinear(flow, estimate.shape[0], estimate.shape[1])
        squared = jnp.sum(jnp.square((estimate - truth) / scale), axis=-1)
        # The square root has no finite gradient at zero.
        length = jnp.sqrt(jnp.where(squared > 0, squared, 1))
        total = total + weight * jnp.sum(jnp.where(squared > 0, length, 0))
    return total


@typechecked
def warp_error(flows: Sequence[Array], first: Image, second: Image) -> jax.Array:
    """Returns half the squared error of warping `second` to `first`, summed over scales and pixels.

    Args:
        flows: from `first` to `second`, `[h_s, w_s, 2]`, in pixels of their own scale.
        first: `[h, w, c]`.
        second: `[h, w, c]`, zero outside the frame.

    Source:
        Zhang et al., TCSVT 2021, equation 14; both images are resized bilinearly with antialiasing.
    """
    total = jnp.zeros((), first.dtype)
    for flow in flows:
        here = resize_bilinear(first, flow.shape[0], flow.shape[1])
        there = resize_bilinear(second, flow.shape[0], flow.shape[1])
        total = total + jnp.sum(jnp.square(warp_flow(there, flow) - here)) / 2
    return total
