import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.ops.resample import resize_area, resize_bilinear


def picture(key, height=12, width=15):
    return jax.random.uniform(key, (height, width, 2))


def test_area_by_a_whole_factor_is_the_mean_of_blocks(key):
    image = picture(key)
    blocks = image.reshape(4, 3, 5, 3, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_area(image, 4, 5), blocks, atol=1e-12)


@pytest.mark.parametrize("size", [(5, 7), (12, 15), (17, 31), (1, 1)])
def test_area_is_the_mean_of_what_a_pixel_covers(key, size):
    """On a grid so fine that input and output pixels are whole numbers of its cells."""
    image = np.asarray(picture(key))
    fine = np.repeat(np.repeat(image, size[0], axis=0), size[1], axis=1)
    cells = fine.reshape(size[0], 12, size[1], 15, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_area(image, *size), cells, atol=1e-12)


@pytest.mark.parametrize("resize", [resize_area, resize_bilinear])
def test_constant_images_stay_constant(resize):
    np.testing.assert_allclose(resize(jnp.full((12, 15, 2), 0.3), 5, 31), 0.3, atol=1e-12)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(5, 7), (24, 40)])
def test_bilinear_agrees_with_jax_image(key, size, antialias):
    image = picture(key)
    expected = jax.image.resize(image, (*size, 2), "linear", antialias=antialias)
    np.testing.assert_allclose(
        resize_bilinear(image, *size, antialias=antialias), expected, atol=1e-7
    )


def test_a_ramp_keeps_its_place():
    """The frame keeps its edges: enlarged twice, the centres lie a quarter pixel apart."""
    ramp = jnp.broadcast_to(jnp.arange(6.0)[:, None, None], (6, 4, 1))
    larger = resize_bilinear(ramp, 12, 4)
    np.testing.assert_allclose(larger[1:-1, 0, 0], np.arange(1, 11) / 2 - 0.25, atol=1e-12)


def test_one_pixel_takes_the_mean_or_the_middle(key):
    image = picture(key)
    np.testing.assert_allclose(resize_area(image, 1, 1)[0, 0], image.mean(axis=(0, 1)))


@pytest.mark.parametrize("resize", [resize_area, resize_bilinear])
def test_gradients_match_finite_differences(key, resize):
    check_grads(
        jax.jit(lambda image: resize(image, 5, 17) ** 2), (picture(key),), order=1, modes=("rev",)
    )


def test_float32_stays_float32(key):
    assert resize_area(picture(key).astype(jnp.float32), 3, 4).dtype == jnp.float32


def test_an_empty_size_is_refused(key):
    with pytest.raises(ValueError, match="height and width must be at least 1, got 0x4"):
        resize_area(picture(key), 0, 4)
