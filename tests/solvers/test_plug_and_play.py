"""Half-quadratic splitting: each half-step matches its equation, and the misfit falls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.frame import put_in_frame
from deblur_jax.solvers.plug_and_play import COUPLING, plug_and_play
from deblur_jax.solvers.schedules import zhang_sigmas


solve = jax.jit(plug_and_play, static_argnames=("denoise", "margin", "linear_steps"))


def keep(image, sigma):
    del sigma
    return image


def problem(key):
    image = jax.random.uniform(key, (7, 6, 1))
    blur = LineBlur(jnp.full((7, 6, 2), 2.5))
    return blur, blur(image), image


def test_a_step_is_the_least_squares_fit_and_the_denoised(key):
    blur, observed, _ = problem(key)
    weights = jax.random.uniform(jax.random.fold_in(key, 1), (7, 6, 1))
    restored, _ = solve(
        blur, observed, denoise=lambda image, sigma: sigma * image, sigmas=jnp.asarray([0.1]),
        noise=0.05, linear_steps=100, margin=1, weights=weights,
    )  # fmt: skip
    framed = put_in_frame("", blur, observed, margin=1)
    start = framed.canvas()
    matrix = np.asarray(jax.jit(jax.jacobian(framed.expose))(start)).reshape(42, -1)
    pull = COUPLING * (0.05 / 0.1) ** 2
    left = matrix.T @ (np.ravel(weights)[:, None] * matrix) + pull * np.eye(matrix.shape[1])
    right = matrix.T @ np.ravel(weights * observed) + pull * np.ravel(start)
    fitted = np.linalg.solve(left, right).reshape(start.shape)
    np.testing.assert_allclose(restored, framed.crop(0.1 * fitted), atol=1e-10)


def test_a_photo_without_noise_is_explained_and_restored(key):
    blur, observed, image = problem(key)
    restored, trace = solve(
        blur, observed, denoise=keep, sigmas=zhang_sigmas(0.01, dtype=jnp.float64), noise=0.001,
        margin=0,
    )  # fmt: skip
    assert trace["misfit"][-1] < 1e-6
    assert jnp.mean((restored - image) ** 2) < 0.2 * jnp.mean((observed - image) ** 2)


def test_at_a_constant_level_the_objective_falls_at_every_step(key):
    """With a denoiser that is a proximal step, both halves lower one objective."""
    blur, observed, _ = problem(key)
    noise, sigma, prior = 0.05, 0.1, 0.3
    pull = COUPLING * (noise / sigma) ** 2
    matrix = np.asarray(jax.jit(jax.jacobian(blur))(observed)).reshape(42, 42)
    normal = matrix.T @ matrix + pull * np.eye(42)

    def objective(cleaned):
        """The least over x of |A x - y|^2 + pull |x - z|^2, and what the prior asks for z."""
        z, y = np.ravel(cleaned), np.ravel(observed)
        x = np.linalg.solve(normal, matrix.T @ y + pull * z)
        split = pull * (np.sum((x - z) ** 2) + prior * np.sum(z**2))
        return np.sum((matrix @ x - y) ** 2) + split

    def shrink(image, sigma):
        del sigma
        return image / (1 + prior)

    values = [objective(observed)]
    for count in (1, 3):
        restored, _ = solve(
            blur, observed, shrink, sigmas=jnp.full(count, sigma), noise=noise, linear_steps=60,
            margin=0,
        )  # fmt: skip
        values.append(objective(restored))
    assert np.all(np.diff(values) < 0)


def test_each_denoising_may_have_a_coupling_of_its_own_and_steps_may_be_unrolled(key):
    blur, observed, _ = problem(key)
    sigmas, options = jnp.asarray([0.1, 0.05]), {"noise": 0.05, "linear_steps": 2, "margin": 1}

    @jax.jit
    def both():
        couplings = jnp.asarray([0.1, 0.4])
        found, _ = plug_and_play(
            blur, observed, keep, sigmas=sigmas, coupling=couplings, unroll=True, **options
        )
        framed = put_in_frame("", blur, observed, margin=1)
        restored = framed.canvas()
        for sigma, coupling in zip((0.1, 0.05), (0.1, 0.4), strict=True):
            penalty = jnp.asarray(coupling * (0.05 / sigma) ** 2)
            restored = framed.fit(penalty, penalty * restored, restored, steps=2)
        return found, framed.crop(restored)

    np.testing.assert_allclose(*both(), atol=1e-10)


def test_noise_levels_out_of_range_are_refused(key):
    blur, observed, _ = problem(key)
    for noise in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="noise must be above 0 and at most 1"):
            plug_and_play(blur, observed, keep, sigmas=jnp.ones(1), noise=noise, margin=1)
    with pytest.raises(ValueError, match="sigmas must be above 0 and at most 1"):
        plug_and_play(blur, observed, keep, sigmas=jnp.asarray([15.0]), margin=1)
    with pytest.raises(ValueError, match="coupling must be finite and at least"):
        plug_and_play(blur, observed, keep, sigmas=jnp.ones(1), coupling=-1.0, margin=1)
