"""The unrolled net: it begins as its parts, and its gradient reaches both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.unrolled import UnrolledNet
from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.schedules import carbajal_sigmas
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation


NET = UnrolledNet(widths=(4, 4, 8), blocks=1, denoisings=2, descents=2, margin=4, denoising_steps=2)


def moving(key):
    """Returns two photos, and parameters that see motion in them."""
    keys = jax.random.split(key, 2)
    photos = jax.random.uniform(keys[0], (2, 24, 24, 1))
    params = dict(NET.init(keys[1], photos)["params"])
    noise = jax.tree.map(
        lambda w: w + 0.3 * jax.random.normal(keys[1], w.shape, w.dtype), params["estimator"]
    )
    return photos, {**params, "estimator": noise}


def test_before_training_it_restores_by_the_fixed_schedule(key):
    photos, params = moving(key)
    restored = jax.jit(NET.apply)({"params": params}, photos)
    assert float(jnp.max(jnp.linalg.norm(NET.flow(restored), axis=-1))) > 1
    expected, _ = jax.jit(
        lambda flow, photo: steepest_descent(
            LineBlur(flow), photo,
            lambda x, sigma: denoise_total_variation(x, 0.25 * sigma, num_steps=2),
            sigmas=carbajal_sigmas(2), margin=4,
        )
    )(NET.flow(restored)[1], photos[1])  # fmt: skip
    np.testing.assert_allclose(restored.photos[1], expected, atol=1e-5)


@pytest.mark.slow  # to compile
def test_the_gradient_of_the_restored_photo_reaches_the_schedule_and_the_estimator(key):
    photos, params = moving(key)

    @jax.jit
    @jax.grad
    def slopes(params):
        return jnp.mean(jnp.square(NET.apply({"params": params}, photos).photos - 0.5))

    found = slopes(params)
    assert set(found) == {"estimator", "log_step_sizes", "relaxation_logits", "log_sigmas"}
    for name, tree in found.items():
        assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(tree)), name
        assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)), name


@pytest.mark.slow  # to compile
def test_without_what_was_learned_it_takes_the_fixed_schedule(key):
    photos, params = moving(key)
    changed = {**params, "log_sigmas": params["log_sigmas"] - 0.3}
    flow = jnp.full((2, 24, 24, 2), 2.0)

    @jax.jit
    def restored(params):
        options = {"method": "restore"}
        return [
            NET.apply({"params": params}, photos, flow, learned=x, **options) for x in (True, False)
        ]

    (before, fixed), (after, still) = restored(params), restored(changed)
    np.testing.assert_array_equal(before, fixed)
    np.testing.assert_array_equal(fixed, still)
    assert jnp.any(after != before)
