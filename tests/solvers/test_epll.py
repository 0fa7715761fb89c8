"""EPLL: its patch step is the equation, its steps lower its objective."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.epll import epll
from deblur_jax.solvers.patches import cover, denoise_patches, make_experts
from deblur_jax.solvers.schedules import gong_penalties
from tests.reference import patches as reference
from tests.solvers.mixtures import small_mixture


@functools.partial(jax.jit, static_argnames=("rank", "chunk"))
def denoise(image, variance, *, rank=8, chunk=40):
    experts = make_experts(small_mixture(), variance, rank=rank)
    return denoise_patches(image, experts, side=3, chunk=chunk)


@pytest.mark.parametrize("chunk", [40, 1000])
def test_the_patch_step_is_that_of_the_equation(key, chunk):
    image = jax.random.uniform(key, (9, 8, 2))
    mixture = small_mixture()
    total, density = denoise(image, 0.05, chunk=chunk)
    expected = reference.denoise_patches(
        np.asarray(image), *map(np.asarray, jax.tree.leaves(mixture)), 0.05
    )
    np.testing.assert_allclose(total, expected[0], rtol=1e-9)
    np.testing.assert_allclose(density, expected[1], rtol=1e-9)


def test_fewer_directions_choose_nearly_as_well(key):
    image = jax.random.uniform(key, (9, 8, 1))
    total, _ = denoise(image, 0.05)
    rough, _ = denoise(image, 0.05, rank=5)
    assert np.mean(np.abs(total - rough)) < 0.1 * np.mean(np.abs(total - 9 * image))


def test_the_cover_counts_the_patches_over_each_pixel():
    expected = np.zeros((5, 7, 1))
    for row in range(3):
        for column in range(5):
            expected[row : row + 3, column : column + 3] += 1
    np.testing.assert_array_equal(cover(5, 7, 3, jnp.float64), expected)


def test_at_a_constant_penalty_the_objective_falls_at_every_step(key):
    image = jax.random.uniform(key, (12, 11, 1))
    blur = LineBlur(jnp.full((12, 11, 2), 2.5))
    run = functools.partial(epll, rank=8, linear_steps=4, margin=3, penalties=jnp.full(6, 100.0))
    _, trace = jax.jit(run)(blur, blur(image), small_mixture())
    assert np.all(np.diff(trace["objective"]) < 0)


def test_the_penalties_are_those_of_the_paper():
    np.testing.assert_array_equal(gong_penalties(jnp.float64), [50, 100, 200, 400, 800])


def test_what_does_not_fit_is_refused():
    photo = jnp.ones((4, 4, 1)) / 2
    blur = LineBlur(jnp.zeros((4, 4, 2)))
    odd = SimpleNamespace(**{**vars(small_mixture()), "directions": jnp.ones((2, 7, 6))})
    with pytest.raises(ValueError, match="mixture must have square patches, got 7 pixels"):
        epll(blur, photo, odd, penalties=jnp.ones(1), margin=0)
    large = SimpleNamespace(**{**vars(small_mixture()), "directions": jnp.ones((2, 64, 63))})
    with pytest.raises(ValueError, match="must hold a patch of 8x8 pixels, got 4x4 and margin 1"):
        epll(blur, photo, large, penalties=jnp.ones(1), margin=1)
    with pytest.raises(ValueError, match="penalties must be finite and at least 0.001"):
        epll(blur, photo, small_mixture(), penalties=jnp.zeros(1), margin=0)
