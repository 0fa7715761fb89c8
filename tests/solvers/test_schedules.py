"""Noise levels, step by step."""

import numpy as np
import pytest

from deblur_jax.solvers.schedules import carbajal_sigmas, log_spaced, zhang_sigmas


def test_log_spaced_has_equal_factors_and_the_given_ends():
    levels = np.asarray(log_spaced(8.0, 0.5, 5, np.float64))
    np.testing.assert_allclose(levels, [8, 4, 2, 1, 0.5])


def test_carbajal_sigmas_are_those_of_the_authors_code():
    expected = [24.5, 21.46, 18.79, 16.46, 14.41, 12.62, 11.05, 9.68, 8.48, 7.42, 6.50, 5.69, 4.99,
                4.37, 3.825]  # fmt: skip
    np.testing.assert_allclose(np.asarray(carbajal_sigmas()) * 255, expected, atol=0.006)


def test_zhang_sigmas_fall_to_the_noise_of_the_photo():
    levels = np.asarray(zhang_sigmas(0.01, steps=4, dtype=np.float64))
    np.testing.assert_allclose(levels[[0, -1]], [49 / 255, 0.01])


def test_levels_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match=r"must be positive, got 0\.0 and 1\.0"):
        log_spaced(0.0, 1.0, 3)
