"""From coarse to fine: the blur of a smaller photo, how often a photo is halved, tiles, ripples."""

import itertools
import math

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.blind import multiscale
from deblur_jax.blind.multiscale import halvings_of, restore_multiscale, scaled, tile_of
from deblur_jax.blind.restoration import effective_noise, restore_closed, room_of
from deblur_jax.blind.verdict import spread
from deblur_jax.blind.working_photo import measured_noise, smaller
from deblur_jax.estimate import shipped_denoiser
from deblur_jax.ops.operators import UniformBlur, WindowedBlur
from deblur_jax.ops.periodic import canvas_side
from deblur_jax.solvers.diagnosis import noise_level
from deblur_jax.solvers.tiles import tiles
from deblur_jax.transfer import display_from_light, light_from_display
from tests.blind.scenes import blurred, hook, sharp_photo


INNER = (slice(16, -16), slice(16, -16))


def denoise(image, sigma):
    """A weak prior: the mean with the four neighbours, more of it for more noise."""
    around = sum(jnp.roll(image, step, axis) for step in (1, -1) for axis in (0, 1)) / 4
    share = jnp.minimum(1, 4 * sigma)
    return (1 - share) * image + share * around


def long_hook(side):
    kernel = cv2.resize(hook(), (side, side), interpolation=cv2.INTER_LINEAR)
    return kernel / kernel.sum()


def uniform(side):
    return UniformBlur(jnp.asarray(long_hook(side)))


def windowed(kernel):
    lattice = np.broadcast_to(kernel, (2, 3, *kernel.shape))
    places = jnp.asarray([20.0, 90.0]), jnp.asarray([20.0, 60.0, 110.0])
    return WindowedBlur(jnp.asarray(lattice), *places)


def error(image, truth):
    return np.sqrt(np.mean(np.square(image - truth)[INNER]))


@pytest.mark.parametrize("make", [lambda k: UniformBlur(jnp.asarray(k)), windowed])
def test_a_shrunk_photo_is_blurred_by_the_scaled_blur(make):
    sharp, blur = sharp_photo(), make(long_hook(31))
    half = scaled(blur, 0.5)
    expected = smaller(np.asarray(blur(jnp.asarray(sharp))), 0.5)
    small = smaller(sharp, 0.5)
    found = np.asarray(half(jnp.asarray(small)))
    assert error(found, expected) < 0.15 * error(small, expected)


def test_a_scaled_kernel_has_a_sum_of_one_and_half_the_spread():
    kernel = long_hook(31)
    half = np.asarray(scaled(UniformBlur(jnp.asarray(kernel)), 0.5).kernel)
    np.testing.assert_allclose(half.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(spread(half), spread(kernel) / 2, rtol=0.05)
    several = scaled(windowed(kernel), 0.5)
    np.testing.assert_allclose(several.kernels[1, 2], half, atol=1e-6)
    np.testing.assert_allclose(several.rows, [10, 45])
    np.testing.assert_allclose(several.columns, [10, 30, 55])


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((240, 336), 15, 1),
        ((800, 800), 41, 2),
        ((3000, 4000), 101, 4),
        ((70, 90), 15, 1),
        ((60, 90), 15, 0),  # half of it is less than 32 pixels high
        ((100, 5000), 15, 1),
        ((70, 90), 69, 0),  # the kernel does not fit into a half
    ],
)
def test_a_photo_is_halved_until_it_is_small(size, side, expected):
    assert halvings_of(size, uniform(side)) == expected


def line(length, side=65):
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2, side // 2 - length // 2 : side // 2 + length // 2 + 1] = 1 / length
    return kernel


@pytest.mark.slow  # to compile
def test_the_ripples_of_a_wrong_kernel_are_weaker_from_coarse_to_fine():
    sharp = cv2.resize(sharp_photo(96, 112), (448, 384), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    photo = blurred(sharp, line(41), noise=0.003)
    wrong = UniformBlur(jnp.asarray(line(45)))
    options = {"denoise": shipped_denoiser(), "steps": 5}
    at_once, _ = restore_closed(photo, wrong, noise=effective_noise(photo), **options)
    found, _ = restore_multiscale(photo, wrong, **options)
    assert error(found, sharp) < 0.94 * error(at_once, sharp) < error(photo, sharp)


def test_the_residual_is_the_restoration_blurred_less_the_photo():
    photo = blurred(sharp_photo(), hook())
    blur = UniformBlur(jnp.asarray(hook()))
    found, residual = restore_multiscale(photo, blur, denoise=denoise)
    again = np.asarray(blur(jnp.asarray(found))) - photo
    np.testing.assert_allclose(residual[INNER], again[INNER], atol=1e-4)


@pytest.mark.parametrize("transfer", ["srgb", 2.2])
def test_a_blur_of_light_is_undone_in_light(transfer):
    sharp, blur = sharp_photo(), UniformBlur(jnp.asarray(hook()))
    light = light_from_display(sharp, transfer).astype(np.float32)
    photo = display_from_light(np.clip(blur(jnp.asarray(light)), 0, 1), transfer)
    photo = np.float32(np.round(255 * photo) / 255)
    as_it_is, _ = restore_multiscale(photo, blur, denoise=denoise)
    found, residual = restore_multiscale(photo, blur, denoise=denoise, transfer=transfer)
    assert found.dtype == residual.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert error(found, sharp) < 0.9 * error(as_it_is, sharp) < error(photo, sharp)
    again = blur(jnp.asarray(light_from_display(found, transfer)))
    displayed = display_from_light(np.clip(again, 0, 1), transfer)
    np.testing.assert_allclose(residual[INNER], (displayed - photo)[INNER], atol=1e-4)


def test_an_exponent_of_one_is_the_linear_curve():
    photo, blur = blurred(sharp_photo(48, 56), hook()), UniformBlur(jnp.asarray(hook()))
    found, expected = (
        restore_multiscale(photo, blur, denoise=denoise, transfer=each) for each in (1.0, "linear")
    )
    np.testing.assert_array_equal(found, expected)


def test_a_photo_that_cannot_be_halved_is_restored_at_once():
    photo = blurred(sharp_photo(48, 56), hook())
    blur = UniformBlur(jnp.asarray(hook()))
    found = restore_multiscale(photo, blur, denoise=denoise, steps=3)
    expected = restore_closed(photo, blur, denoise=denoise, noise=effective_noise(photo), steps=3)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow  # to compile
def test_a_large_photo_is_restored_in_tiles_as_it_is_at_once(monkeypatch):
    sharp, blur = sharp_photo(224, 184), UniformBlur(jnp.asarray(hook()))
    photo = blurred(sharp, hook())
    whole, _ = restore_multiscale(photo, blur, denoise=denoise)
    monkeypatch.setattr(multiscale, "WHOLE_PIXELS", 1)
    monkeypatch.setattr(multiscale, "CANVAS", 30_000)
    monkeypatch.setattr(multiscale, "HALO", 16)
    steps = []
    tiled, residual = restore_multiscale(
        photo, blur, denoise=denoise, progress=lambda done, all_: steps.append((done, all_))
    )
    assert steps[-1][0] == steps[-1][1] == len(steps) > 1
    assert residual.shape == photo.shape
    assert error(tiled, whole) < 0.1 * error(photo, sharp)


@pytest.mark.parametrize("size", [(1500, 2000), (3000, 4000), (5000, 20000), (300, 9000)])
@pytest.mark.parametrize("side", [21, 61, 131, 251])
def test_tiles_cover_the_photo_and_their_canvases_are_small(size, side):
    blur = UniformBlur(jnp.ones((side, side)) / side**2)
    tile, halo = tile_of(size, blur)
    pieces = list(tiles(size, tile, halo))
    canvas = [canvas_side(extent + room_of(blur)) for extent in tile]
    assert halo > side // 2
    assert math.prod(canvas) <= multiscale.CANVAS
    assert len(pieces) * math.prod(canvas) < (6 if side > 200 else 3.5) * math.prod(size)
    ends = itertools.chain.from_iterable((p.rows.stop, p.columns.stop) for p in pieces)
    assert max(ends) == max(size)


def test_the_noise_of_a_large_photo_is_measured_in_some_rows():
    draw = np.random.default_rng(0)
    small = np.float32(0.5 + 0.02 * draw.standard_normal((60, 80, 3)))
    np.testing.assert_allclose(measured_noise(small), noise_level(small), rtol=1e-5)
    large = np.float32(0.5 + 0.02 * draw.standard_normal((2000, 1500, 3)))
    np.testing.assert_allclose(measured_noise(large), 0.02, rtol=0.01)
