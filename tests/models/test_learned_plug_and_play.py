"""The unrolled network: it starts as its parts, and all of them have a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.denoiser import DenoiserNet, make_denoiser
from deblur_jax.models.learned_plug_and_play import NOISE, SIGMAS, LearnedPlugAndPlayNet
from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.schedules import log_spaced


NET = LearnedPlugAndPlayNet(
    width=8, blocks=1, window=16, prior_widths=(4, 8), denoising_steps=2, linear_steps=2, margin=4
)


@pytest.fixture(scope="module")
def params():
    return jax.jit(NET.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]


@pytest.mark.slow  # to compile
def test_before_training_it_restores_by_a_fixed_schedule_and_the_last_net_changes_nothing(
    params, key
):
    photos = jax.random.uniform(key, (2, 16, 18, 3))
    flow = jnp.broadcast_to(jnp.asarray([3.0, -2.0]), (2, 16, 18, 2))
    prior = DenoiserNet(widths=(4, 8), blocks=1, fold=2, residual=True)

    @jax.jit
    def both(params):
        denoise = make_denoiser(prior, {"params": params["prior"]})
        expected, _ = plug_and_play(
            LineBlur(flow[1]), photos[1], denoise, sigmas=log_spaced(*SIGMAS, 2), noise=NOISE,
            linear_steps=2, margin=4,
        )  # fmt: skip
        return NET.apply({"params": params}, photos, flow, method="restore"), expected

    restored, expected = both(params)
    np.testing.assert_allclose(restored[1], expected, atol=1e-5)
    assert jnp.max(jnp.abs(restored - photos)) > 0.01


@pytest.mark.slow
def test_its_motion_estimator_is_a_network_of_its_own(params, key):
    photos = jax.random.uniform(key, (1, 32, 32, 3))
    estimator = NET.motion_estimator()
    assert isinstance(estimator, CameraMotionNet)
    motion = estimator.apply({"params": params["estimator"]}, photos)
    expected = NET.apply({"params": params}, photos, method="estimate_motion")
    np.testing.assert_array_equal(motion, expected)


@pytest.mark.slow  # to compile
def test_the_gradient_of_the_restored_photo_reaches_every_part(params, key):
    photos = jax.random.uniform(key, (2, 32, 32, 3))
    noise = jax.tree.map(
        lambda w: w + 0.3 * jax.random.normal(key, w.shape, w.dtype), params["estimator"]
    )

    @jax.jit
    @jax.grad
    def slopes(params):
        return jnp.mean(jnp.square(NET.apply({"params": params}, photos).photos - 0.5))

    found = slopes({**params, "estimator": noise})
    assert set(found) == {"estimator", "finish", "plan", "prior"}
    for name, tree in found.items():
        assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(tree)), name
        assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)), name
