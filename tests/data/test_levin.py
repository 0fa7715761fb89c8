"""Levin's files: their contents, and that the kernels are correlation kernels."""

import itertools

import numpy as np
import pytest
from scipy.io import savemat

from deblur_jax.data.levin import read_levin
from deblur_jax.ops.basis_blur import basis_blur
from tests.real_data import needs, real_path


LEVIN = real_path("levin2009")


def test_a_file_is_read_as_stored(tmp_path):
    rng = np.random.default_rng(0)
    x, y, f = rng.random((6, 8)), rng.random((6, 8)), rng.random((3, 3))
    savemat(tmp_path / "a.mat", {"x": x, "y": y, "f": f})
    found = read_levin(tmp_path / "a.mat")
    np.testing.assert_array_equal(found["sharp"][..., 0], x.astype(np.float32))
    np.testing.assert_array_equal(found["blurry"][..., 0], y.astype(np.float32))
    np.testing.assert_allclose(found["kernels"][0], f / f.sum(), rtol=1e-6)
    assert all(array.dtype == np.float32 for array in found.values())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"x": np.ones((6, 8))}, r"a.mat: expected matrices x, y and f, got x \[6, 8\]"),
        ({"x": np.ones((6, 8)), "y": np.ones((6, 7)), "f": np.ones((3, 3))}, "expected one size"),
        ({"x": np.ones((6, 8)), "y": np.ones((6, 8)), "f": np.ones((2, 2))}, "a square of odd"),
    ],
)
def test_a_file_that_holds_something_else_is_named(tmp_path, variables, message):
    savemat(tmp_path / "a.mat", variables)
    with pytest.raises(ValueError, match=message):
        read_levin(tmp_path / "a.mat")


def likeness(blurred, observed):
    """PSNR of the middle parts under the best of all small shifts, in dB."""
    inside = (slice(30, -30), slice(30, -30))
    errors = [
        np.mean((blurred[inside] - np.roll(observed, shift, (0, 1))[inside]) ** 2)
        for shift in itertools.product(range(-4, 5), repeat=2)
    ]
    return -10 * np.log10(min(errors))


@needs("levin2009")
@pytest.mark.parametrize("name", ["im01_ker04", "im02_ker08"])
def test_the_real_kernels_are_correlation_kernels(name):
    found = read_levin(LEVIN / f"{name}.mat")
    mixing = np.ones((*found["sharp"].shape[:2], 1), np.float32)
    kernels, turned = found["kernels"], found["kernels"][:, ::-1, ::-1].copy()
    right, wrong = (
        likeness(np.asarray(basis_blur(found["sharp"], k, mixing)), found["blurry"])
        for k in (kernels, turned)
    )
    assert right > 40
    assert wrong < 30


@needs("levin2009")
def test_every_real_file_is_read():
    paths = sorted(LEVIN.glob("*.mat"))
    assert len(paths) == 16
    for path in paths:
        assert read_levin(path)["sharp"].shape == (255, 255, 1)
