"""Metrics against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from deblur_jax import metrics


@pytest.fixture
def pair(key):
    reference = jax.random.uniform(key, (24, 31, 3))
    noise = 0.1 * jax.random.normal(jax.random.fold_in(key, 1), reference.shape)
    return np.clip(reference + noise, 0, 1), np.asarray(reference)


def test_psnr_equals_scikit_image(pair):
    image, reference = pair
    expected = peak_signal_noise_ratio(reference, image, data_range=1)
    np.testing.assert_allclose(metrics.psnr(image, reference), expected, rtol=1e-5)


def test_ssim_equals_scikit_image_inside_its_frame(pair):
    image, reference = pair
    _, each = structural_similarity(
        reference, image, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    expected = each[5:-5, 5:-5].mean()
    np.testing.assert_allclose(metrics.ssim(image, reference), expected, rtol=1e-4)


def test_equal_images_are_perfectly_similar(pair):
    _, reference = pair
    np.testing.assert_allclose(metrics.ssim(reference, reference), 1, rtol=1e-6)
    assert metrics.psnr(reference, reference) == np.inf


def test_ssim_of_an_image_below_its_window_is_refused():
    small = jnp.ones((10, 40, 3))
    with pytest.raises(ValueError, match="at least 11 pixels a side, got 10x40"):
        metrics.ssim(small, small)


def test_flow_mse_is_half_the_mean_squared_length():
    error = jnp.asarray([[[3.0, 4.0], [0.0, 0.0]]])
    assert metrics.flow_mse(error, jnp.zeros_like(error)) == 25 / 2 / 2
    assert metrics.end_point_error(error, jnp.zeros_like(error)) == 2.5


def test_sign_invariant_flow_mse_forgives_a_turned_motion(key):
    flow = jax.random.normal(key, (4, 5, 2))
    assert metrics.flow_mse_sign_invariant(-flow, flow) == 0
    still = jnp.zeros_like(flow)
    assert metrics.flow_mse_sign_invariant(still, flow) == metrics.flow_mse(still, flow)


def test_average_precision_equals_a_loop_over_thresholds(key):
    scores = jnp.round(10 * jax.random.uniform(key, (9, 7)))  # with many that are equal
    truth = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.3 + scores / 20)
    area, recall = 0.0, 0.0
    for threshold in sorted({float(score) for score in scores.ravel()}, reverse=True):
        chosen = scores >= threshold
        found = float(jnp.sum(chosen & truth))
        area += (found / float(jnp.sum(truth)) - recall) * found / float(jnp.sum(chosen))
        recall = found / float(jnp.sum(truth))
    np.testing.assert_allclose(jax.jit(metrics.average_precision)(scores, truth), area, rtol=1e-6)


def test_average_precision_of_the_truth_is_one_and_of_a_guess_the_share_of_true_pixels():
    truth = jnp.arange(12).reshape(3, 4) % 3 == 0
    assert metrics.average_precision(truth.astype(jnp.float32), truth) == 1
    np.testing.assert_allclose(metrics.average_precision(jnp.ones((3, 4)), truth), 1 / 3, rtol=1e-6)


def test_mean_metrics_averages_each_name():
    rows = [{"a": jnp.float32(1), "b": 0.0}, {"a": 3.0, "b": 1.0}]
    assert metrics.mean_metrics(rows) == {"a": 2.0, "b": 0.5}
    with pytest.raises(ValueError, match="at least one row"):
        metrics.mean_metrics([])
