"""`deblur`: its gain, its verdict and its errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

from deblur_jax import BasisBlur, LineBlur, deblur, deblurring, line_blur, load, psnr, restore
from deblur_jax.estimate import estimate_blur
from deblur_jax.models.blur_estimate import ESTIMATION_PIXELS
from deblur_jax.models.deblurnet import DeblurNet
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.models.learned_plug_and_play import LearnedPlugAndPlayNet
from deblur_jax.ops.flow import plane_flow
from deblur_jax.ops.sensor import to_display, to_light
from deblur_jax.pretrained import Pretrained


@pytest.fixture(scope="module")
def sharp():
    return jnp.asarray(data.astronaut()[60:188, 150:278], jnp.float32) / 255


@pytest.fixture(scope="module")
def network():
    return load("motion-context")


def moved(sharp, motion=(6.0, 3.0)):
    flow = jnp.broadcast_to(jnp.asarray(motion, jnp.float32), (*sharp.shape[:2], 2))
    return line_blur(sharp, flow), flow


def test_the_true_motion_restores_several_decibels(sharp):
    blurry, flow = moved(sharp)
    restored, residual = restore(LineBlur(flow), blurry)
    inside = (slice(12, -12), slice(12, -12))
    gain = psnr(restored[inside], sharp[inside]) - psnr(blurry[inside], sharp[inside])
    assert gain > 3
    assert jnp.sqrt(jnp.mean(residual**2)) < 0.02


def test_no_motion_leaves_the_photo_almost_as_it_is(sharp):
    restored, _ = restore(LineBlur(jnp.zeros((*sharp.shape[:2], 2))), sharp)
    assert psnr(restored, sharp) > 35


def test_the_shipped_network_estimates_the_motion_and_restores(sharp, network):
    blurry, flow = moved(sharp)
    result = deblur(np.asarray(blurry), network)
    assert result.image.dtype == np.float32
    assert result.image.shape == sharp.shape
    assert 0 <= result.image.min() <= result.image.max() <= 1
    assert np.mean(np.abs(result.flow - flow)) < 2
    assert psnr(result.image, sharp) > psnr(blurry, sharp)
    error = np.asarray(line_blur(jnp.asarray(result.image), jnp.asarray(result.flow)) - blurry)
    np.testing.assert_allclose(result.reblur_error, np.sqrt(np.mean(error**2)), rtol=1e-3)
    np.testing.assert_allclose(result.residual, error, atol=1e-5)
    assert 0 <= result.explained <= 1
    assert "of the photo" in result.verdict


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("transfer", ["linear", 2.2])
def test_a_network_that_estimates_kernels_gives_a_blur_of_kernels(sharp, transfer, key):
    model = KernelBasisNet(basis=2, side=9, width=2, transfer=transfer)
    variables = jax.jit(model.init)(key, sharp[None])
    blurry, _ = moved(sharp)
    network = Pretrained("random", model, variables, {})
    result = deblur(np.asarray(blurry), network)
    assert result.image.shape == sharp.shape
    field = model.apply(variables, blurry[None])
    np.testing.assert_allclose(result.blur.kernels, field.kernels[0], atol=1e-5)
    light = result.blur(to_light(result.image, transfer))
    residual = to_display(light, transfer) - blurry
    np.testing.assert_allclose(result.residual, residual, atol=1e-4)
    with pytest.raises(AttributeError, match="kernels and no motion"):
        _ = result.flow
    by_profile = deblur(np.asarray(blurry), network, transfer="srgb")
    used = "linear" if transfer == "linear" else "srgb"  # it was trained on display values
    light = by_profile.blur(to_light(by_profile.image, used))
    np.testing.assert_allclose(by_profile.residual, to_display(light, used) - blurry, atol=1e-4)


@pytest.mark.parametrize("options", [{"steps": 4}, {"denoise": lambda x, sigma: x}])
def test_options_of_the_solver_are_refused_for_a_network_that_restores(sharp, options):
    network = Pretrained("mine", LearnedPlugAndPlayNet(), {}, {})
    with pytest.raises(ValueError, match="mine restores with its own steps and denoiser"):
        deblur(np.asarray(sharp), network, **options)


@pytest.mark.slow  # to compile
def test_a_network_that_restores_uses_its_own_estimated_motion(sharp, key):
    shape = {"width": 8, "blocks": 1, "window": 16, "prior_widths": (4, 8)}
    model = LearnedPlugAndPlayNet(**shape, denoising_steps=1, linear_steps=2, margin=4)
    photo = np.asarray(sharp[:48, :56])
    variables = jax.jit(model.init)(key, photo[None])
    variables["params"]["estimator"]["Dense_1"]["bias"] += jnp.asarray([0.5, 0.0])
    network = Pretrained("mine", model, variables, {})
    result = deblur(photo, network)
    np.testing.assert_allclose(result.flow[24, 28], [4, 0], atol=1e-3)
    inputs = (photo[None], jnp.asarray(result.flow)[None])
    expected = jax.jit(functools.partial(model.apply, method="restore"))(variables, *inputs)
    np.testing.assert_allclose(result.image, np.clip(expected[0], 0, 1), atol=1e-4)


def test_true_kernels_restore_several_decibels(sharp):
    light = sharp**2.2
    kernels = jnp.zeros((2, 9, 9)).at[0, 4].set(1 / 9).at[1, 4, 4].set(1)
    share = jnp.broadcast_to(jnp.linspace(0, 1, 128)[None, :, None], (128, 128, 1))
    blur = BasisBlur(kernels, jnp.concatenate([1 - share, share], axis=-1))
    blurry = to_display(blur(light), 2.2)
    restored, residual = restore(blur, blurry, transfer=2.2, saturates=True)
    inside = (slice(12, -12), slice(12, -12))
    assert psnr(restored[inside], sharp[inside]) > psnr(blurry[inside], sharp[inside]) + 2
    assert jnp.sqrt(jnp.mean(residual**2)) < 0.02


def test_a_large_photo_is_restored_in_tiles(sharp, network, monkeypatch):
    whole = deblur(np.asarray(sharp), network)
    monkeypatch.setattr(deblurring, "WHOLE_PIXELS", 1)
    monkeypatch.setattr(deblurring, "TILE", (128, 128))
    monkeypatch.setattr(deblurring, "HALO", 24)
    tall = np.concatenate([np.asarray(sharp), np.asarray(sharp)[::-1]])
    tiled = deblur(tall, network)
    assert tiled.image.shape == tall.shape
    assert psnr(tiled.image, tall) > psnr(whole.image, np.asarray(sharp)) - 3


def test_strength_mixes_the_restoration_into_the_photo(sharp, network):
    photo = np.asarray(sharp)
    whole = deblur(photo, network)
    half = deblur(photo, network, strength=0.5)
    np.testing.assert_allclose(half.image, (photo + whole.image) / 2, atol=1e-6)
    np.testing.assert_array_equal(half.residual, whole.residual)


def test_max_blur_clips_the_estimated_motion(sharp, network):
    blurry, _ = moved(sharp)
    free = deblur(np.asarray(blurry), network)
    lengths = np.linalg.norm(free.flow, axis=-1)
    limited = deblur(np.asarray(blurry), network, max_blur=5.0)
    shortened = np.linalg.norm(limited.flow, axis=-1)
    np.testing.assert_allclose(shortened, np.minimum(lengths, 5), rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": 1.5}, "strength must be from 0 to 1, got 1.5"),
        ({"max_blur": 0.0}, "max_blur must be above 0 pixels, got 0"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
    ],
)
def test_an_option_out_of_range_is_refused(sharp, network, options, message):
    with pytest.raises(ValueError, match=message):
        deblur(np.asarray(sharp), network, **options)


def test_a_network_that_does_not_estimate_blur_is_refused(sharp):
    network = Pretrained("mine", DeblurNet(), {}, {})
    with pytest.raises(ValueError, match="mine holds a DeblurNet, expected a network that est"):
        deblur(np.asarray(sharp), network)


@pytest.mark.slow
def test_a_photo_twice_as_large_has_motions_twice_as_long(sharp, network):
    height, width = 600, 800
    blurry, _ = moved(sharp)
    large = jax.image.resize(blurry, (height, width, 3), "linear")
    assert height * width > ESTIMATION_PIXELS
    ratio = (ESTIMATION_PIXELS / (height * width)) ** 0.5
    small = jax.image.resize(large, (round(height * ratio), round(width * ratio), 3), "linear")
    expected = estimate_blur(small, network).blur.flow.mean((0, 1)) / ratio
    np.testing.assert_allclose(
        estimate_blur(large, network).blur.flow.mean((0, 1)), expected, rtol=0.02
    )


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.ones((40, 40, 3), np.uint8), TypeError, "photo must be a float array .* got uint8"),
        (np.ones((40, 40), np.float32), TypeError, r"\[h, w, c\], got float32\[40, 40\]"),
        (np.ones((40, 40, 4), np.float32), ValueError, "3 channels, got 4; .* drop alpha"),
        (np.ones((31, 40, 3), np.float32), ValueError, "at least 32 pixels a side, got 40x31"),
        (np.full((40, 40, 3), 2.0), ValueError, r"finite and in \[0, 1\], got values from 2 to 2"),
        (np.full((40, 40, 3), np.nan), ValueError, "got values from nan to nan"),
    ],
)
def test_a_photo_that_cannot_be_restored_is_refused(network, image, error, message):
    with pytest.raises(error, match=message):
        deblur(image, network)


def test_the_error_for_an_unknown_model_lists_the_shipped_ones():
    with pytest.raises(FileNotFoundError, match=r"model must be one of \[.*'motion-context'.*\]"):
        load("best")


@pytest.mark.slow  # to compile
def test_the_default_network_estimates_a_long_motion_to_a_pixel():
    photo = data.astronaut()[:240, :320].astype(np.float32) / 255
    truth = plane_flow(jnp.asarray([[-16.0, 9.0], [1.0, 2.0], [-3.0, 1.0]]), 240, 320)
    blurry = jax.jit(line_blur)(jnp.asarray(photo), truth)
    flow = estimate_blur(jnp.round(255 * blurry) / 255, "camera-motion").blur.flow
    apart = [jnp.linalg.norm(flow + sign * truth, axis=-1) for sign in (-1, 1)]
    assert float(jnp.mean(jnp.minimum(*apart))) < 1
