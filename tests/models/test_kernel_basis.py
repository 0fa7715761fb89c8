"""Carbajal's network: number of parameters, and outputs that are arguments of a basis blur."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import BasisBlur
from deblur_jax.models.kernel_basis import KernelBasisNet, blur_map, norm_map
from deblur_jax.training.step import count_parameters


TINY = KernelBasisNet(basis=3, side=9, width=2)


def shapes(model, height=64, width=64, channels=3):
    photo = jax.ShapeDtypeStruct((1, height, width, channels), jnp.float32)
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x), photo)


@pytest.mark.parametrize(
    ("head", "side", "count", "kernel_head"),
    [("grid", 33, 79_828_658, 26_881_945), ("dense", 33, 302_860_274, 249_913_561)],
)
def test_both_versions_have_the_authors_number_of_parameters(head, side, count, kernel_head):
    _, variables = shapes(KernelBasisNet(head=head, side=side))
    assert count_parameters(variables["params"]) == count
    assert count_parameters(variables["params"]["kernel_head"]) == kernel_head
    assert count_parameters(variables["params"]["mixing_head"]) == 24_628_377


@pytest.mark.parametrize("side", [9, 17, 33, 65])
def test_kernels_may_have_any_power_of_two_plus_one_taps_a_side(side):
    field, _ = shapes(KernelBasisNet(basis=4, side=side, width=2))
    assert field.kernels.shape == (1, 4, side, side)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (100, 65)])
def test_every_pixel_of_every_size_gets_shares(size):
    field, _ = shapes(TINY, *size)
    assert field.mixing.shape == (1, *size, 3)
    assert field.kernels.shape == (1, 3, 9, 9)


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("head", ["grid", "dense"])
def test_it_gives_the_blur_of_each_photo(head, key):
    model = KernelBasisNet(basis=3, side=9, width=2, head=head)
    photos = jax.random.uniform(key, (2, 40, 36, 3))
    field, _ = jax.jit(model.init_with_output)(key, photos)
    np.testing.assert_allclose(jnp.sum(field.kernels, axis=(-1, -2)), 1, rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(field.mixing, axis=-1), 1, rtol=1e-5)
    assert float(jnp.min(field.kernels)) >= 0
    assert float(jnp.min(field.mixing)) >= 0
    # The zeros around its maps tell the taps apart; the first photo has another blur.
    assert float(jnp.std(field.kernels[0, 0])) > 0
    assert float(jnp.max(jnp.abs(field.kernels[0] - field.kernels[1]))) > 0
    grey = jnp.full((40, 36, 3), 0.3)
    blur = BasisBlur(field.kernels[0], field.mixing[0])
    np.testing.assert_allclose(blur(grey), grey, rtol=1e-5)


def test_unknown_heads_sides_and_photos_are_refused():
    with pytest.raises(ValueError, match=r"model.head must be one of \['dense', 'grid'\], got 'a'"):
        shapes(KernelBasisNet(head="a"))
    with pytest.raises(ValueError, match=r"initial_weights must be one of \['edges', 'he'\]"):
        shapes(KernelBasisNet(initial_weights="a"))
    with pytest.raises(ValueError, match="power of two plus one, such as 9, 17, 33 or 65, got 21"):
        shapes(KernelBasisNet(side=21, width=2))
    with pytest.raises(ValueError, match="model.side must be odd, so that a tap is central, got 8"):
        shapes(KernelBasisNet(side=8, width=2, head="dense"))
    with pytest.raises(ValueError, match="KernelBasisNet: images must have 3 colour channels"):
        shapes(TINY, channels=4)
    with pytest.raises(ValueError, match="at least 32 pixels a side, got 40x31"):
        shapes(TINY, 31, 40)


def test_the_blur_map_is_zero_for_single_taps_and_one_for_long_motions(key):
    mixing = jax.nn.softmax(jax.random.normal(key, (5, 6, 2)))
    tap = jnp.zeros((33, 33)).at[16, 16].set(1)
    line = jnp.zeros((33, 33)).at[16, 8:24].set(1 / 16)
    for kernels, expected in (
        ([tap, tap], 0 * mixing[..., 0]),
        ([line, line], jnp.ones((5, 6))),
        ([tap, line], mixing[..., 1]),
    ):
        np.testing.assert_allclose(blur_map(jnp.stack(kernels), mixing), expected, rtol=1e-6)
    longer = blur_map(jnp.stack([line, line]), mixing, sharpest=0.24)
    assert not longer.any()


def test_the_norm_map_is_the_norm_of_each_pixels_own_kernel(key):
    kernels = jax.random.uniform(key, (3, 5, 5))
    mixing = jax.nn.softmax(jax.random.normal(key, (4, 6, 3)))
    own = np.einsum("hwk,kij->hwij", mixing, kernels)
    expected = np.sqrt(np.sum(own**2, axis=(2, 3)))
    np.testing.assert_allclose(jax.jit(norm_map)(kernels, mixing), expected, rtol=1e-5)
