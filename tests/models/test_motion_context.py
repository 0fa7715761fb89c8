"""The nets with context: sizes, signs, and what they make of a photo that shows nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.motion_context import MotionContextNet


NETS = {
    "camera_motion": CameraMotionNet(width=8, blocks=1, window=16),
    "motion_context": MotionContextNet(widths=(4, 4, 8), blocks=1),
}


@pytest.fixture(params=NETS.values(), ids=NETS)
def net(request):
    return request.param


@pytest.fixture
def params(net, key):
    params = jax.jit(net.init)(key, jnp.zeros((1, 32, 32, 3)))["params"]
    # The last layer starts at zero.
    return jax.tree.map(lambda w: w + 0.1 * jax.random.normal(key, w.shape), params)


@pytest.mark.parametrize(
    "size", [(32, 32), (33, 47), pytest.param((64, 40), marks=pytest.mark.slow)]
)
def test_every_pixel_of_every_size_gets_a_motion_to_the_right(net, params, key, size):
    photo = jax.random.uniform(key, (2, *size, 3))
    flow = jax.jit(lambda params, x: net.flow(net.apply({"params": params}, x)))(params, photo)
    assert flow.shape == (2, *size, 2)
    assert jnp.all(flow[..., 0] >= 0)
    assert float(jnp.std(flow)) > 0


def test_a_flat_photo_has_a_finite_motion(net, params):
    flow = jax.jit(net.apply)({"params": params}, jnp.full((1, 40, 40, 3), 0.3))
    assert jnp.all(jnp.isfinite(flow))


def test_brightness_and_contrast_do_not_matter(net, params, key):
    photo = jax.random.uniform(key, (1, 40, 40, 3))
    apply = jax.jit(net.apply)
    shown = apply({"params": params}, photo)
    dimmed = apply({"params": params}, 0.8 * photo + 0.1)
    np.testing.assert_allclose(dimmed, shown, atol=0.03)


def test_photos_of_a_batch_do_not_see_each_other(net, params, key):
    photos = jax.random.uniform(key, (2, 32, 32, 3))
    apply = jax.jit(net.apply)
    together = apply({"params": params}, photos)
    alone = apply({"params": params}, photos[1:])
    np.testing.assert_allclose(together[1:], alone, atol=1e-5)


def test_before_training_it_sees_no_motion(net, key):
    photo = jax.random.uniform(key, (1, 32, 32, 3))
    params = jax.jit(net.init)(key, photo)["params"]
    np.testing.assert_array_equal(net.apply({"params": params}, photo), 0)


@pytest.mark.slow
def test_a_camera_is_seen_from_all_over_the_frame(key):
    net = NETS["camera_motion"]
    photo = jax.random.uniform(key, (1, 32, 160, 1))
    params = jax.tree.map(
        lambda w: w + 0.1 * jax.random.normal(key, w.shape), net.init(key, photo)["params"]
    )
    flow = net.apply({"params": params}, photo)
    # What 130 pixels away does not reach through three convolutions of stride 16 at most.
    apply = jax.jit(net.apply)
    shown = apply({"params": params}, photo.at[:, :, -16:].set(photo[:, :, :16]))
    assert float(jnp.max(jnp.abs(shown - flow)[:, :, :16])) > 1e-3
