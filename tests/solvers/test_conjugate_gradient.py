"""Conjugate gradients: exact after as many steps as unknowns; further steps change nothing."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.solvers.conjugate_gradient import conjugate_gradient


@functools.partial(jax.jit, static_argnames="steps")
def solve(matrix, target, *, steps):
    return conjugate_gradient(lambda x: matrix @ x, target, jnp.zeros_like(target), steps=steps)


def system(key, size=6):
    keys = jax.random.split(key)
    root = jax.random.normal(keys[0], (size, size))
    return root @ root.T + jnp.eye(size), jax.random.normal(keys[1], (size,))


def test_as_many_steps_as_unknowns_solve_the_system(key):
    matrix, target = system(key)
    solution = solve(matrix, target, steps=6)
    np.testing.assert_allclose(solution, np.linalg.solve(matrix, target), rtol=1e-8)


def test_each_step_lowers_the_energy(key):
    matrix, target = system(key)
    solutions = [solve(matrix, target, steps=count) for count in range(5)]
    energies = [x @ matrix @ x / 2 - x @ target for x in solutions]
    assert np.all(np.diff(energies) < 0)


def test_steps_after_the_solution_change_nothing_and_have_gradients(key):
    matrix = jnp.eye(3)
    target = jax.random.normal(key, (3,))
    np.testing.assert_array_equal(solve(matrix, target, steps=9), target)
    gradient = jax.jacobian(lambda y: solve(matrix, y, steps=9))(target)
    np.testing.assert_allclose(gradient, np.eye(3), atol=1e-12)


def test_a_solution_but_for_rounding_has_finite_gradients_in_single_precision(key):
    target = jax.random.normal(key, (40,), jnp.float32)

    @jax.jit
    @jax.grad
    def slope(diagonal, start):
        solved = conjugate_gradient(lambda x: diagonal * x, target, start, steps=6)
        return jnp.sum(jnp.square(solved))

    diagonal = jnp.asarray(1.0012345, jnp.float32)
    expected = -2 * jnp.sum(jnp.square(target)) / diagonal**3
    np.testing.assert_allclose(slope(diagonal, 0 * target), expected, rtol=1e-4)
    for almost in (target / diagonal, (1 + 3e-7) * target / diagonal):
        chex.assert_tree_all_finite(slope(diagonal, almost))


def test_the_derivative_is_that_of_the_steps_taken(key):
    matrix, target = system(key)
    check_grads(
        jax.jit(lambda m, y: solve(m, y, steps=2)), (matrix, target), order=1, modes=("rev",)
    )


def test_vmap_equals_a_loop(key):
    systems = [system(k) for k in jax.random.split(key, 2)]
    stacked = [jnp.stack(x) for x in zip(*systems, strict=True)]
    looped = jnp.stack([solve(*one, steps=3) for one in systems])
    batched = jax.vmap(functools.partial(solve, steps=3))(*stacked)
    np.testing.assert_allclose(batched, looped, rtol=1e-10)


def test_what_does_not_fit_is_refused():
    one = jnp.ones(3)
    with pytest.raises(ValueError, match=r"must have the same shape, got \[3\] and \[2\]"):
        conjugate_gradient(lambda x: x, one, jnp.ones(2), steps=1)
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        conjugate_gradient(lambda x: x, one, one, steps=-1)
