"""Total variation and denoising by it: a prior that needs no trained weights.

    argmin_x  |x - y|^2 / 2 + weight * sum_p |grad x(p)|

The gradient's length is taken over both directions and all channels, so the edges of the channels
coincide. The dual problem is solved by accelerated projected gradients with step size 1/8, because
the squared norm of the discrete gradient is at most 8.

Source: Beck and Teboulle, "Fast Gradient-Based Algorithms for Constrained Total Variation Image
Denoising and Deblurring Problems", 2009, section 4 (without the constraint).
"""

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.typing import Array, Image, Scalar, compute_dtype, typechecked


@typechecked
def total_variation(image: Image) -> jax.Array:
    """Returns `sum_p |grad image(p)|` with forward differences, zero across the frame.

    The result has the dtype of `image`, and float32 at least.
    """
    image = jnp.asarray(image, compute_dtype(image))
    squared = jnp.sum(jnp.square(_gradient(image)), axis=(0, -1))
    # The square root has no derivative at zero; flat regions get zero.
    return jnp.sum(jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0))


@typechecked
def denoise_total_variation(image: Image, weight: Scalar, *, steps: int = 20) -> jax.Array:
    """Denoises `image` by minimising the equation of the module.

    Args:
        image: `[h, w, c]`.
        weight: weight of the total variation, on the scale of the image; zero returns `image`.
            Noise of standard deviation sigma needs about 0.7 sigma to sigma.
        steps: projected gradient steps.
    """
    dtype, image = image.dtype, jnp.asarray(image, compute_dtype(image))
    weight = jnp.maximum(jnp.asarray(weight, image.dtype), jnp.finfo(image.dtype).tiny)

    def step(carry, momentum):
        dual, ahead = carry
        slope = _gradient(image - weight * _gradient_adjoint(ahead))
        moved = ahead + slope / (8 * weight)
        squared = jnp.sum(jnp.square(moved), axis=(0, -1), keepdims=True)
        projected = moved / jnp.sqrt(jnp.maximum(squared, 1))  # the root has no derivative at zero
        return (projected, projected + momentum * (projected - dual)), None

    zero = jnp.zeros((2, *image.shape), image.dtype)
    leaps = jnp.asarray(momenta(steps)[0], image.dtype)
    (dual, _), _ = lax.scan(step, (zero, zero), leaps)
    return (image - weight * _gradient_adjoint(dual)).astype(dtype)


def momenta(count: int) -> tuple[list[float], list[float]]:
    """Returns Nesterov's momenta: `(t - 1) / t'` and `t / t'` for t, t' = 1, 1.6, ..."""
    leaps, pulls, weight = [], [], 1.0
    for _ in range(count):
        following = (1 + (1 + 4 * weight**2) ** 0.5) / 2
        leaps.append((weight - 1) / following)
        pulls.append(weight / following)
        weight = following
    return leaps, pulls


def _gradient(image: Array) -> jax.Array:
    """Returns forward differences down and to the right, `[2, h, w, c]`; zero at the far edges."""
    down = jnp.diff(image, axis=0, append=image[-1:])
    right = jnp.diff(image, axis=1, append=image[:, -1:])
    return jnp.stack([down, right])


def _gradient_adjoint(field: jax.Array) -> jax.Array:
    """Returns the exact adjoint of `_gradient`: minus the divergence."""
    down, right = field[0, :-1], field[1, :, :-1]
    rows = jnp.pad(down, ((1, 0), (0, 0), (0, 0))) - jnp.pad(down, ((0, 1), (0, 0), (0, 0)))
    columns = jnp.pad(right, ((0, 0), (1, 0), (0, 0))) - jnp.pad(right, ((0, 0), (0, 1), (0, 0)))
    return rows + columns
