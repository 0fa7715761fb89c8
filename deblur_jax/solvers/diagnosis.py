"""Judge whether a blur explains a photo, by the residual of the re-blurred restoration.

If the blur is right, the residual is noise. The noise level of the photo is estimated robustly
from its finest diagonal details, where a photo has little else. A pixel counts as explained if the
residual around it is at most a few times the noise level. A wrong blur leaves edges in the
residual.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from deblur_jax.ops.pytree import register
from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.typing import Array, Image, ImageOperator, compute_dtype, typechecked


HALF_NORMAL = 0.6745  # median magnitude of a standard normal variable
TOLERANCE = 3.0  # largest residual, in standard deviations of the noise
WINDOW = 7  # pixels over which the residual is averaged
EXPLAINED, DOUBTFUL = 0.9, 0.7  # least shares of the photo for these verdicts


@register
@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """How well a blur and a restoration explain a photo.

    Attributes:
        residual: `blur(restored) - observed`, `[h, w, c]`.
        noise: standard deviation of the photo's noise, at least that of rounding to 8 bits.
        energy: mean squared residual divided by the noise variance; about one for the right blur.
        explained: share of the pixels around which the residual is within three standard
            deviations.
    """

    residual: Array
    noise: Array
    energy: Array
    explained: Array


def verdict(explained: float) -> str:
    """Describes in words how far to trust a blur that explains this share of a photo."""
    percent = f"{int(100 * explained)} % of the photo"
    if explained >= EXPLAINED:
        return f"the blur explains {percent} to within its noise"
    if explained >= DOUBTFUL:
        return f"doubtful: the blur explains only {percent}"
    return f"the estimated blur explains only {percent} ({100 * DOUBTFUL:.0f} % is required)"


@typechecked
def diagnose(blur: ImageOperator, restored: Image, observed: Image) -> Diagnosis:
    """Compares a re-blurred restoration with the photo.

    Args:
        blur: the blur that was undone.
        restored: `[h, w, c]`.
        observed: the photo, `[h, w, c]`.

    Example:
        >>> sharp = jax.random.uniform(jax.random.key(0), (16, 16, 3))
        >>> blur = LineBlur(jnp.full((16, 16, 2), 2.0))
        >>> print(diagnose(blur, sharp, blur(sharp)).explained)
        1.0
    """
    return diagnose_residual(blur(restored) - observed, observed)


@typechecked
def diagnose_residual(
    residual: Image, observed: Image, *, noise: float | Array | None = None
) -> Diagnosis:
    """Judges the residual of a restoration.

    Args:
        residual: re-blurred restoration minus photo, `[h, w, c]`.
        observed: the photo, `[h, w, c]`.
        noise: standard deviation of the photo's noise; estimated from `observed` if None.
    """
    given, dtype = residual.dtype, compute_dtype(residual, observed)
    residual, observed = jnp.asarray(residual, dtype), jnp.asarray(observed, dtype)
    noise = jnp.asarray(noise_level(observed) if noise is None else noise, observed.dtype)
    noise = jnp.maximum(noise, jnp.asarray(QUANTISATION_NOISE, observed.dtype))
    squared = jnp.mean(jnp.square(residual), axis=-1)
    local = _window_mean(squared)
    within = local <= jnp.square(TOLERANCE * noise)
    return Diagnosis(
        residual=residual.astype(given),
        noise=noise,
        energy=jnp.mean(squared) / jnp.square(noise),
        explained=jnp.mean(within.astype(residual.dtype)),
    )


@typechecked
def noise_level(image: Image) -> jax.Array:
    """Estimates the standard deviation of an image's noise, a scalar.

    This is the scaled median magnitude of the finest diagonal details. Most of the image must be
    smooth.

    Args:
        image: `[h, w, c]`, at least 2x2 pixels.

    Source:
        Donoho and Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", 1994, with the
        Haar wavelet.
    """
    image = jnp.asarray(image)
    diagonal = (image[1:, 1:] + image[:-1, :-1] - image[1:, :-1] - image[:-1, 1:]) / 2
    return jnp.median(jnp.abs(diagonal)) / jnp.asarray(HALF_NORMAL, image.dtype)


def _window_mean(values: jax.Array) -> jax.Array:
    """Returns the mean over the part of each pixel's window that lies inside, `[h, w]`."""
    zero = np.zeros((), values.dtype)
    total = lax.reduce_window(values, zero, lax.add, (WINDOW, WINDOW), (1, 1), "SAME")
    # Computed in NumPy: XLA would spend minutes on folding the sum of a constant image.
    sizes = np.outer(*(_window_sizes(length) for length in values.shape))
    return total / jnp.asarray(sizes, values.dtype)


def _window_sizes(length: int) -> np.ndarray:
    place = np.arange(length)
    half = WINDOW // 2
    return np.minimum(place + half, length - 1) - np.maximum(place - half, 0) + 1
