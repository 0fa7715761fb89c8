"""Richardson-Lucy: photons are counted, light stays positive, the objective falls."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.proximal_gradient import proximal_gradient
from deblur_jax.solvers.richardson_lucy import richardson_lucy


def problem(key):
    image = jax.random.uniform(key, (12, 11, 1))
    blur = LineBlur(jnp.full((12, 11, 2), 2.5))
    return blur, blur(image)


@pytest.mark.parametrize("solve", [richardson_lucy, proximal_gradient])
def test_the_objective_falls_at_every_step(key, solve):
    run = jax.jit(functools.partial(solve, weight=jnp.asarray(1e-3), steps=12, margin=3))
    _, trace = run(*problem(key))
    assert np.all(np.diff(trace["objective"]) <= 1e-12)
    assert trace["objective"][-1] < trace["objective"][0]


@pytest.mark.parametrize("limit", [0.8, pytest.param(None, marks=pytest.mark.slow)])
def test_light_stays_positive(key, limit):
    restored, _ = jax.jit(
        functools.partial(richardson_lucy, weight=jnp.asarray(0.0), limit=limit, margin=3)
    )(*problem(key))
    assert np.all(restored > 0)


@pytest.mark.parametrize("solve", [richardson_lucy, proximal_gradient])
def test_a_weight_out_of_range_is_refused(key, solve):
    with pytest.raises(ValueError, match=r"weight must be finite and in \[0, 1\], got .* -1"):
        solve(*problem(key), jnp.asarray(-1.0), margin=2)
