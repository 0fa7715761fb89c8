"""The pixelwise basis blur as one primitive, closed under differentiation and transposition.

The inner product of some blurry image with the blur,

    form(padded, kernels, mixing, blurred) = <blurred, filter_then_mix(padded, kernels, mixing)>

is linear in each of its four arrays. Leaving one array out gives a function of the other three:
the blur itself if it is `blurred`, its adjoint if it is `padded`, a gradient otherwise. The
derivative of each is a sum of the same, and the transpose of each is another of the four; so
derivatives of every order cost what these four cost, and no sum of shifts is ever differentiated.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from deblur_jax.ops import pixelwise


ARRAYS = ("padded", "kernels", "mixing", "blurred")


def filter_then_mix(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Filters with every kernel, then mixes; see `pixelwise.filter_then_mix`."""
    side = kernels.shape[-1]
    return _bind("blurred", *_alike(padded, kernels, mixing), side=side, precision=precision)


def mix_then_filter(
    padded: jax.Array, kernels: jax.Array, mixing: jax.Array, *, precision: str
) -> jax.Array:
    """Mixes with every map, then filters; see `pixelwise.mix_then_filter`."""
    reach = kernels.shape[-1] - 1
    height, width, _ = padded.shape
    arrays = _alike(kernels[:, ::-1, ::-1], mixing, padded)
    spread = _bind("padded", *arrays, side=reach + 1, precision=precision)
    return spread[reach:height, reach:width]


def _alike(*arrays: jax.Array) -> list[jax.Array]:
    """Returns the arrays varying over the same mapped axes, as shard_map wants operands to."""
    axes = [getattr(jax.typeof(array), "vma", frozenset()) for array in arrays]
    if len(set(axes)) == 1:
        return list(arrays)
    zero = sum(jnp.zeros_like(array[(0,) * array.ndim]) for array in arrays)
    return [array + zero for array in arrays]


_form = Primitive("pixelwise_blur_form")


def _bind(sought: str, *operands: Any, side: int, precision: str) -> Any:
    return _form.bind(*operands, sought=sought, side=side, precision=precision)


def _names(sought: str) -> list[str]:
    return [name for name in ARRAYS if name != sought]


def _evaluate(*operands: jax.Array, sought: str, side: int, precision: str) -> jax.Array:
    function = {
        "blurred": pixelwise.filter_then_mix,
        "padded": pixelwise.spread_pixels,
        "kernels": functools.partial(pixelwise.kernel_slopes, side=side),
        "mixing": pixelwise.mixing_slopes,
    }[sought]
    return function(*operands, precision=precision)


def _abstract(*operands: Any, sought: str, side: int, precision: str) -> Any:
    del precision
    form = dict(zip(_names(sought), operands, strict=True))
    reach = side - 1
    if sought == "kernels":
        shape = (form["mixing"].shape[2], side, side)
    elif sought == "mixing":
        shape = (*form["blurred"].shape[:2], form["kernels"].shape[0])
    elif sought == "padded":
        height, width, channels = form["blurred"].shape
        shape = (height + reach, width + reach, channels)
    else:
        shape = (*form["mixing"].shape[:2], form["padded"].shape[2])
    return operands[0].update(shape=shape, weak_type=False)


def _jvp(primals: Any, tangents: Any, **options: Any) -> Any:
    terms = [
        _form.bind(*_swap(primals, slot, tangent), **options)
        for slot, tangent in enumerate(tangents)
        if not isinstance(tangent, ad.Zero)
    ]
    return _form.bind(*primals, **options), functools.reduce(jnp.add, terms)


def _swap(operands: Any, slot: int, value: Any) -> tuple[Any, ...]:
    return (*operands[:slot], value, *operands[slot + 1 :])


def _transpose(cotangent: Any, *operands: Any, sought: str, **options: Any) -> Any:
    (slot,) = (slot for slot, operand in enumerate(operands) if ad.is_undefined_primal(operand))
    result: list[Any] = [None] * len(operands)
    if isinstance(cotangent, ad.Zero):
        result[slot] = ad.Zero(operands[slot].aval)
        return result
    names = _names(sought)
    form = {**dict(zip(names, operands, strict=True)), sought: cotangent}
    arguments = [form[name] for name in _names(names[slot])]
    result[slot] = _bind(names[slot], *arguments, **options)
    return result


def _batch(operands: Any, axes: Any, **options: Any) -> Any:
    def one(mapped: list[jax.Array]) -> jax.Array:
        values = iter(mapped)
        every = (
            x if axis is None else next(values) for x, axis in zip(operands, axes, strict=True)
        )
        return _form.bind(*every, **options)

    mapped = [
        jnp.moveaxis(x, axis, 0) for x, axis in zip(operands, axes, strict=True) if axis is not None
    ]
    return lax.map(one, mapped), 0


@functools.partial(jax.jit, static_argnames=("sought", "side", "precision"))
def _compiled(*operands: Any, sought: str, side: int, precision: str) -> Any:
    return _bind(sought, *operands, side=side, precision=precision)


_form.def_impl(_compiled)
_form.def_abstract_eval(_abstract)
ad.primitive_jvps[_form] = _jvp
ad.primitive_transposes[_form] = _transpose
batching.primitive_batchers[_form] = _batch
mlir.register_lowering(_form, mlir.lower_fun(_evaluate, multiple_results=False))
