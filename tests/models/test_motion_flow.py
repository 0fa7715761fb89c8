"""Gong's network: number of parameters, alignment with the photo, and meaning of its labels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.motion_flow import MotionFlowNet, expected_flow, most_likely_flow, upsample
from deblur_jax.training.step import count_parameters


TINY = MotionFlowNet(reach=3, widths=(2, 3, 4, 4, 5), initial_weights="he", skip_scales=(1, 1))


def shape_of(height, width, channels=3):
    return jax.ShapeDtypeStruct((2, height, width, channels), jnp.float32)


def run(shape):
    return jax.eval_shape(lambda x: TINY.init_with_output(jax.random.key(0), x)[0], shape)


@pytest.mark.parametrize(("extra", "count"), [(0, 9_085_898), (2, 9_089_488)])
def test_the_paper_net_has_the_published_number_of_parameters(extra, count):
    model = MotionFlowNet(extra_horizontal=extra)
    variables = jax.eval_shape(model.init, jax.random.key(0), shape_of(64, 64))
    assert count_parameters(variables["params"]) == count


@pytest.mark.parametrize("size", [(32, 33), (100, 101), (321, 481)])
def test_every_size_gets_a_score_for_every_pixel(size):
    horizontal, vertical = run(shape_of(*size))
    assert horizontal.shape == (2, *size, 4)
    assert vertical.shape == (2, *size, 7)


def test_every_stream_is_aligned_with_the_photo(key):
    # Turning the photo by 180 degrees turns the scores, if every filter is symmetric and no stream
    # is shifted. At this size no pooling window is cut.
    size = 58
    photo = jax.random.uniform(key, (1, size, size, 3))
    params = jax.jit(TINY.init)(key, photo)["params"]
    symmetric = jax.tree.map(lambda w: w + w[::-1, ::-1] if w.ndim == 4 else w, params)
    skips = {name: {**symmetric[name], "kernel": symmetric["score"]["kernel"][:, :, :1] + 0.1}
             for name in ("conv6", "conv7")}  # fmt: skip
    for name in skips:  # they start at zero, which would hide a shift
        inputs = params[name]["kernel"].shape[2]
        skips[name]["kernel"] = jnp.repeat(skips[name]["kernel"], inputs, axis=2)
    symmetric = {**symmetric, **skips}
    apply = jax.jit(TINY.apply)
    scores = apply({"params": symmetric}, photo)[0]
    turned = apply({"params": symmetric}, photo[:, ::-1, ::-1])[0]
    np.testing.assert_allclose(turned[:, ::-1, ::-1], scores, rtol=1e-4, atol=1e-4)


def test_upsampling_keeps_a_plane_a_plane():
    rows, columns = jnp.meshgrid(jnp.arange(5.0), jnp.arange(6.0), indexing="ij")
    plane = (2 * rows + 3 * columns)[None, ..., None]
    for factor in (2, 4):
        large = upsample(plane, factor)[0, ..., 0]
        assert large.shape == (factor * 6, factor * 7)
        inside = large[factor:-factor, factor:-factor]
        np.testing.assert_allclose(jnp.diff(inside, axis=0), 2 / factor, rtol=1e-5)
        np.testing.assert_allclose(jnp.diff(inside, axis=1), 3 / factor, rtol=1e-5)


def test_the_labels_are_whole_pixels_with_no_motion_to_the_left():
    horizontal = jax.nn.one_hot(jnp.asarray([[[0, 2, 3]]]), 4) * 50
    vertical = jax.nn.one_hot(jnp.asarray([[[0, 3, 6]]]), 7) * 50
    expected = [[[[0, -3], [2, 0], [3, 3]]]]
    np.testing.assert_array_equal(most_likely_flow((horizontal, vertical)), expected)
    np.testing.assert_allclose(expected_flow((horizontal, vertical)), expected, atol=1e-5)


def test_a_grey_or_small_photo_and_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="3 colour channels, got 1; repeat a grey channel"):
        run(shape_of(32, 32, 1))
    with pytest.raises(ValueError, match="MotionFlowNet: .* at least 32 pixels a side, got 32x31"):
        run(shape_of(31, 32))
    weights = r"initial_weights must be one of \['edges', 'he', 'paper'\]"
    with pytest.raises(ValueError, match=weights):
        MotionFlowNet(initial_weights="zero").init(jax.random.key(0), jnp.ones((1, 32, 32, 3)))
