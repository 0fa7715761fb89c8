"""What the papers' networks are given: the same is taken and refused, in the same words, by all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.blur_to_flow import BlurToFlowNet
from deblur_jax.models.deblurnet import DeblurNet
from deblur_jax.models.flow_rnn import FlowRnnNet, SpatialRnnNet
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.models.motion_flow import MotionFlowNet


SMALL = {
    "BlurToFlowNet": BlurToFlowNet(
        widths=(2, 3), flow_widths=(2, 2), context_widths=(2, 2), reach=1
    ),
    "DeblurNet": DeblurNet(first_widths=(2,) * 6, later_widths=(2,)),
    "FlowRnnNet": FlowRnnNet(width=2),
    "SpatialRnnNet": SpatialRnnNet(width=2),
}
NETS = {**SMALL, "KernelBasisNet": KernelBasisNet(), "MotionFlowNet": MotionFlowNet()}


def given(model, height=40, width=40, channels=3, dtype=jnp.float32):
    """Traces a network on photos of such a shape; nothing is computed."""
    photo = jax.ShapeDtypeStruct((1, height, width, channels), dtype)
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
    ],
)
def test_photos_that_a_network_cannot_use_are_refused(name, shape, error, message):
    with pytest.raises(error, match=message.format(name)):
        given(NETS[name], **shape)


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (65, 46)])
def test_photos_of_any_size_give_results_of_that_size(name, size):
    assert jax.tree.leaves(given(SMALL[name], *size))[0].shape[:3] == (1, *size)


def test_values_out_of_range_are_taken_as_they_are(key):
    model = FlowRnnNet(width=2, frames=1, recurrence="none")
    bright = 10 * jax.random.uniform(key, (1, 32, 32, 3))
    variables = jax.jit(model.init)(key, bright)
    # Without biases this net is linear up to scale: nothing was clipped on the way.
    small, large = (model.apply(variables, scale * bright)[0] for scale in (1, 3))
    np.testing.assert_allclose(large, 3 * small, rtol=1e-3, atol=1e-3)
