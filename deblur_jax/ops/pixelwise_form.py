"""The pixelwise basis blur with fast derivatives of every order.

    form(padded, kernels, mixing, blurred) = <blurred, filter_then_mix(padded, kernels, mixing)>

is linear in each of its four arrays, and the four functions of `deblur_jax.ops.pixelwise` are its
partial gradients. As a `deblur_jax.ops.form`, its sums of shifts are never differentiated.

The gradients with respect to the kernels and the mixing process every tap of every pixel, whatever
the number of kernels. Where there are few kernels, transforms give the same numbers faster.
"""

from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.ops import fourier, pixelwise
from deblur_jax.ops.form import Form, alike, make_partial_gradient


# The largest number of taps for which a pixelwise gradient is faster: a number for each kernel and
# a constant. Measured with jax 0.12 on two cores at 256x256 and 512x512, sides 5 to 17, 3 to 25
# kernels.
TAPS_BY_PIXELS = {"kernels": (10, 40), "mixing": (6, 20)}


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Filters with every kernel, then mixes; see `deblur_jax.ops.fourier`."""
    arrays = alike(padded, kernels, mixing)
    return _partial_gradient("blurred", *arrays, side=kernels.shape[-1], precision=precision)


def mix_then_filter(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Mixes with every map, then filters; see `deblur_jax.ops.fourier`.

    Spreading light over the taps is the adjoint of gathering it with the kernels turned.
    """
    side, (height, width, _) = kernels.shape[-1], padded.shape
    arrays = alike(kernels[:, ::-1, ::-1], mixing, padded)
    spread = _partial_gradient("padded", *arrays, side=side, precision=precision)
    return spread[side - 1 : height, side - 1 : width]


def _evaluate(sought: str, arrays: dict[str, jax.Array], *, side: int, precision: str) -> jax.Array:
    if sought in ("kernels", "mixing"):
        basis = len(arrays["kernels"]) if sought == "mixing" else arrays["mixing"].shape[2]
        taps_of_a_kernel, more_taps = TAPS_BY_PIXELS[sought]
        if side**2 > taps_of_a_kernel * basis + more_taps:
            return _by_transforms(sought, arrays, side=side)
    if sought == "kernels":
        return pixelwise.kernel_slopes(**arrays, side=side, precision=precision)
    function = {
        "blurred": pixelwise.filter_then_mix,
        "padded": pixelwise.spread_pixels,
        "mixing": pixelwise.mixing_slopes,
    }[sought]
    return function(**arrays, precision=precision)


def _by_transforms(sought: str, arrays: dict[str, jax.Array], *, side: int) -> jax.Array:
    """Returns the gradient with respect to the kernels or the mixing, computed by transforms."""
    blurred = arrays["blurred"]
    others = {name: array for name, array in arrays.items() if name != "blurred"}
    shapes = {name: array.shape for name, array in arrays.items()}
    zero = jnp.zeros(_shape(sought, shapes, side=side, precision="highest"), blurred.dtype)

    def blur(unknown):
        return fourier.filter_then_mix(**others, **{sought: unknown})

    return jax.vjp(blur, zero)[1](blurred)[0]


def _shape(sought: str, shapes: dict[str, Any], *, side: int, precision: str) -> tuple[int, ...]:
    del precision
    if sought == "kernels":
        return (shapes["mixing"][2], side, side)
    if sought == "mixing":
        return (*shapes["blurred"][:2], shapes["kernels"][0])
    if sought == "padded":
        height, width, channels = shapes["blurred"]
        return (height + side - 1, width + side - 1, channels)
    return (*shapes["mixing"][:2], shapes["padded"][2])


_partial_gradient = make_partial_gradient(
    Form(
        name="pixelwise_blur",
        arrays=("padded", "kernels", "mixing", "blurred"),
        evaluate=_evaluate,
        shape=_shape,
    )
)
