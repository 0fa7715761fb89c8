"""`deblur` with one kernel found by optimisation: its gain, and photos left unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

from deblur_jax import deblur, psnr
from deblur_jax.deblurring import HALO
from deblur_jax.ops.operators import UniformBlur


def hook():
    """Return a kernel on a curved path whose centroid is its middle, since none finds a shift."""
    kernel = np.zeros((9, 9), np.float32)
    for row, column in [(1, 5), (1, 4), (2, 3), (3, 3), (4, 4), (5, 5), (6, 5), (7, 4), (7, 3)]:
        kernel[row, column] = 1 / 9
    return kernel


@pytest.fixture(scope="module")
def sharp():
    return jnp.asarray(data.astronaut()[:224, 100:356], jnp.float32) / 255


@pytest.mark.slow  # to compile
def test_shake_on_a_curved_path_is_restored(sharp):
    photo = np.round(255 * np.clip(UniformBlur(jnp.asarray(hook()))(sharp), 0, 1)) / np.float32(255)
    result = deblur(photo, "blind")
    assert psnr(result.image, sharp) > psnr(photo, sharp) + 2
    assert not result.reason
    assert result.image.shape == photo.shape
    residual = result.blur(jnp.asarray(result.image)) - photo
    np.testing.assert_allclose(result.residual, residual, atol=1e-5)
    with pytest.raises(AttributeError, match="kernels and no motion"):
        _ = result.flow


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (np.full((64, 80, 3), 0.5, np.float32), "the photo is flat"),
        (np.ones((64, 80, 3), np.float32), "saturated"),
    ],
)
def test_a_photo_without_information_is_returned_unchanged(photo, reason):
    result = deblur(photo, "blind")
    np.testing.assert_array_equal(result.image, photo)
    assert reason in result.verdict
    assert not result.trusted


def test_a_uniform_blur_is_the_same_everywhere(sharp):
    blur = UniformBlur(jnp.asarray(hook()))
    whole = blur(sharp)
    rows, columns = slice(32, 96), slice(64, 160)
    inner = (slice(4, -4), slice(4, -4))
    part = blur.cut(rows, columns)(sharp[rows, columns])
    np.testing.assert_allclose(part[inner], whole[rows, columns][inner], atol=1e-6)
    assert blur.extended(3) is blur
    assert HALO >= 9 // 2


def test_a_uniform_blur_equals_a_basis_of_one_kernel(key):
    image = jax.random.uniform(key, (12, 14, 2))
    kernel = jax.random.uniform(key, (3, 3))
    padded = jnp.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    expected = sum(
        kernel[i, j] * padded[i : i + 12, j : j + 14] for i in range(3) for j in range(3)
    )
    np.testing.assert_allclose(UniformBlur(kernel)(image), expected, rtol=1e-6)
