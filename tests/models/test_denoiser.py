"""The denoiser: number of parameters, equivariance, and accepted photos."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.denoiser import (
    SIZES,
    DenoiserNet,
    fold,
    make_denoiser,
    unfold,
    widen_head,
)


NETS = {
    "folded": DenoiserNet(widths=(4, 8), blocks=1, fold=2, residual=True),
    "plain": DenoiserNet(widths=(4, 8), blocks=1, fold=1, residual=False),
}


@pytest.fixture(scope="module", params=sorted(NETS))
def net(request):
    model = NETS[request.param]
    variables = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    return model, variables, jax.jit(model.apply)


def test_the_full_size_has_the_parameters_of_drunet():
    model = DenoiserNet(**SIZES["full"])
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    assert sum(x.size for x in jax.tree.leaves(shapes)) == 32_640_960


def test_no_size_has_a_bias():
    for size in SIZES.values():
        shapes = jax.eval_shape(
            DenoiserNet(**size).init, jax.random.key(0), jnp.zeros((1, 16, 16, 3))
        )
        paths = jax.tree_util.tree_leaves_with_path(shapes)
        assert all(jax.tree_util.keystr(path).endswith("['kernel']") for path, _ in paths)


def test_scaling_photo_and_noise_level_scales_the_result(net, key):
    _, variables, apply = net
    noisy = jax.random.normal(key, (2, 8, 8, 3))
    scaled = apply(variables, 3.0 * noisy, jnp.asarray(0.3))
    np.testing.assert_allclose(
        scaled, 3.0 * apply(variables, noisy, jnp.asarray(0.1)), rtol=1e-4, atol=1e-4
    )


def test_any_size_of_photo_down_to_a_pixel_is_taken(key):
    model = NETS["folded"]
    variables = jax.jit(model.init)(key, jnp.zeros((1, 8, 8, 3)))
    for height, width in ((1, 1), (1, 7), (9, 5)):
        shape = jax.eval_shape(model.apply, variables, jnp.zeros((1, height, width, 3))).shape
        assert shape == (1, height, width, 3)
    assert jnp.all(jnp.isfinite(jax.jit(model.apply)(variables, jnp.ones((1, 1, 1, 3)), 0.1)))


def test_a_level_for_all_for_each_photo_and_for_each_pixel_agree(net, key):
    _, variables, apply = net
    noisy = jax.random.uniform(key, (2, 8, 8, 3))
    expected = apply(variables, noisy, jnp.asarray(0.1))
    for sigma in (jnp.full((2,), 0.1), jnp.full((2, 8, 8), 0.1)):
        np.testing.assert_allclose(apply(variables, noisy, sigma), expected, atol=1e-6)


def test_the_noise_level_matters(net, key):
    _, variables, apply = net
    noisy = jax.random.uniform(key, (2, 8, 8, 3))
    change = apply(variables, noisy, jnp.asarray(0.2)) - apply(variables, noisy, jnp.asarray(0.0))
    assert jnp.max(jnp.abs(change)) > 1e-4


def test_a_grey_photo_is_taken_as_three_equal_channels(net, key):
    model, variables, _ = net
    grey = jax.random.uniform(key, (8, 8, 1))
    denoise = jax.jit(make_denoiser(model, variables))
    sigma = jnp.asarray(0.1)
    colour = denoise(jnp.repeat(grey, 3, axis=-1), sigma)
    restored = denoise(grey, sigma)
    assert restored.shape == (8, 8, 1)
    np.testing.assert_allclose(restored[..., 0], colour.mean(axis=-1), atol=1e-6)


def test_folding_keeps_every_pixel_and_unfolding_undoes_it(key):
    images = jax.random.uniform(key, (2, 6, 4, 3))
    folded = fold(images, 2)
    assert folded.shape == (2, 3, 2, 12)
    np.testing.assert_array_equal(folded[0, 1, 0, :3], images[0, 2, 0])
    np.testing.assert_array_equal(folded[0, 1, 0, 9:], images[0, 3, 1])
    np.testing.assert_array_equal(unfold(folded, 2), images)


def test_wrong_channels_and_noise_levels_are_refused():
    model = NETS["folded"]
    with pytest.raises(ValueError, match="noisy must have 3 channels, got 4; repeat a grey"):
        model.init(jax.random.key(0), jnp.zeros((1, 8, 8, 4)))
    with pytest.raises(ValueError, match=r"sigma must have the shape \[\], \[2\] or \[2, 8, 8\]"):
        model.init(jax.random.key(0), jnp.zeros((2, 8, 8, 3)), jnp.zeros(3))


def test_a_widened_head_ignores_hints_and_zero_gain_is_the_identity(key):
    shape = {"widths": (4, 8), "blocks": 1, "fold": 2, "residual": True}
    photo, hints = jax.random.uniform(key, (1, 8, 8, 3)), jnp.ones((1, 8, 8, 2))
    narrow, wide = DenoiserNet(**shape), DenoiserNet(**shape, hints=2, gain=0.0)

    @jax.jit
    def restored(key):
        variables = narrow.init(key, photo)
        widened = {"params": widen_head(variables["params"], hints=2)}
        silent = wide.apply(wide.init(key, photo), photo, 0.1, hints)
        return narrow.apply(variables, photo, 0.1), wide.apply(widened, photo, 0.1, hints), silent

    expected, found, silent = restored(key)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(silent, photo)
