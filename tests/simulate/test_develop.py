import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.sensor import to_display
from deblur_jax.simulate.develop import Camera, develop
from deblur_jax.simulate.jpeg import jpeg


QUIET = Camera(sigma=(0.0, 0.0))


def test_a_quiet_linear_camera_only_clips(key):
    light = jnp.linspace(-0.5, 1.5, 24).reshape(2, 4, 3)
    np.testing.assert_array_equal(develop(key, light, QUIET), np.clip(light, 0, 1))


def test_light_is_clipped_before_the_transfer_curve(key):
    light = jnp.array([[[0.2, 0.9, 4.0]]])
    shown = develop(key, light, dataclasses.replace(QUIET, transfer=2.2))
    np.testing.assert_allclose(shown, to_display(jnp.minimum(light, 1), 2.2), rtol=1e-6)


def test_the_strength_of_the_noise_is_uniform_within_its_bounds(key):
    camera = Camera(sigma=(0.02, 0.06))
    light = jnp.full((20, 20, 3), 0.5)
    draw = jax.jit(jax.vmap(partial(develop, light=light, camera=camera)))
    deviations = np.std(draw(jax.random.split(key, 300)), axis=(1, 2, 3))
    assert deviations.min() > 0.018
    assert deviations.max() < 0.066
    np.testing.assert_allclose(deviations.mean(), 0.04, rtol=0.05)


def test_shot_noise_grows_with_the_signal(key):
    camera = Camera(sigma=(0.0, 0.0), shot=(0.01, 0.01))
    light = jnp.broadcast_to(jnp.array([0.0, 0.1, 0.4]), (40, 40, 3))
    deviation = np.std(develop(key, light, camera), axis=(0, 1))
    np.testing.assert_allclose(deviation[2], np.sqrt(0.01 * 0.4), rtol=0.1)
    assert deviation[0] == 0
    assert deviation[1] < deviation[2]


def test_levels_round_to_file_values(key):
    light = jax.random.uniform(key, (5, 6, 3))
    shown = develop(key, light, dataclasses.replace(QUIET, levels=256))
    np.testing.assert_allclose(shown, np.round(np.asarray(light) * 255) / 255, atol=1e-6)


@pytest.mark.slow
def test_compression_comes_last_and_leaves_the_noise_as_it_is(key):
    light = jax.random.uniform(key, (16, 24, 3))
    camera = Camera(sigma=(0.1, 0.1), levels=256)
    noisy = develop(key, light, camera)
    shown = develop(key, light, dataclasses.replace(camera, quality=(60.0, 60.0)))
    np.testing.assert_allclose(shown, jpeg(noisy, quality=60), atol=1e-6)
    drawn = develop(key, light, dataclasses.replace(camera, quality=(5.0, 100.0)))
    assert not np.array_equal(drawn, shown)


def test_a_still_camera_keeps_only_the_transfer(key):
    light = jax.random.uniform(key, (6, 6, 3))
    camera = Camera(2.2, sigma=(0.1, 0.1), shot=(0.1, 0.1), levels=4, quality=(10.0, 20.0))
    np.testing.assert_allclose(develop(key, light, camera.still()), to_display(light, 2.2))
