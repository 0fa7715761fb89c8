"""Straight-line motion blur: every pixel has its own line, given by a motion flow.

    out[p] = sum_q w_q(flow[p]) * image[p + q] / sum_q w_q(flow[p])

with w_q = max(0, 1 - dist(q, S)), S the segment of length max(|flow| - 1, 0) along the flow,
centred at the pixel: an anti-aliased line of unit width and length |flow|. The kernel does not
change when the flow is reversed.

Automatic differentiation works on the form

    form(image, blurry, flow) = <blurry, line_blur(image, flow)>

which is linear in both images. One JAX primitive is its partial gradient with respect to the
image, to the blurry image or to the flow, taken along any number of directions of the flow. Its
derivatives and its transposes are again such partial gradients, so every order of
differentiation is a walk along the lines that recomputes the weights and keeps nothing.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from deblur_jax.ops import line_walk
from deblur_jax.ops.boundary import check_padding
from deblur_jax.typing import Flow, Image, typechecked


@typechecked
def line_blur(image: Image, flow: Flow, *, padding: str = "edge") -> jax.Array:
    """Blurs every pixel of `image` along its own straight line.

    A flow of length at most 1 leaves its pixel as it is; a flow and its opposite draw the
    same line. The cost grows with the longest lines of the flow, which may be longer than
    the image; the memory does not.

    Forward and reverse derivatives of any order, `jax.linear_transpose`, `jit`, `vmap`
    and `shard_map` work in both arguments, `image` and `flow`. The adjoint in the image is exact.
    At a kink of the kernel, and where a line is no longer than a pixel, the derivative is one of
    those beside it or zero, and always finite.

    Args:
        image: `[h, w, c]`.
        flow: `[h, w, 2]`, the motion (u to the right, v down) during the exposure, in
            pixels. Where it is not finite, or a component is beyond 16384, the output pixel
            is NaN and the others are not affected.
        padding: how pixels outside the frame are made: "edge", "reflect", "symmetric", "wrap"
            or "constant" (black; the kernel is not renormalised).

    Returns:
        The blurred image, `[h, w, c]`, of the dtype of `image`; computed in float32 at least.

    Raises:
        ValueError: if `padding` is not one of the above.

    Source:
        Gong et al., "From Motion Blur to Motion Flow", arXiv:1612.02583, eq. 4, with the
        line drawn as MATLAB's `fspecial("motion")` draws it.
    """
    check_padding("line_blur", padding)
    image, flow = jnp.asarray(image), jnp.asarray(flow)
    # Half precision could not place the taps of a line.
    dtype = max(image.dtype, flow.dtype, jnp.dtype(jnp.float32), key=lambda dtype: dtype.itemsize)
    light, motion = image.astype(dtype), flow.astype(dtype)
    # Under shard_map the operands of a primitive vary over the same axes: a zero of each does it.
    light, motion = light + jnp.zeros_like(motion[..., :1]), motion + jnp.zeros_like(light[..., :1])
    blurry = _bind("blurry", light[None], motion[None], padding=padding)
    return blurry[0].astype(image.dtype)


# The operands of the primitive are the arguments of the form, but for the image that the gradient
# is taken with respect to, and then the directions.
_partial = Primitive("line_blur")
_CACHE = 2**14  # pixels of a strip on a CPU: measured best from 8192 to 32768 at 321x481


def _names(partial: str) -> list[str]:
    return [name for name in ("image", "blurry", "flow") if name == "flow" or name != partial]


def _bind(partial: str, *operands: Any, padding: str) -> Any:
    return _partial.bind(*operands, partial=partial, padding=padding)


def _evaluate(*operands: Any, partial: str, padding: str, strip: int | None = None) -> jax.Array:
    images = operands[: _names(partial).index("flow")]
    flow, *directions = operands[len(images) :]
    function = functools.partial(
        {"blurry": line_walk.gather, "image": line_walk.scatter, "flow": line_walk.slope}[partial],
        *images,
        padding=padding,
        strip=strip or flow.size,
    )
    for direction in directions:
        function = _along(function, direction)
    return function(flow)


def _along(function: Callable[[jax.Array], jax.Array], direction: jax.Array):
    return lambda flow: jax.jvp(function, (flow,), (direction,))[1]


def _abstract(*operands: Any, partial: str, padding: str) -> Any:
    return operands[2 if partial == "flow" else 0].update(weak_type=False)


def _jvp(primals: Any, tangents: Any, *, partial: str, padding: str) -> Any:
    terms = []
    for slot, tangent in enumerate(tangents):
        if isinstance(tangent, ad.Zero):
            continue
        if slot == _names(partial).index("flow"):
            operands = (*primals, tangent)
        else:  # the form is linear in everything but the flow
            operands = (*primals[:slot], tangent, *primals[slot + 1 :])
        terms.append(_bind(partial, *operands, padding=padding))
    return _bind(partial, *primals, padding=padding), functools.reduce(jnp.add, terms)


def _transpose(cotangent: Any, *operands: Any, partial: str, padding: str) -> Any:
    (slot,) = (slot for slot, operand in enumerate(operands) if ad.is_undefined_primal(operand))
    result: list[Any] = [None] * len(operands)
    if isinstance(cotangent, ad.Zero):
        result[slot] = ad.Zero(operands[slot].aval)
        return result
    names = _names(partial)
    form = dict(zip(names, operands, strict=False))
    directions = list(operands[len(names) :])
    # The cotangent takes the place of what was left out; what is sought is left out instead.
    if partial == "flow":
        directions.append(cotangent)
    else:
        form[partial] = cotangent
    sought = "flow"
    if slot < len(names):
        sought = names[slot]
    else:
        del directions[slot - len(names)]
    arguments = [form[name] for name in _names(sought)]
    result[slot] = _bind(sought, *arguments, *directions, padding=padding)
    return result


def _batch(operands: Any, axes: Any, *, partial: str, padding: str) -> Any:
    (size,) = {x.shape[axis] for x, axis in zip(operands, axes, strict=True) if axis is not None}
    merged = []
    for x, axis in zip(operands, axes, strict=True):
        if axis is None:
            stacked = jnp.broadcast_to(x, (size, *x.shape))
        else:
            stacked = jnp.moveaxis(x, axis, 0)
        merged.append(stacked.reshape(-1, *stacked.shape[2:]))
    result = _bind(partial, *merged, padding=padding)
    return result.reshape(size, -1, *result.shape[1:]), 0


@functools.partial(jax.jit, static_argnames=("partial", "padding"))
def _compiled(*operands: Any, partial: str, padding: str) -> Any:
    return _bind(partial, *operands, padding=padding)


_partial.def_impl(_compiled)
_partial.def_abstract_eval(_abstract)
ad.primitive_jvps[_partial] = _jvp
ad.primitive_transposes[_partial] = _transpose
batching.primitive_batchers[_partial] = _batch
mlir.register_lowering(_partial, mlir.lower_fun(_evaluate, multiple_results=False))
mlir.register_lowering(
    _partial,
    mlir.lower_fun(functools.partial(_evaluate, strip=_CACHE), multiple_results=False),
    platform="cpu",
)
