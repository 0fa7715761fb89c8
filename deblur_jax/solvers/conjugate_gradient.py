"""Solution of symmetric positive linear systems by a fixed number of conjugate gradient steps.

`jax.scipy.sparse.linalg.cg` iterates until convergence, and its derivative is that of the exact
solution. An unrolled solver takes only a few steps: here the derivative is that of these steps, and
every example of a batch takes the same number.

Source: Hestenes and Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems", 1952.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from deblur_jax.ops.linear import inner
from deblur_jax.typing import Array


def conjugate_gradient(
    apply: Callable[[jax.Array], jax.Array], target: Array, start: Array, *, steps: int
) -> jax.Array:
    """Returns an approximate solution `x` of `apply(x) = target`.

    Each step lowers `<x, apply(x)> / 2 - <x, target>`. Once the residual is zero up to rounding,
    the remaining steps are no-ops, and the derivative stays finite. Inner products are computed in
    float32 at least; the arrays keep their dtype, so half precision limits the accuracy.

    Args:
        apply: a symmetric positive definite linear map from arrays to arrays; not checked.
        target: the right-hand side, of any shape.
        start: the initial solution, of the same shape.
        steps: number of steps, each of which calls `apply` once.

    Raises:
        ValueError: if the shapes differ or `steps` is negative.
    """
    if target.shape != start.shape:
        raise ValueError(
            "conjugate_gradient: target and start must have the same shape, got "
            f"{list(target.shape)} and {list(start.shape)}"
        )
    if steps < 0:
        raise ValueError(f"conjugate_gradient: steps must be at least 0, got {steps}")

    if steps == 0:
        return jnp.asarray(start)

    def step(carry, _):
        solution, residual, direction, energy = carry
        mapped = apply(direction)
        unsolved = energy > rounding
        length = _ratio(energy, inner(direction, mapped), unsolved).astype(solution.dtype)
        solution = solution + length * direction
        residual = residual - length * mapped
        remaining = inner(residual, residual)
        turn = _ratio(remaining, energy, unsolved).astype(solution.dtype)
        direction = residual + turn * direction
        return (solution, residual, direction, remaining), None

    solution = jnp.asarray(start)
    residual = target - apply(solution)
    begin = (solution, residual, residual, inner(residual, residual))
    # Relative to the target, because a start that solves the system has no residual.
    rounding = lax.stop_gradient(inner(target, target)) * (8 * jnp.finfo(solution.dtype).eps) ** 2
    (solution, *_), _ = lax.scan(step, begin, None, length=steps)
    return solution


def _ratio(numerator: jax.Array, denominator: jax.Array, wanted: jax.Array) -> jax.Array:
    """Returns the quotient where `wanted` is true and the denominator is positive, else zero."""
    positive = wanted & (denominator > 0)
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), 0)
