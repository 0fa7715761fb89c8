"""Inputs of the papers' networks: all accept the same photos and raise the same errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.adversarial import Generator
from deblur_jax.models.blur_to_flow import BlurToFlowNet
from deblur_jax.models.deblurnet import DeblurNet
from deblur_jax.models.flow_rnn import FlowRnnNet, SpatialRnnNet
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.models.motion_flow import MotionFlowNet


NETS = {
    "BlurToFlowNet": BlurToFlowNet(
        widths=(2, 3), flow_widths=(2, 2), context_widths=(2, 2), reach=1
    ),
    "DeblurNet": DeblurNet(first_widths=(2,) * 6, later_widths=(2,)),
    "FlowRnnNet": FlowRnnNet(width=2),
    "Generator": Generator(width=2, blocks=1),
    "KernelBasisNet": KernelBasisNet(basis=2, side=5, width=1),
    "MotionFlowNet": MotionFlowNet(reach=4, widths=(2,) * 5),
    "SpatialRnnNet": SpatialRnnNet(width=2),
}


def given(model, height=40, width=40, channels=3, dtype=jnp.float32):
    """Traces a network on photos of such a shape; nothing is computed."""
    last = channels if isinstance(channels, tuple) else (channels,)
    photo = jax.ShapeDtypeStruct((1, height, width, *last), dtype)
    photos = [photo] * getattr(model, "frames", 1)
    return jax.eval_shape(lambda *x: model.init_with_output(jax.random.key(0), *x)[0], *photos)


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ({"channels": 1}, ValueError, "{}: images must have 3 colour channels, got 1; repeat a gr"),
        ({"channels": 4}, ValueError, "{}: images must have 3 colour channels, got 4; .* drop alp"),
        ({"height": 31}, ValueError, "{}: images must have at least 32 pixels a side, got 40x31"),
        ({"width": 9}, ValueError, "{}: images must have at least 32 pixels a side, got 9x40"),
        ({"dtype": jnp.uint8}, TypeError, r"{}.*blurry must be a float array .* convert it first"),
        ({"dtype": jnp.int32}, TypeError, r"{}.*blurry must be a float array .* convert it first"),
        ({"channels": ()}, TypeError, r"{}.*blurry must be a float array of shape \[b, h"),
    ],
)
def test_photos_that_a_network_cannot_use_are_refused(name, shape, error, message):
    with pytest.raises(error, match=message.format(name)):
        given(NETS[name], **shape)


@pytest.mark.parametrize("name", sorted(NETS))
@pytest.mark.parametrize(
    "size", [(33, 47), *(pytest.param(x, marks=pytest.mark.slow) for x in ((32, 32), (65, 46)))]
)
def test_photos_of_any_size_give_results_of_that_size(name, size):
    shapes = [x.shape for x in jax.tree.leaves(given(NETS[name], *size))]
    assert any(shape[:3] == (1, *size) for shape in shapes)


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("name", sorted(NETS))
def test_values_out_of_range_are_taken_and_give_numbers(name, key):
    model = NETS[name]
    shape = (getattr(model, "frames", 1), 1, 32, 32, 3)
    photos = jax.random.uniform(key, shape, minval=-2, maxval=9)
    estimate, _ = jax.jit(lambda *x: model.init_with_output(key, *x))(*photos)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(estimate))


def test_values_out_of_range_are_taken_as_they_are(key):
    model = FlowRnnNet(width=2, frames=1, recurrence="none")
    bright = 10 * jax.random.uniform(key, (1, 32, 32, 3))
    variables = jax.jit(model.init)(key, bright)
    # Without biases this net is linear up to scale: nothing was clipped on the way.
    apply = jax.jit(model.apply)
    small, large = (apply(variables, scale * bright)[0] for scale in (1, 3))
    np.testing.assert_allclose(large, 3 * small, rtol=1e-3, atol=1e-3)
