"""JAX primitives from scalar forms, closed under differentiation and transposition.

A form is a real function of several named arrays, linear in each of them but perhaps in one, its
bent argument. For a blur it is the inner product of some blurry image with the blur,

    form(image, ..., blurry) = <blurry, blur(image, ...)>

One primitive is its partial gradient with respect to any one array: the blur itself for `blurry`,
its adjoint for `image`, and so on; taken, for the bent argument, along any number of directions.
The derivatives and the transposes of these are again such partial gradients. So derivatives of
every order cost what the few hand-written gradients cost, and nothing inside them is ever
differentiated but along directions of the bent argument.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


@dataclasses.dataclass(frozen=True)
class Form:
    """A form, and how its partial gradients are computed.

    Attributes:
        name: of the primitive.
        arrays: the names of its arrays, in the order in which operands are given.
        evaluate: `(sought, arrays by name without the sought one, **options)` to the gradient
            with respect to `sought`; a bent argument is always among the arrays.
        shape: `(sought, shapes by name, **options)` to the shape of that gradient.
        bent: the name of the array in which the form is not linear, the last one, if any.
        on_cpu: options that `evaluate` gets as well when it is compiled for a CPU.
        batch: `(bind, operands, axes)` to the result with its mapped axis first: how `vmap` does
            it. One after another by default.
    """

    name: str
    arrays: tuple[str, ...]
    evaluate: Callable[..., jax.Array]
    shape: Callable[..., tuple[int, ...]]
    bent: str | None = None
    on_cpu: dict[str, Any] = dataclasses.field(default_factory=dict)
    batch: Callable[..., jax.Array] | None = None

    def operands_of(self, sought: str) -> list[str]:
        """Returns the names of the operands of a partial gradient, but for directions."""
        return [name for name in self.arrays if name != sought or name == self.bent]


def make_partial_gradient(form: Form) -> Callable[..., Any]:
    """Returns `partial_gradient(sought, *operands, *directions, **options)` of a form.

    The operands are the arrays but for the sought one, of one dtype. Options are static.
    """
    primitive = Primitive(form.name)

    def bind(sought: str, *operands: Any, **options: Any) -> Any:
        return primitive.bind(*operands, sought=sought, **options)

    def evaluate(*operands: jax.Array, sought: str, **options: Any) -> jax.Array:
        names = form.operands_of(sought)
        arrays = dict(zip(names, operands, strict=False))
        directions = operands[len(names) :]
        if not directions:
            return form.evaluate(sought, arrays, **options)

        def along_bent(value: jax.Array) -> jax.Array:
            return form.evaluate(sought, {**arrays, form.bent: value}, **options)

        return functools.reduce(_along, directions, along_bent)(arrays[names[-1]])

    def abstract(*operands: Any, sought: str, **options: Any) -> Any:
        shapes = {n: x.shape for n, x in zip(form.operands_of(sought), operands, strict=False)}
        shape = form.shape(sought, shapes, **options)
        return operands[0].update(shape=shape, weak_type=False)

    def jvp(primals: Any, tangents: Any, *, sought: str, **options: Any) -> Any:
        names, terms = form.operands_of(sought), []
        for slot, tangent in enumerate(tangents):
            if isinstance(tangent, ad.Zero):
                continue
            if slot < len(names) and names[slot] == form.bent:
                operands = (*primals, tangent)
            else:
                operands = (*primals[:slot], tangent, *primals[slot + 1 :])
            terms.append(bind(sought, *operands, **options))
        return bind(sought, *primals, **options), functools.reduce(jnp.add, terms)

    def transpose(cotangent: Any, *operands: Any, sought: str, **options: Any) -> Any:
        (slot,) = (slot for slot, x in enumerate(operands) if ad.is_undefined_primal(x))
        result: list[Any] = [None] * len(operands)
        if isinstance(cotangent, ad.Zero):
            result[slot] = ad.Zero(operands[slot].aval)
            return result
        names = form.operands_of(sought)
        arrays = dict(zip(names, operands, strict=False))
        directions = list(operands[len(names) :])
        # The cotangent takes the place of what was sought; what is unknown is sought instead.
        if sought == form.bent:
            directions.append(cotangent)
        else:
            arrays[sought] = cotangent
        if slot < len(names):
            unknown = names[slot]
        else:
            unknown = names[-1]  # a direction: of the bent argument
            del directions[slot - len(names)]
        arguments = [arrays[name] for name in form.operands_of(unknown)]
        result[slot] = bind(unknown, *arguments, *directions, **options)
        return result

    def batch(operands: Any, axes: Any, *, sought: str, **options: Any) -> Any:
        call = functools.partial(bind, sought, **options)
        return (form.batch or _one_after_another)(call, operands, axes), 0

    def lowering(**extra: Any) -> Any:
        return mlir.lower_fun(functools.partial(evaluate, **extra), multiple_results=False)

    @functools.cache
    def compiled(sought: str, options: tuple[tuple[str, Any], ...]) -> Any:
        return jax.jit(functools.partial(bind, sought, **dict(options)))

    primitive.def_impl(
        lambda *operands, sought, **options: compiled(sought, tuple(options.items()))(*operands)
    )
    primitive.def_abstract_eval(abstract)
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, lowering())
    if form.on_cpu:
        mlir.register_lowering(primitive, lowering(**form.on_cpu), platform="cpu")
    return bind


def alike(*arrays: jax.Array) -> list[jax.Array]:
    """Returns the arrays varying over the same mapped axes, as shard_map wants operands to.

    Must come before any change of shape that `vmap` could undo differently for each array.
    """
    zero = sum(jnp.zeros_like(array[(0,) * array.ndim]) for array in arrays)
    return [array + zero for array in arrays]


def _along(function: Callable[[jax.Array], jax.Array], direction: jax.Array):
    """Returns the derivative of a function along a direction, as a function of its argument."""
    return lambda value: jax.jvp(function, (value,), (direction,))[1]


def _one_after_another(call: Callable[..., Any], operands: Any, axes: Any) -> jax.Array:
    mapped = [
        jnp.moveaxis(x, axis, 0) for x, axis in zip(operands, axes, strict=True) if axis is not None
    ]

    def one(values: list[jax.Array]) -> jax.Array:
        rest = iter(values)
        every = (x if axis is None else next(rest) for x, axis in zip(operands, axes, strict=True))
        return call(*every)

    return lax.map(one, mapped)
