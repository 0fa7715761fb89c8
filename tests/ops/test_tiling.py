"""Tiling: plans cover the frame, tiles are joined exactly, and results do not depend on tiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops import fourier
from deblur_jax.ops.tiling import Cut, fast_size, join, over_sums, over_windows, plan, split
from tests.ops.test_basis_blur import sample
from tests.reference import basis_blur as reference


CUTS = (Cut(3, 4, 6), Cut(1, 7, 9), Cut(5, 2, 8))  # the last overlaps more than its neighbour


def test_a_fast_size_has_no_large_prime_factor():
    assert [fast_size(n) for n in (1, 11, 13, 128, 311, 2039)] == [1, 12, 14, 128, 315, 2048]


@pytest.mark.parametrize("reach", [0, 8, 64])
@pytest.mark.parametrize("limit", [200, 5000, 10**6])
def test_a_plan_covers_the_frame_with_tiles_that_include_the_halo(reach, limit):
    for length, cut in zip((57, 131), plan((57, 131), reach, limit), strict=True):
        assert cut.count * cut.block >= length > (cut.count - 1) * cut.block
        assert cut.tile >= cut.block + reach


def test_a_plan_keeps_tiles_within_the_limit():
    rows, columns = plan((720, 1280), 32, 100_000)
    assert rows.tile * columns.tile <= 100_000


@pytest.mark.parametrize("cut", CUTS)
def test_windows_overlap_and_are_summed(key, cut):
    reach = cut.tile - cut.block
    length = cut.count * cut.block + reach
    x = np.asarray(jax.random.normal(key, (2, length, 3)))
    scales = jnp.arange(1.0, cut.count + 1)

    @jax.jit
    def scaled(x, scales):
        return over_windows(lambda window, scale: scale * window, x, 1, cut, reach, scales)

    windows = scaled(x, scales)
    assert windows.shape == (cut.count, 2, cut.tile, 3)
    for index, window in enumerate(np.asarray(windows)):
        start = index * cut.block
        np.testing.assert_array_equal(window, (index + 1) * x[:, start : start + cut.tile])
    y = jax.random.normal(jax.random.fold_in(key, 1), windows.shape)
    if cut.count == 1:  # a single block has nothing that reaches beyond it
        y = y.at[:, :, cut.block :].set(0)
    length = cut.count * cut.block
    kept = cut.block if cut.count == 1 else cut.tile

    @jax.jit
    def added(y):
        return join(over_sums(lambda part: part[:, :kept], 1, cut, reach, y), 1, length)

    summed, y = np.asarray(added(y)), np.asarray(y)
    for start in range(length):
        expected = sum(
            y[index, :, start - index * cut.block]
            for index in range(cut.count)
            if 0 <= start - index * cut.block < cut.tile
        )
        np.testing.assert_allclose(summed[:, start], expected, rtol=1e-12)


@pytest.mark.parametrize("cut", CUTS)
def test_join_undoes_split(key, cut):
    length = cut.count * cut.block - 1
    x = jax.random.normal(key, (2, length, 3))
    np.testing.assert_array_equal(join(split(x, 1, cut), 1, length), x)


@pytest.mark.parametrize("tile_pixels", [1, 300])
def test_many_tiles_equal_one(key, tile_pixels):
    image, kernels, mixing = sample(key, 27, 20, 5, basis=3)
    padded = jnp.pad(image, ((2, 2), (2, 2), (0, 0)))
    mixing_padded = jnp.pad(mixing, ((2, 2), (2, 2), (0, 0)))

    @jax.jit
    def blur():
        gathered = fourier.filter_then_mix(padded, kernels, mixing, tile_pixels=tile_pixels)
        return gathered, fourier.mix_then_filter(
            padded, kernels, mixing_padded, tile_pixels=tile_pixels
        )

    for order, blurred in zip(("gather", "scatter"), blur(), strict=True):
        arrays = map(np.asarray, (image, kernels, mixing))
        expected = reference.basis_blur(*arrays, order=order, padding="constant")
        np.testing.assert_allclose(blurred, expected, atol=1e-12)
