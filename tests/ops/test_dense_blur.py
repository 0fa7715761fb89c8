"""Dense blur: the equation, pixel by pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.dense_blur import dense_blur


@pytest.mark.parametrize("padding", ["reflect", "constant"])
def test_every_pixel_gathers_with_its_own_kernel(key, padding):
    image = jax.random.normal(key, (4, 5, 2))
    kernels = jax.random.normal(jax.random.fold_in(key, 1), (4, 5, 3, 3))
    padded = np.pad(np.asarray(image), ((1, 1), (1, 1), (0, 0)), mode=padding)
    expected = np.zeros(image.shape)
    for row, column in np.ndindex(4, 5):
        window = padded[row : row + 3, column : column + 3]
        expected[row, column] = np.einsum("st,stc->c", kernels[row, column], window)
    np.testing.assert_allclose(dense_blur(image, kernels, padding=padding), expected, rtol=1e-12)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match=r"kernels must have odd sides .* got 2x2; pad them"):
        dense_blur(jnp.ones((4, 5, 1)), jnp.ones((4, 5, 2, 2)))
