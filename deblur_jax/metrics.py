"""How good a restored image or an estimated flow is: arrays to a number, for every model."""

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
        reference: likewise. The squared error is averaged over pixels and channels; equal images
            have an infinite ratio.

    Example:
        >>> print(psnr(jnp.full((8, 8, 3), 0.6), jnp.full((8, 8, 3), 0.5)).round(2))
        20.0
    """
    image, reference = _exact(image, reference)
    return jnp.asarray(pix.psnr(image, reference))


@typechecked
def ssim(image: Image, reference: Image) -> jax.Array:
    """Returns the structural similarity, averaged over channels, for values in [0, 1].

    Local statistics are weighted by a Gaussian of 11x11 pixels and deviation 1.5, with population
    covariance, where the whole window fits into the frame; the constants are 0.01 and 0.03.

    Args:
        image: `[h, w, c]`.
        reference: likewise.

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
    """Returns half the mean squared length of the error, in squared pixels.

    Args:
        flow: the estimate.
        reference: the truth.

    Source:
        Gong et al. 2017, section 5.1: `sum(du^2 + dv^2) / (2 |M|)` on canonical flows. Where the
        true motion is nearly vertical, a flipped sign of v is punished in full.
    """
    flow, reference = _exact(flow, reference)
    return jnp.mean(jnp.sum(jnp.square(flow - reference), axis=-1)) / 2


@typechecked
def flow_mse_sign_invariant(flow: Flow, reference: Flow) -> jax.Array:
    """Returns `flow_mse` with every pixel's flow turned to the side that fits its reference best.

    A motion and its opposite draw the same blur, so this is the error that a restoration feels.
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
    """Returns the area under the curve of precision over recall, in [0, 1].

    With the pixels in the order of falling scores it is the mean, over the true ones, of the share
    of true ones among all with a score at least as high. Guessing has the share of true pixels;
    without a true pixel there is no such mean, and the result is not a number.

    Args:
        scores: how sure one is that each pixel is true.
        truth: whether it is.
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
    """Returns the smaller one of the end-point errors to two flows, in pixels.

    A blurred photo does not show which end of its motions is the first.

    Args:
        flow: the estimate.
        forward: the truth, from the first moment of the exposure to the last.
        backward: likewise, from the last moment to the first.

    Source:
        Argaw et al., AAAI 2021, "Quantitative evaluation".
    """
    return jnp.minimum(end_point_error(flow, forward), end_point_error(flow, backward))


def _exact(*arrays: Array) -> list[jax.Array]:
    """Returns the arrays in float32 at least: small errors vanish in half precision."""
    dtype = compute_dtype(*arrays)
    return [jnp.asarray(array, dtype) for array in arrays]


def mean_metrics(rows: list[dict[str, Float[Array, ""] | float]]) -> dict[str, float]:
    """Averages rows of metrics that share their names, in the order of the first row."""
    if not rows:
        raise ValueError("mean_metrics: rows must hold at least one row, got none")
    return {name: sum(float(row[name]) for row in rows) / len(rows) for name in rows[0]}
