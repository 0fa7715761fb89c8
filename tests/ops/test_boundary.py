"""Boundary: NumPy's padding modes, at any distance, made two ways that agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.boundary import PADDINGS, pad, resolve_index


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", [(1, 1, 2), (2, 3, 1), (5, 4, 3)])
def test_pad_is_numpys_at_any_radius(key, shape, padding):
    image = jax.random.normal(key, shape)
    for radius in (0, 1, 4, 11):
        widths = ((radius, radius), (radius, radius), (0, 0))
        expected = np.pad(np.asarray(image), widths, mode=padding)
        np.testing.assert_array_equal(pad(image, radius, padding), expected)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_resolve_index_names_the_pixel_that_pad_copies(size, padding):
    row = jnp.arange(1.0, size + 1.0)
    index = jnp.arange(-13, size + 13)
    resolved = resolve_index(index, size, padding)
    copied = row[resolved]
    if padding == "constant":
        copied = jnp.where(resolved == index, copied, 0.0)
    np.testing.assert_array_equal(copied, np.pad(np.asarray(row), 13, mode=padding))


def test_the_error_for_an_unknown_padding_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"padding must be one of \['reflect'.*got 'mirror'"):
        pad(jnp.ones((3, 3, 1)), 1, "mirror")
    with pytest.raises(ValueError, match=r"padding must be one of \['reflect'.*got 'mirror'"):
        resolve_index(jnp.arange(3), 3, "mirror")
