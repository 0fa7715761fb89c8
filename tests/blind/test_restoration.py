"""Restoration with a uniform kernel: better than the blurred photo, also at lights and borders."""

import numpy as np
import pytest

from deblur_jax.blind import restore_uniform
from deblur_jax.blind.restoration import _restore
from deblur_jax.solvers.total_variation import denoise_total_variation
from tests.blind.scenes import blurred, hook, sharp_photo


def denoise(image, sigma):
    return denoise_total_variation(image, sigma)


def psnr(image, sharp, border=0):
    inner = slice(border, image.shape[0] - border), slice(border, image.shape[1] - border)
    return -10 * np.log10(np.mean(np.square(image - sharp)[inner]))


def test_a_known_kernel_gains_and_the_border_holds():
    sharp = sharp_photo()
    photo = blurred(sharp, hook())
    restored = restore_uniform(photo, hook(), denoise=denoise, kernel_error=0.0)
    assert restored.shape == photo.shape
    assert restored.min() >= 0
    assert restored.max() <= 1
    assert psnr(restored, sharp, 12) > psnr(photo, sharp, 12) + 4
    assert psnr(restored, sharp) > psnr(photo, sharp) + 2


def test_lights_do_not_ring():
    sharp = sharp_photo()
    sharp[50:54, 60:64] = 6.0
    photo = blurred(sharp, hook())
    restored = restore_uniform(photo, hook(), denoise=denoise)
    around = slice(36, 68), slice(46, 78)
    assert psnr(restored[around], np.clip(sharp, 0, 1)[around]) > psnr(
        photo[around], np.clip(sharp, 0, 1)[around]
    )


def test_a_photo_of_a_similar_size_compiles_nothing():
    photo = blurred(sharp_photo(), hook())
    restore_uniform(photo, hook(), denoise=denoise)
    programs = _restore._cache_size()  # pyright: ignore[reportFunctionMemberAccess]
    restore_uniform(photo[:110, :127], hook(15), denoise=denoise)
    assert _restore._cache_size() == programs  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize(
    ("photo", "kernel", "message"),
    [
        (np.zeros((40, 30, 3)), np.ones((31, 31)), "no larger than the photo, got 31 for 40x30"),
        (np.zeros((40, 30, 3)), np.ones((4, 4)), "an odd side"),
        (np.full((40, 30, 3), 2.0), np.ones((3, 3)), "must be finite and in"),
        (np.full((40, 30, 3), np.nan), np.ones((3, 3)), "must be finite and in"),
    ],
)
def test_bad_input_is_refused_in_one_line(photo, kernel, message):
    with pytest.raises(ValueError, match=message):
        restore_uniform(np.float32(photo), np.float32(kernel), denoise=denoise)
