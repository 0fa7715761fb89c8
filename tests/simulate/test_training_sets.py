"""The papers' training sets: which examples each makes from a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.simulate.averaging import average_frames
from deblur_jax.simulate.training_sets import (
    make_averaged,
    make_camera,
    make_developed,
    make_scene_blur,
    make_segment_blur,
    make_uniform_blur,
)


def segment_blur(**options):
    defaults = {
        "side": 5, "objects": 2, "least": 10, "wander_share": 0.5, "brighten": 0.0, "lights": 0.0,
        "transfer": "linear", "noise": 0.0,
    }  # fmt: skip
    return make_segment_blur(**{**defaults, **options})


def photos(key, *shape):
    return jax.random.uniform(key, (*shape, 3))


@pytest.mark.slow  # to compile
def test_segments_are_blurred_by_the_kernels_and_the_mixing_that_are_given(key):
    labels = jnp.zeros((2, 20, 24), jnp.int32).at[:, 5:15, 4:12].set(3)
    batch = {"sharp": photos(key, 2, 20, 24), "segments": labels}
    found = jax.jit(jax.vmap(segment_blur()))(jax.random.split(key, 2), batch)
    assert {name: value.shape[1:] for name, value in found.items()} == {
        "sharp": (16, 20, 3), "blurry": (16, 20, 3), "kernels": (3, 5, 5), "mixing": (16, 20, 3),
        "weights": (16, 20), "wide_sharp": (20, 24, 3),
    }  # fmt: skip
    np.testing.assert_allclose(found["kernels"].sum(axis=(2, 3)), 1, atol=1e-5)
    again = basis_blur(found["sharp"][0], found["kernels"][0], found["mixing"][0])
    np.testing.assert_allclose(again[2:-2, 2:-2], found["blurry"][0, 2:-2, 2:-2], atol=1e-5)
    # Two segments large enough: the third object has no share.
    shares = np.sort(np.asarray(found["mixing"].sum(axis=(1, 2))))
    assert (shares[:, 0] == 0).all()
    assert (shares[:, 1] > 0).all()


@pytest.mark.slow
def test_a_uniform_blur_has_one_kernel(key):
    simulate = make_uniform_blur(side=5, wander_share=1.0, transfer=2.2, noise=0.0)
    found = jax.jit(simulate)(key, {"sharp": photos(key, 12, 14)})
    assert found["kernels"].shape == (1, 5, 5)
    np.testing.assert_allclose(found["mixing"], 1, atol=1e-6)


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("given", ["shapes", "segments"])
def test_a_group_of_photos_becomes_two_frames_of_a_scene(key, given):
    simulate = make_scene_blur(
        margin=3, subframes=3, limit=4.0, motion=0.1, exposure=(0.5, 1.0), transfer=2.2, noise=0.0
    )
    example = {"sharp": photos(key, 2, 26, 28)}
    if given == "segments":
        example["segments"] = jnp.zeros((2, 26, 28), jnp.int32).at[:, :, 14:].set(1)
    found = jax.jit(simulate)(key, example)
    names = ("blurry", "sharp", "next_blurry", "next_sharp", "previous_blurry")
    pictures = dict.fromkeys(names, (20, 22, 3))
    assert {name: value.shape for name, value in found.items()} == {
        **pictures, "flow": (20, 22, 2), "backward_flow": (20, 22, 2), "visible": (20, 22),
    }  # fmt: skip
    assert jnp.max(jnp.linalg.norm(found["flow"], axis=-1)) <= 4.01


@pytest.mark.slow
def test_real_pairs_are_unchanged_by_default(key):
    pair = {"blurry": photos(key, 8, 8), "sharp": photos(key, 8, 8), "flow": jnp.ones((8, 8, 2))}
    same = make_developed()(key, pair)
    for name, array in pair.items():
        np.testing.assert_array_equal(same[name], array)
    noisy = jax.jit(make_developed(noise=0.1, levels=256, quality=(40, 90)))(key, pair)
    assert not np.allclose(noisy["blurry"], pair["blurry"], atol=1e-2)
    np.testing.assert_array_equal(noisy["sharp"], pair["sharp"])


def test_frames_are_shrunk_averaged_and_degraded(key):
    frames = photos(key, 7, 8, 12)
    pair = jax.jit(make_averaged(shrink=2, transfer=2.2))(key, {"frames": frames})
    blurry, sharp = average_frames(frames, transfer=2.2, size=(4, 6))
    np.testing.assert_allclose(pair["blurry"], blurry, atol=1e-6)
    np.testing.assert_allclose(pair["sharp"], sharp, atol=1e-6)
    noisy = make_averaged(shrink=1, transfer="linear", noise=0.1)(key, {"frames": frames})
    assert not np.allclose(noisy["blurry"], frames.mean(axis=0), atol=1e-2)
    np.testing.assert_array_equal(noisy["sharp"], frames[3])


def test_what_is_displayed_already_has_no_transfer(key):
    with pytest.raises(ValueError, match="already display values; remove transfer, got 2.2"):
        make_developed(transfer=2.2)


def test_a_misspelt_option_of_the_camera_is_named(key):
    with pytest.raises(TypeError, match="unexpected keyword argument 'nois'"):
        make_developed(nois=0.1)


def test_a_quality_is_a_least_and_a_largest():
    with pytest.raises(ValueError, match=r"quality must be \(lowest, highest\).*got \(80,\)"):
        make_camera(quality=(80,))
