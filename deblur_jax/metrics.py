"""Metrics of restored images and estimated flows: pure functions from arrays to a scalar."""

import dm_pix as pix
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from deblur_jax.typing import Array, Flow, Image, compute_dtype, standard_promotion, typechecked


@typechecked
def psnr(image: Image, reference: Image) -> jax.Array:
    """Returns the peak signal-to-noise ratio in decibels, for values in [0, 1].

    Args:
        image: `[h, w, c]`.
        reference: `[h, w, c]`. The squared error is averaged over pixels and channels; the ratio of
            equal images is infinite.

    Example:
        >>> print(psnr(jnp.full((8, 8, 3), 0.6), jnp.full((8, 8, 3), 0.5)).round(2))
        20.0
    """
    image, reference = _exact(image, reference)
    return jnp.asarray(pix.psnr(image, reference))


@typechecked
def ssim(image: Image, reference: Image) -> jax.Array:
    """Returns the structural similarity, averaged over channels, for values in [0, 1].

    Local statistics are weighted by a Gaussian window of 11x11 pixels with standard deviation 1.5.
    The covariance is that of the population, only windows inside the image count, and the constants
    are 0.01 and 0.03.

    Args:
        image: `[h, w, c]`.
        reference: `[h, w, c]`.

    Raises:
        ValueError: if a side of the image is below 11 pixels.

    Source:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
        2004, equation 13.

    Example:
        >>> picture = jax.random.uniform(jax.random.key(0), (16, 16, 3))
        >>> print(ssim(picture, picture).round(3))
        1.0
    """
    if min(image.shape[:2]) < 11:
        raise ValueError(
            f"ssim: image must have at least 11 pixels a side, got {image.shape[0]}x"
            f"{image.shape[1]}; pad it or compare by psnr"
        )
    image, reference = _exact(image, reference)
    with standard_promotion():  # dm_pix mixes dtypes and ranks
        similarity = jnp.asarray(
            pix.ssim(image, reference, max_val=1.0, filter_size=11, filter_sigma=1.5)
        )
    return similarity.astype(image.dtype)


@typechecked
def flow_mse(flow: Flow, reference: Flow) -> jax.Array:
    """Returns half the mean squared end-point error, in squared pixels.

    Args:
        flow: the estimate.
        reference: the ground truth.

    Source:
        Gong et al. 2017, section 5.1: `sum(du^2 + dv^2) / (2 |M|)` on canonical flows. If the true
        motion is nearly vertical, a wrong sign of v counts in full.
    """
    flow, reference = _exact(flow, reference)
    return jnp.mean(jnp.sum(jnp.square(flow - reference), axis=-1)) / 2


@typechecked
def flow_mse_sign_invariant(flow: Flow, reference: Flow) -> jax.Array:
    """Returns `flow_mse`, where each pixel counts with the sign of its flow that has less error.

    A motion and its opposite make the same blur, so this is the error that affects a restoration.
    """
    flow, reference = _exact(flow, reference)
    kept = jnp.sum(jnp.square(flow - reference), axis=-1)
    turned = jnp.sum(jnp.square(flow + reference), axis=-1)
    return jnp.mean(jnp.minimum(kept, turned)) / 2


@typechecked
def end_point_error(flow: Flow, reference: Flow) -> jax.Array:
    """Returns the mean length of the error in pixels."""
    flow, reference = _exact(flow, reference)
    return jnp.mean(jnp.linalg.norm(flow - reference, axis=-1))


@typechecked
def average_precision(scores: Float[Array, "h w"], truth: Bool[Array, "h w"]) -> jax.Array:
    """Returns the area under the precision-recall curve, in [0, 1].

    This is the precision at the score of each positive pixel, averaged over the positive pixels.
    Constant scores have the share of positive pixels; without a positive pixel the result is NaN.

    Args:
        scores: confidence that each pixel is positive.
        truth: whether each pixel is positive.
    """
    order = jnp.argsort(-scores.ravel())
    falling, hits = scores.ravel()[order], truth.ravel()[order].astype(jnp.int32)
    dtype = compute_dtype(scores)
    counts = jnp.cumsum(hits).astype(dtype)
    precision = counts / jnp.arange(1, hits.size + 1, dtype=jnp.int32).astype(dtype)
    last = jnp.searchsorted(-falling, -falling, side="right") - 1  # of those with equal scores
    return jnp.sum(hits.astype(dtype) * precision[last]) / counts[-1]


@typechecked
def end_point_error_either_way(flow: Flow, forward: Flow, backward: Flow) -> jax.Array:
    """Returns the smaller of the end-point errors to two flows, in pixels.

    A blurred photo does not show the direction of time.

    Args:
        flow: the estimate.
        forward: the ground truth, from the start of the exposure to its end.
        backward: the ground truth, from the end of the exposure to its start.

    Source:
        Argaw et al., AAAI 2021, "Quantitative evaluation".
    """
    return jnp.minimum(end_point_error(flow, forward), end_point_error(flow, backward))


def _exact(*arrays: Array) -> list[jax.Array]:
    """Returns the arrays in float32 at least: small errors vanish in half precision."""
    dtype = compute_dtype(*arrays)
    return [jnp.asarray(array, dtype) for array in arrays]


def mean_metrics(rows: list[dict[str, Float[Array, ""] | float]]) -> dict[str, float]:
    """Averages each metric over rows with the same names, in the order of the first row."""
    if not rows:
        raise ValueError("mean_metrics: rows must hold at least one row, got none")
    return {name: sum(float(row[name]) for row in rows) / len(rows) for name in rows[0]}
