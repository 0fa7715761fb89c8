"""JPEG on the device does what a real codec does."""

import io
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_jax.simulate.jpeg import jpeg


def codec(pixels, quality, subsampling):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(buffer))


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2))


@pytest.mark.parametrize("subsampling", [1, 2])
def test_the_picture_is_that_of_a_real_codec_at_more_than_42_decibels(subsampling):
    # 100 x 123: neither side is a whole number of blocks. Compression itself costs more by far.
    pixels = data.astronaut()[40:140, 180:303]
    compressed = jax.jit(partial(jpeg, subsampling=subsampling))
    for quality in (10, 30, 50, 75, 95):
        real = codec(pixels, quality, 2 if subsampling == 2 else 0)
        found = np.asarray(compressed(np.float32(pixels) / 255, quality=quality)) * 255
        assert psnr(found, real) > 42, quality
        assert psnr(found, real) > psnr(pixels, real) + 8
        np.testing.assert_allclose(found, np.round(found), atol=1e-4)


@pytest.mark.slow
def test_a_flat_picture_stays_flat():
    flat = jnp.full((9, 17, 3), 100 / 255)
    np.testing.assert_allclose(jpeg(flat, quality=100), flat, atol=1.5 / 255)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="jpeg: image must have 3 channels, got 1"):
        jpeg(jnp.ones((8, 8, 1)))
    with pytest.raises(ValueError, match=r"jpeg: subsampling must be one of \(1, 2\), got 4"):
        jpeg(jnp.ones((8, 8, 3)), subsampling=4)
