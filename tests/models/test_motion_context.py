"""The net with context: sizes, signs, and what it makes of a photo that shows nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.motion_context import MotionContextNet


NET = MotionContextNet(widths=(4, 4, 8), blocks=1)


@pytest.fixture
def params(key):
    params = NET.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
    # The last layer starts at zero.
    return jax.tree.map(lambda w: w + 0.1 * jax.random.normal(key, w.shape), params)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40)])
def test_every_pixel_of_every_size_gets_a_motion_to_the_right(params, key, size):
    photo = jax.random.uniform(key, (2, *size, 3))
    flow = NET.flow(NET.apply({"params": params}, photo))
    assert flow.shape == (2, *size, 2)
    assert jnp.all(flow[..., 0] >= 0)
    assert float(jnp.std(flow)) > 0


def test_a_flat_photo_has_a_finite_motion(params):
    flow = NET.apply({"params": params}, jnp.full((1, 40, 40, 3), 0.3))
    assert jnp.all(jnp.isfinite(flow))


def test_brightness_and_contrast_do_not_matter(params, key):
    photo = jax.random.uniform(key, (1, 40, 40, 3))
    shown = NET.apply({"params": params}, photo)
    dimmed = NET.apply({"params": params}, 0.8 * photo + 0.1)
    np.testing.assert_allclose(dimmed, shown, atol=0.03)


def test_photos_of_a_batch_do_not_see_each_other(params, key):
    photos = jax.random.uniform(key, (2, 32, 32, 3))
    together = NET.apply({"params": params}, photos)
    alone = NET.apply({"params": params}, photos[1:])
    np.testing.assert_allclose(together[1:], alone, atol=1e-5)


def test_before_training_it_sees_no_motion(key):
    photo = jax.random.uniform(key, (1, 32, 32, 3))
    params = NET.init(key, photo)["params"]
    np.testing.assert_array_equal(NET.apply({"params": params}, photo), 0)
