"""Straight-line motion blur with a separate line for every pixel, given by a motion flow.

    out[p] = sum_q w_q(flow[p]) * image[p + q] / sum_q w_q(flow[p])

where w_q = max(0, 1 - dist(q, S)), and S is the segment of length max(|flow| - 1, 0) along the
flow, centred at the pixel: an anti-aliased line of unit width and length |flow|. The kernel does
not change when the flow is reversed.

Automatic differentiation works on the form

    form(image, blurry, flow) = <blurry, line_blur(image, flow)>

which is linear in both images and nonlinear in the flow, see `deblur_jax.ops.form`. A derivative of
any order is a walk along the lines that recomputes the weights and stores nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.ops import line_walk
from deblur_jax.ops.boundary import check_padding
from deblur_jax.ops.form import Form, alike, make_partial_gradient
from deblur_jax.typing import Flow, Image, compute_dtype, typechecked


@typechecked
def line_blur(image: Image, flow: Flow, *, padding: str = "edge") -> jax.Array:
    """Blurs every pixel of `image` along its own straight line.

    A flow of length at most 1 leaves its pixel unchanged; a flow and its opposite give the same
    line. The time grows with the longest lines of the flow, which may be longer than the image; the
    memory does not.

    Forward and reverse derivatives of any order, `jax.linear_transpose`, `jit`, `vmap` and
    `shard_map` work in both `image` and `flow`. The adjoint in the image is exact. The kernel has a
    kink at each tap that lies on the line, and where the line is as long as a pixel. At a kink the
    derivative is a one-sided one or zero, and always finite. In float32, with flows of up to 300
    pixels, 95 of 100 gradients are within 1e-5 of the largest; a few take the other side of a kink
    and are up to 2e-2 away, which rounding the flow causes as well.

    Args:
        image: `[h, w, c]`.
        flow: `[h, w, 2]`, the motion (u to the right, v down) during the exposure, in pixels. Where
            it is not finite, or a component exceeds 16384, the output pixel is NaN; the other
            pixels are not affected.
        padding: how pixels outside the frame are made: "edge", "reflect", "symmetric", "wrap"
            or "constant" (black; the kernel is not renormalised).

    Returns:
        The blurred image, `[h, w, c]`, in the dtype of `image`; computed in float32 at least.

    Raises:
        ValueError: if `padding` is unknown.

    Source:
        Gong et al., "From Motion Blur to Motion Flow", arXiv:1612.02583, eq. 4, with the
        line drawn as MATLAB's `fspecial("motion")` draws it.

    Example:
        >>> image = jnp.zeros((5, 7, 1)).at[2, 3].set(1.0)  # a point of light
        >>> flow = jnp.full((5, 7, 2), jnp.asarray([2.0, 0.0]))  # two pixels to the right
        >>> print(line_blur(image, flow)[2, :, 0])
        [0.   0.   0.25 0.5  0.25 0.   0.  ]
    """
    check_padding("line_blur", padding)
    image, flow = jnp.asarray(image), jnp.asarray(flow)
    # Half precision cannot represent the positions of the taps.
    dtype = compute_dtype(image, flow)
    light, motion = alike(image.astype(dtype), flow.astype(dtype))
    blurry = _partial_gradient("blurry", light[None], motion[None], padding=padding)
    return blurry[0].astype(image.dtype)


CPU_STRIP = 2**14  # pixels: 8192 to 32768 were fastest at 321x481


def _evaluate(
    sought: str, arrays: dict[str, jax.Array], *, padding: str, strip: int | None = None
) -> jax.Array:
    walk = {"blurry": line_walk.gather, "image": line_walk.scatter, "flow": line_walk.slope}
    return walk[sought](**arrays, padding=padding, strip=strip or arrays["flow"].size)


def _shape(sought: str, shapes: dict[str, Any], *, padding: str) -> tuple[int, ...]:
    del padding
    return shapes[{"blurry": "image", "image": "blurry", "flow": "flow"}[sought]]


def _in_one_stack(call: Callable[..., jax.Array], operands: Any, axes: Any) -> jax.Array:
    """Maps over images by adding them to the stack that one walk processes."""
    (size,) = {x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None}
    merged = []
    for x, axis in zip(operands, axes, strict=True):
        if axis is None:
            stacked = jnp.broadcast_to(x, (size, *x.shape))
        else:
            stacked = jnp.moveaxis(x, axis, 0)
        merged.append(stacked.reshape(-1, *stacked.shape[2:]))
    result = call(*merged)
    return result.reshape(size, -1, *result.shape[1:])


_partial_gradient = make_partial_gradient(
    Form(
        name="line_blur",
        arrays=("image", "blurry", "flow"),
        evaluate=_evaluate,
        shape=_shape,
        nonlinear="flow",
        on_cpu={"strip": CPU_STRIP},
        batch=_in_one_stack,
    )
)
