from functools import partial

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.resample import resize_area
from deblur_jax.simulate.averaging import average_frames
from tests.real_data import needs, real_path


def frames(key, count=7, height=12, width=15):
    return jax.random.uniform(key, (count, height, width, 3))


def test_display_values_are_averaged_by_default(key):
    blurry, sharp = jax.jit(average_frames)(frames(key))
    np.testing.assert_allclose(blurry, frames(key).mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(sharp, frames(key)[3])


def test_a_gamma_averages_light(key):
    blurry, sharp = average_frames(frames(key), transfer=2.2)
    np.testing.assert_allclose(blurry, np.mean(frames(key) ** 2.2, axis=0) ** (1 / 2.2), atol=1e-5)
    np.testing.assert_array_equal(sharp, frames(key)[3])


def test_frames_are_reduced_by_area_before_they_are_averaged(key):
    blurry, sharp = jax.jit(partial(average_frames, transfer=2.2, size=(4, 5)))(frames(key))
    small = jax.vmap(lambda frame: resize_area(frame, 4, 5))(frames(key))
    np.testing.assert_allclose(blurry, np.mean(small**2.2, axis=0) ** (1 / 2.2), atol=1e-5)
    np.testing.assert_allclose(sharp, small[3], atol=1e-6)


def test_equal_frames_give_a_sharp_picture(key):
    still = jnp.repeat(frames(key, 1), 9, axis=0)
    blurry, sharp = average_frames(still, transfer="srgb")
    np.testing.assert_allclose(blurry, sharp, atol=1e-6)


def test_a_single_picture_is_refused(key):
    with pytest.raises(TypeError, match="average_frames: frames must be"):
        average_frames(frames(key)[0])


GOPRO = real_path("gopro")


def read(path):
    return cv2.imread(str(path))[..., ::-1]


@needs("gopro")
def test_gopro_pair_is_the_mean_of_its_frames_in_light_cut_to_whole_values():
    name = "GOPR0477_11_00_st_frame-165_n_avg-8"
    published = read(GOPRO / "pairs" / f"{name}.png")
    raw = np.stack([read(GOPRO / "raw240" / f"{n:06}.png") for n in range(166, 174)])
    average = jax.jit(partial(average_frames, transfer=2.2))
    blurry, sharp = map(np.asarray, average(raw.astype(np.float32) / 255))
    np.testing.assert_array_equal(np.round(sharp * 255), read(GOPRO / "pairs" / f"{name}_gt.png"))

    def decibels(found):
        return 10 * np.log10(255**2 / np.mean((found - published.astype(np.float64)) ** 2))

    np.testing.assert_allclose(decibels(np.round(255 * blurry)), 51.25, atol=0.05)
    cut = np.floor(255 * blurry + 1e-3)
    assert np.abs(cut - published).max() <= 1
    np.testing.assert_allclose(decibels(cut), 83.9, atol=0.5)  # 3 of 10,000 values differ
