"""JAX primitives from scalar forms, closed under differentiation and transposition.

A form is a real function of several named arrays. It is linear in each of them except possibly one,
the nonlinear argument. The form of a blur is the inner product of a blurry image with the blur,

    form(image, ..., blurry) = <blurry, blur(image, ...)>

One primitive computes the partial gradient of the form with respect to any one array: the blur
itself for `blurry`, its adjoint for `image`, and so on. It also takes directions along which the
gradient is differentiated with respect to the nonlinear argument. The derivatives and transposes of
partial gradients are again partial gradients. So derivatives of every order cost what the few
hand-written gradients cost, and JAX differentiates their code only along those directions.
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
    """A form and how its partial gradients are computed.

    Attributes:
        name: name of the primitive.
        arrays: names of the arrays, in the order of the operands.
        evaluate: maps `(sought, arrays by name without the sought one, **options)` to the gradient
            with respect to `sought`. The nonlinear argument is always among the arrays.
        shape: maps `(sought, shapes by name, **options)` to the shape of that gradient.
        nonlinear: name of the array in which the form is not linear, the last one; None if it is
            linear in all of them.
        on_cpu: further options that `evaluate` gets when it is compiled for a CPU.
        batch: maps `(bind, operands, axes)` to the result of `vmap`, with the mapped axis first.
            None loops over the batch.
    """

    name: str
    arrays: tuple[str, ...]
    evaluate: Callable[..., jax.Array]
    shape: Callable[..., tuple[int, ...]]
    nonlinear: str | None = None
    on_cpu: dict[str, Any] = dataclasses.field(default_factory=dict)
    batch: Callable[..., jax.Array] | None = None

    def operands_of(self, sought: str) -> list[str]:
        """Returns the names of the operands of a partial gradient, without the directions."""
        return [name for name in self.arrays if name != sought or name == self.nonlinear]


def make_partial_gradient(form: Form) -> Callable[..., Any]:
    """Returns `partial_gradient(sought, *operands, *directions, **options)` of a form.

    The operands are the arrays without the sought one, all of one dtype. Options are static.
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

        def gradient(value: jax.Array) -> jax.Array:
            return form.evaluate(sought, {**arrays, form.nonlinear: value}, **options)

        return functools.reduce(_along, directions, gradient)(arrays[names[-1]])

    def abstract(*operands: Any, sought: str, **options: Any) -> Any:
        shapes = {n: x.shape for n, x in zip(form.operands_of(sought), operands, strict=False)}
        shape = form.shape(sought, shapes, **options)
        return operands[0].update(shape=shape, weak_type=False)

    def jvp(primals: Any, tangents: Any, *, sought: str, **options: Any) -> Any:
        names, terms = form.operands_of(sought), []
        for slot, tangent in enumerate(tangents):
            if isinstance(tangent, ad.Zero):
                continue
            if slot < len(names) and names[slot] == form.nonlinear:
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
        # The cotangent replaces the sought array, and the undefined operand becomes the sought one.
        if sought == form.nonlinear:
            directions.append(cotangent)
        else:
            arrays[sought] = cotangent
        if slot < len(names):
            unknown = names[slot]
        else:
            unknown = names[-1]  # a direction of the nonlinear argument
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

    def run(*operands: jax.Array, sought: str, **options: Any) -> jax.Array:
        # Without jit, `compiled` would bind again, without end.
        if jax.config.jax_disable_jit:  # pyright: ignore[reportAttributeAccessIssue]
            extra = form.on_cpu if jax.default_backend() == "cpu" else {}
            return evaluate(*operands, sought=sought, **extra, **options)
        return compiled(sought, tuple(options.items()))(*operands)

    primitive.def_impl(run)
    primitive.def_abstract_eval(abstract)
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    mlir.register_lowering(primitive, lowering())
    if form.on_cpu:
        mlir.register_lowering(primitive, lowering(**form.on_cpu), platform="cpu")
    return bind


def alike(*arrays: jax.Array) -> list[jax.Array]:
    """Returns the arrays, varying over the same mapped axes as `shard_map` requires of operands.

    Call this before any reshape, because `vmap` may batch each array along another axis.
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
