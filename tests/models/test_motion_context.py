"""The networks with context: photo sizes, signs of the motion, and photos without texture."""

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


class Network:
    """A network, its variables before training and with noise, and its compiled function."""

    def __init__(self, model):
        self.model = model
        self.apply = jax.jit(model.apply)
        self.initial = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
        noise = np.random.default_rng(0)
        self.variables = jax.tree.map(  # the last layer starts at zero
            lambda w: w + np.float32(0.1 * noise.standard_normal(w.shape)), self.initial
        )


@pytest.fixture(scope="module", params=NETS.values(), ids=NETS)
def net(request):
    return Network(request.param)


@pytest.mark.parametrize(
    "size", [(32, 32), (33, 47), pytest.param((64, 40), marks=pytest.mark.slow)]
)
def test_every_pixel_of_every_size_gets_a_motion_to_the_right(net, key, size):
    photo = jax.random.uniform(key, (2, *size, 3))
    flow = net.model.flow(net.apply(net.variables, photo))
    assert flow.shape == (2, *size, 2)
    assert jnp.all(flow[..., 0] >= 0)
    assert float(jnp.std(flow)) > 0


def test_a_flat_photo_has_a_finite_motion(net):
    flow = net.apply(net.variables, jnp.full((2, 32, 32, 3), 0.3))
    assert jnp.all(jnp.isfinite(flow))


def test_brightness_and_contrast_do_not_matter(net, key):
    photo = jax.random.uniform(key, (2, 32, 32, 3))
    shown = net.apply(net.variables, photo)
    dimmed = net.apply(net.variables, 0.8 * photo + 0.1)
    np.testing.assert_allclose(dimmed, shown, atol=0.03)


def test_the_estimate_does_not_depend_on_the_other_photos_of_a_batch(net, key):
    photo, *others = jax.random.uniform(key, (3, 32, 32, 3))
    first, second = (net.apply(net.variables, jnp.stack([photo, other])) for other in others)
    np.testing.assert_allclose(first[0], second[0], atol=1e-5)
    assert float(jnp.max(jnp.abs(first[1] - second[1]))) > 1e-3


def test_before_training_the_estimated_motion_is_zero(net, key):
    photo = jax.random.uniform(key, (2, 32, 32, 3))
    np.testing.assert_array_equal(net.apply(net.initial, photo), 0)


@pytest.mark.slow
def test_camera_motion_is_estimated_from_the_whole_frame(key):
    net = NETS["camera_motion"]
    photo = jax.random.uniform(key, (1, 32, 160, 1))
    params = jax.tree.map(
        lambda w: w + 0.1 * jax.random.normal(key, w.shape), net.init(key, photo)["params"]
    )
    flow = net.apply({"params": params}, photo)
    # Three convolutions of stride 16 at most do not reach over 130 pixels.
    apply = jax.jit(net.apply)
    shown = apply({"params": params}, photo.at[:, :, -16:].set(photo[:, :, :16]))
    assert float(jnp.max(jnp.abs(shown - flow)[:, :, :16])) > 1e-3
