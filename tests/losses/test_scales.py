"""The loss of several sizes, against its equation in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.losses.scales import multiscale_error


@pytest.fixture
def example(key):
    keys = jax.random.split(key, 4)
    sizes = ((8, 12), (4, 6), (2, 3))
    restored = [jax.random.uniform(k, (*s, 3)) for k, s in zip(keys, sizes, strict=False)]
    return restored, jax.random.uniform(keys[3], (8, 12, 3))


def test_it_sums_the_squared_errors_of_each_size(example):
    restored, sharp = example
    expected = 0.0
    for image, factor in zip(restored, (1, 2, 4), strict=True):
        blocks = np.asarray(sharp).reshape(8 // factor, factor, 12 // factor, factor, 3)
        expected += np.sum((np.asarray(image) - blocks.mean(axis=(1, 3))) ** 2)
    np.testing.assert_allclose(multiscale_error(restored, sharp), expected / sharp.size, rtol=1e-12)


def test_gradients_match_finite_differences(example):
    restored, sharp = example
    check_grads(jax.jit(lambda x: multiscale_error(x, sharp)), (restored,), order=1, modes=("rev",))


def test_a_size_that_does_not_divide_is_refused(example):
    _, sharp = example
    with pytest.raises(ValueError, match=r"divide those of sharp, \[8, 12, 3\], got \[3, 6, 3\]"):
        multiscale_error([jnp.ones((3, 6, 3))], sharp)
