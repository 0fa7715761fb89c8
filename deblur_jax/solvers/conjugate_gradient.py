"""Linear systems of a symmetric positive map, by a fixed number of conjugate gradient steps.

`jax.scipy.sparse.linalg.cg` stops when it has converged, and its derivative is that of the exact
solution. Inside an unrolled solver a few steps are taken on purpose; here the derivative is that of
the steps taken, and every example of a batch takes as many.

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

    Each step lowers `<x, apply(x)> / 2 - <x, target>`; once the residual is zero but for rounding,
    the steps that are left change nothing, and the derivative is finite.

    Args:
        apply: a symmetric positive definite linear map from arrays to arrays; not checked.
        target: the right-hand side, any shape.
        start: where to begin, of the same shape.
        steps: how many steps, each with one application.

    Raises:
        ValueError: if the shapes differ, or `steps` is negative.
    """
    if target.shape != start.shape:
        raise ValueError(
            "conjugate_gradient: target and start must have one shape, got "
            f"{list(target.shape)} and {list(start.shape)}"
        )
    if steps < 0:
        raise ValueError(f"conjugate_gradient: steps must be at least 0, got {steps}")

    def step(carry, _):
        solution, residual, direction, energy = carry
        mapped = apply(direction)
        unsolved = energy > rounding
        length = _ratio(energy, inner(direction, mapped), unsolved)
        solution = solution + length * direction
        residual = residual - length * mapped
        remaining = inner(residual, residual)
        direction = residual + _ratio(remaining, energy, unsolved) * direction
        return (solution, residual, direction, remaining), None

    solution = jnp.asarray(start)
    residual = target - apply(solution)
    begin = (solution, residual, residual, inner(residual, residual))
    # Relative to the target, as a start that solves the system already has no residual.
    rounding = lax.stop_gradient(inner(target, target)) * (8 * jnp.finfo(solution.dtype).eps) ** 2
    (solution, *_), _ = lax.scan(step, begin, None, length=steps)
    return solution


def _ratio(numerator: jax.Array, denominator: jax.Array, wanted: jax.Array) -> jax.Array:
    """Returns the quotient where it is wanted and the denominator positive, else zero."""
    positive = wanted & (denominator > 0)
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), 0)
