"""The loop that all solvers share: a `scan`, or the same steps one by one for people to watch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer


Step = Callable[[Any, Any, Any], tuple[Any, dict[str, jax.Array]]]
Progress = Callable[[int, int, dict[str, float]], None]


def iterate(
    step: Step,
    problem: Any,
    state: Any,
    schedule: Any,
    *,
    remat: bool = False,
    unroll: bool = False,
    progress: Progress | None = None,
) -> tuple[Any, dict[str, jax.Array]]:
    """Applies `step` once for each entry of `schedule`.

    Args:
        step: `(problem, state, entry) -> (state, row)`, a pure function.
        problem: what stays the same, a pytree.
        state: what changes, a pytree of arrays.
        schedule: a pytree of arrays that share their first axis, the iterations.
        remat: whether the derivative of the loop recomputes each step instead of keeping what
            happened in it: the memory of a gradient is then that of one step and all states.
        unroll: whether the steps are compiled one after the other instead of as a loop, in which
            XLA's gradients of convolutions are slow on a CPU: 30 times were measured.
        progress: called after every step with the number of steps done, the number of all, and
            the step's row as numbers. Only outside of `jit`, `vmap` and `grad`.

    Returns:
        The last state, and the rows as arrays with the iterations as first axis.

    Raises:
        ValueError: if `progress` is given inside a JAX transformation.
    """

    def run(carry: Any, entry: Any) -> tuple[Any, dict[str, jax.Array]]:
        return step(problem, carry, entry)

    if progress is None:
        return lax.scan(jax.checkpoint(run) if remat else run, state, schedule, unroll=unroll)
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((state, schedule))):
        raise ValueError(
            "iterate: progress is for people and cannot be called inside jit, vmap or grad; "
            "leave it out there"
        )
    return _watched(step, problem, state, schedule, progress)


def _watched(step: Step, problem: Any, state: Any, schedule: Any, progress: Progress):
    leaves, structure = jax.tree.flatten(problem)
    arrays = {index: leaf for index, leaf in enumerate(leaves) if hasattr(leaf, "dtype")}

    @jax.jit
    def compiled(arrays, state, entry):
        filled = [arrays.get(index, leaf) for index, leaf in enumerate(leaves)]
        return step(jax.tree.unflatten(structure, filled), state, entry)

    total = len(jax.tree.leaves(schedule)[0])
    rows = []
    for number in range(total):
        entry = jax.tree.map(lambda values, at=number: values[at], schedule)
        state, row = compiled(arrays, state, entry)
        rows.append(row)
        progress(number + 1, total, {name: float(value) for name, value in row.items()})
    return state, jax.tree.map(lambda *values: jnp.stack(values), *rows)
