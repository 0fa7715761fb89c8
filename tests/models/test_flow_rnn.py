"""The flow-RNN and its predecessor: number of parameters, accepted frames and options."""

import jax
import jax.numpy as jnp
import pytest

from deblur_jax.models.flow_rnn import RECURRENCES, FlowRnnNet, SpatialRnnNet
from deblur_jax.training.step import count_parameters


def photo(height=32, width=32, channels=3, dtype=jnp.float32):
    return jax.ShapeDtypeStruct((1, height, width, channels), dtype)


def params(model, *images):
    return jax.eval_shape(model.init, jax.random.key(0), *images)["params"]


def shapes(model, *images):
    return jax.eval_shape(lambda *x: model.init_with_output(jax.random.key(0), *x)[0], *images)


def test_the_paper_net_has_the_published_number_of_parameters():
    tree = params(FlowRnnNet(), photo(), photo())
    heads = count_parameters([tree["flow"][f"weights{level}"] for level in (1, 2, 3)])
    assert heads == 665_952
    assert count_parameters(tree["flow"]) - heads == 5_476_960
    assert count_parameters(tree["deblur"]) == 2_138_784


def test_the_predecessor_has_the_published_number_of_parameters():
    assert count_parameters(params(SpatialRnnNet(), photo())) == 9_227_027


@pytest.mark.parametrize("size", [(33, 47), pytest.param((65, 32), marks=pytest.mark.slow)])
@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_every_ablation_takes_every_size(size, recurrence, frames):
    model = FlowRnnNet(width=2, frames=frames, recurrence=recurrence)
    sharp, flows = shapes(model, *[photo(*size)] * frames)
    assert sharp.shape == (1, *size, 3)
    assert len(flows) == (0 if frames == 1 or recurrence == "none" else 5)
    assert all(flow.shape[-1] == 2 * (frames - 1) for flow in flows)


def test_before_training_it_returns_the_photo(key):
    model = FlowRnnNet(width=4, frames=1, recurrence="none")
    blurry = jax.random.uniform(key, (1, 32, 32, 3))
    restored, _ = jax.jit(lambda x: model.init_with_output(key, x)[0])(blurry)
    assert jnp.mean((restored - blurry) ** 2) ** 0.5 < 0.03


def test_the_predecessor_takes_every_size():
    for size in ((32, 32), (33, 47)):
        assert shapes(SpatialRnnNet(width=2), photo(*size))[0].shape == (1, *size, 3)


def test_unsuitable_frames_are_refused():
    model = FlowRnnNet(width=2)
    with pytest.raises(ValueError, match="expected 2 frames .* got 1"):
        shapes(model, photo())
    with pytest.raises(
        ValueError, match=r"frames must have one shape and dtype, got float32\[1, 32, 32, 3\]"
    ):
        shapes(model, photo(), photo(33))
    with pytest.raises(
        ValueError, match=r"frames must have one shape and dtype, got .* and float16"
    ):
        shapes(model, photo(), photo(dtype=jnp.float16))
    with pytest.raises(ValueError, match="model.frames must be 1, 2 or 3, got 4"):
        shapes(FlowRnnNet(width=2, frames=4), photo())
    with pytest.raises(ValueError, match="model.recurrence must be one of"):
        shapes(FlowRnnNet(width=2, recurrence="both"), photo(), photo())
