"""A kernel from one photo: found, centred, repeatable; refused where there is nothing to find."""

import dataclasses

import numpy as np
import pytest

from deblur_jax.blind import estimate_kernel
from deblur_jax.blind.coarse_to_fine import odd_side
from deblur_jax.blind.scales import refine_at_scale
from deblur_jax.blind.search import COVERED
from deblur_jax.blind.working_photo import reduced, working_photo
from tests.blind.scenes import blurred, hook, likeness, sharp_photo


SUPPORTS = (11, 15)


def estimate(photo, **options):
    return estimate_kernel(photo, supports=SUPPORTS, **options)


@pytest.fixture(scope="module")
def found():
    return estimate(blurred(sharp_photo(), hook()))


def test_a_curved_kernel_is_found_the_right_way_round(found):
    assert found.support in SUPPORTS
    assert likeness(found.kernel, hook()) > 0.8
    turned = [np.rot90(hook(), k) for k in (1, 2, 3)] + [hook().T]
    assert all(likeness(found.kernel, each) < likeness(found.kernel, hook()) for each in turned)


def test_a_kernel_is_centred_not_negative_and_sums_to_one(found):
    place = np.arange(found.support) - found.support // 2
    assert found.kernel.shape == (found.support, found.support)
    assert found.kernel.min() >= 0
    np.testing.assert_allclose(found.kernel.sum(), 1, rtol=1e-5)
    assert abs((found.kernel.sum(0) * place).sum()) <= 0.51
    assert abs((found.kernel.sum(1) * place).sum()) <= 0.51


def test_the_chosen_energy_is_below_that_of_no_blur(found):
    still, *others = found.candidates
    assert (still.support, still.border) == (1, 0)
    assert found.energy < 0.97 * still.energy
    assert found.energy in [each.energy for each in others]


def test_noise_is_measured_and_the_kernel_still_found():
    found = estimate(blurred(sharp_photo(), hook(), noise=0.01))
    assert 0.008 < found.noise < 0.014
    assert likeness(found.kernel, hook()) > 0.7


def test_saturated_lights_leave_the_kernel_alone(found):
    photo = sharp_photo()
    photo[40:44, 60:64] = 8.0  # eight times brighter than the sensor can tell
    photo[80:83, 30:33] = 8.0
    lit = estimate(blurred(photo, hook()))
    assert likeness(lit.kernel, hook()) > 0.8


def test_a_sharp_photo_has_no_blur():
    found = estimate(np.float32(sharp_photo()))
    spread = np.sqrt((found.kernel * _squared_distance(found.kernel.shape[0])).sum())
    assert found.support == 1 or spread < 0.75


def _squared_distance(side):
    place = np.arange(side) - side // 2
    return place[:, None] ** 2 + place[None] ** 2


def test_the_same_photo_gives_the_same_bits_and_another_one_compiles_nothing(found):
    estimate(blurred(sharp_photo(), hook()))
    programs = refine_at_scale._cache_size()  # pyright: ignore[reportFunctionMemberAccess]
    again = estimate(blurred(sharp_photo(), hook()))
    np.testing.assert_array_equal(again.kernel, found.kernel)
    estimate(blurred(sharp_photo(110, 127), hook()[::-1]))
    assert refine_at_scale._cache_size() == programs  # pyright: ignore[reportFunctionMemberAccess]


def test_progress_counts_supports():
    steps = []
    estimate(
        blurred(sharp_photo(), hook()), progress=lambda done, every: steps.append((done, every))
    )
    assert steps == [(1, 2), (2, 2)]


def test_a_grey_photo_is_taken_and_a_large_one_is_shrunk(monkeypatch):
    photo = blurred(sharp_photo(), hook())
    assert estimate(photo.mean(-1, keepdims=True)).support in SUPPORTS
    half = photo.shape[0] * photo.shape[1] // 2
    monkeypatch.setattr("deblur_jax.blind.working_photo.PIXELS", half)
    found = estimate(photo)
    assert abs(found.shrunk - 0.5**0.5) < 0.01
    assert likeness(found.kernel, hook()) > 0.6


def test_supports_tried_on_a_smaller_photo_give_kernels_of_the_photos_own_size(monkeypatch):
    photo = blurred(sharp_photo(), hook())
    work = working_photo(photo)
    half = photo.shape[0] * photo.shape[1] // 2
    small = reduced(work, half)
    assert abs(small.grey.size - half) < 0.02 * half
    assert small.trusted.shape == small.grey.shape
    np.testing.assert_allclose(small.shrunk, 0.5**0.5, rtol=1e-2)
    np.testing.assert_allclose(small.noise, work.noise * small.shrunk, rtol=1e-6)
    assert reduced(work, 4 * half) is work

    monkeypatch.setattr("deblur_jax.blind.search.SEARCHED", half)
    found = estimate(photo)
    assert found.shrunk == 1
    assert found.support in [odd_side(2**0.5 * each) for each in SUPPORTS]
    assert likeness(found.kernel, hook()) > 0.7


def test_a_kernel_that_reaches_a_light_from_nearly_everywhere_is_no_candidate():
    photo = blurred(sharp_photo(96, 112), hook())
    photo[::6, ::6] = 1
    found = estimate(photo)
    none, *others = found.candidates
    assert all(each.whole.pixels >= COVERED * none.whole.pixels for each in others)
    assert np.isfinite([each.score for each in found.candidates]).all()
    assert (found.support, bool(found.reason)) == (1, True)


def test_a_photo_too_narrow_for_the_smaller_size_is_searched_as_it_is(monkeypatch):
    monkeypatch.setattr("deblur_jax.blind.search.SEARCHED", 500)
    photo = blurred(sharp_photo(32, 64), hook(7))
    assert not reduced(working_photo(photo), 500).supports
    assert estimate_kernel(photo).support in (1, 7, 11)


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (np.full((40, 48, 3), 0.4), "flat"),
        (np.ones((40, 48, 1)), "saturated"),
        (np.clip(0.5 + 0.1 * np.random.default_rng(0).standard_normal((64, 72, 3)), 0, 1), "noise"),
    ],
)
def test_where_nothing_tells_a_blur_there_is_none_and_a_reason(photo, reason):
    found = estimate(np.float32(photo))
    assert (found.support, found.kernel.tolist(), found.candidates) == (1, [[1.0]], ())
    assert reason in found.reason


@pytest.mark.parametrize("shape", [(32, 32), pytest.param((32, 300), marks=pytest.mark.slow)])
def test_tiny_and_narrow_photos_are_taken(shape):
    found = estimate(np.float32(np.random.default_rng(1).uniform(size=(*shape, 1)).cumsum(1) % 1))
    assert np.isfinite(found.kernel).all()
    assert dataclasses.is_dataclass(found)


@pytest.mark.parametrize(
    ("photo", "options", "message"),
    [
        (np.zeros((31, 40, 3)), {}, "at least 32 pixels on each side, got 31x40"),
        (np.zeros((40, 40, 2)), {}, "1 or 3 channels, got 2"),
        (np.full((40, 40, 3), np.nan), {}, "finite and in"),
        (np.full((40, 40, 3), 255.0), {}, "divide 8-bit values by 255"),
        (np.full((40, 40, 3), -0.1), {}, "finite and in"),
        (np.zeros((40, 40, 3)), {"supports": (12,)}, "odd sides of at least 3 that grow"),
        (np.zeros((40, 40, 3)), {"supports": (15, 11)}, "that grow"),
        (np.zeros((40, 40, 3)), {"supports": ()}, "that grow"),
        (np.zeros((40, 40, 3)), {"transfer": "film"}, "transfer"),
    ],
)
def test_bad_input_is_refused_in_one_line(photo, options, message):
    with pytest.raises(ValueError, match=message):
        estimate_kernel(np.float32(photo), **options)
