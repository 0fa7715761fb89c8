"""The experiment with solvers of other libraries: each restores, and the derivative is right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import LineBlur


pytest.importorskip("lineax")
run = pytest.importorskip("experiments.other_solvers.run")


@pytest.fixture(scope="module")
def problem():
    return run.make_photo((48, 56), 0)


def test_both_linear_solvers_find_the_same_photo_and_it_is_sharper(problem):
    sharp, blur, photo = problem
    found = [jax.jit(solve)(blur, photo, jnp.float32(3e-3)) for solve in run.SOLVERS.values()]
    np.testing.assert_allclose(found[0], found[1], atol=2e-3)
    assert run.score(found[0], sharp) > run.score(photo, sharp) + 2


@pytest.mark.slow  # to compile
def test_descent_lowers_its_objective_and_restores(problem, monkeypatch):
    monkeypatch.setattr(run, "DESCENT_STEPS", 15)
    sharp, blur, photo = problem
    assert run.score(jax.jit(run.by_descent)(blur, photo), sharp) > run.score(photo, sharp) + 1


@pytest.mark.slow  # to compile
def test_the_derivative_by_the_weight_agrees_with_differences(problem):
    sharp, blur, photo = problem

    @jax.jit
    def error(logarithm):
        found = run.by_jax(blur, photo, jnp.exp(logarithm))
        return jnp.mean(jnp.square(found - sharp))

    slope = float(jax.jit(run.slope_of_weight)(blur, photo, sharp, jnp.float32(1e-3)))
    place, step = np.log(1e-3), 0.1
    ends = [float(error(jnp.float32(place + sign * step))) for sign in (1, -1)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=0.05)


def test_the_photo_is_the_blurred_one_with_noise_of_eight_bits(problem):
    sharp, blur, photo = problem
    assert isinstance(blur, LineBlur)
    np.testing.assert_allclose(photo * 255, np.round(photo * 255), atol=1e-3)
    assert 0.004 < float(jnp.std(photo - blur(sharp))) < 0.006
