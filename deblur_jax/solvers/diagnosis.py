"""Does a blur model explain a photo? The restoration, blurred again, against the photo.

What is left over should be noise. The photo's own noise is estimated robustly from its finest
diagonal details, where a photo has little else; a pixel counts as explained if the residual around
it is not more than a few times that. A blur that is wrong, or a photo whose blur is no motion,
leaves edges behind.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from deblur_jax.ops.pytree import register
from deblur_jax.ops.sensor import QUANTISATION_NOISE
from deblur_jax.typing import Array, Image, ImageOperator, compute_dtype, typechecked


TOLERANCE = 3.0  # deviations of the noise that a residual may have
WINDOW = 7  # pixels over which the residual is averaged
EXPLAINED, DOUBTFUL = 0.9, 0.7  # shares of the photo


@register
@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """How well a restoration, blurred again, gives the photo.

    Attributes:
        residual: `blur(restored) - observed`, `[h, w, c]`.
        noise: standard deviation of the photo's noise, at least that of rounding to 8 bits.
        energy: mean squared residual in units of the noise's variance: about one is perfect.
        explained: share of the pixels around which the residual is within three deviations.
    """

    residual: Array
    noise: Array
    energy: Array
    explained: Array


def verdict(explained: float) -> str:
    """Says in words whether to trust a restoration whose blur explains that share of the photo."""
    percent = f"{int(100 * explained)} % of the photo"
    if explained >= EXPLAINED:
        return f"the blur explains {percent} to within its noise"
    if explained >= DOUBTFUL:
        return f"doubtful: the blur explains only {percent}"
    return f"looks like no motion that is known here: it would explain only {percent}"


@typechecked
def diagnose(blur: ImageOperator, restored: Image, observed: Image) -> Diagnosis:
    """Blurs a restoration again and compares it with the photo.

    Args:
        blur: the blur that was assumed.
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
    """Judges what a solver left over.

    Args:
        residual: re-blurred minus observed, `[h, w, c]`.
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
    """Returns the standard deviation of an image's noise, a scalar.

    The median size of the differences of diagonal neighbours' sums; a photo must be mostly smooth.

    Args:
        image: `[h, w, c]`, at least 2x2 pixels.

    Source:
        Donoho and Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", 1994, with the
        Haar wavelet.
    """
    image = jnp.asarray(image)
    diagonal = (image[1:, 1:] + image[:-1, :-1] - image[1:, :-1] - image[:-1, 1:]) / 2
    # The median size of a normal variable of deviation one is 0.6745.
    return jnp.median(jnp.abs(diagonal)) / jnp.asarray(0.6745, image.dtype)


def _window_mean(values: jax.Array) -> jax.Array:
    """Returns the mean over the part of a window around each pixel that lies inside, `[h, w]`."""
    zero = np.zeros((), values.dtype)
    total = lax.reduce_window(values, zero, lax.add, (WINDOW, WINDOW), (1, 1), "SAME")
    # The sizes are computed here: XLA would spend minutes on summing a constant image of ones.
    sizes = np.outer(*(_window_sizes(length) for length in values.shape))
    return total / jnp.asarray(sizes, values.dtype)


def _window_sizes(length: int) -> np.ndarray:
    place = np.arange(length)
    half = WINDOW // 2
    return np.minimum(place + half, length - 1) - np.maximum(place - half, 0) + 1
