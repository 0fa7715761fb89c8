"""Training losses of motion flows, against the equations in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from deblur_jax.losses.flow import (
    SOFTNESS,
    doubled_angle_distance,
    label_cross_entropy,
    summed_label_cross_entropy,
)
from deblur_jax.ops.flow import double_angle


def scores_and_flow(key, reach=3):
    keys = jax.random.split(key, 3)
    horizontal = jax.random.normal(keys[0], (4, 5, reach + 1))
    vertical = jax.random.normal(keys[1], (4, 5, 2 * reach + 1))
    flow = jax.random.uniform(keys[2], (4, 5, 2), minval=-reach, maxval=reach)
    return (horizontal, vertical), flow.at[..., 0].set(jnp.abs(flow[..., 0]))


def test_cross_entropy_is_the_mean_of_two_label_losses(key):
    scores, flow = scores_and_flow(key)
    horizontal, vertical, truth = map(np.asarray, (*scores, flow))
    expected = 0.0
    for row in range(4):
        for column in range(5):
            for logits, label in (
                (horizontal[row, column], round(float(truth[row, column, 0]))),
                (vertical[row, column], round(float(truth[row, column, 1])) + 3),
            ):
                probabilities = np.exp(logits) / np.exp(logits).sum()
                expected -= np.log(probabilities[label]) / 20
    np.testing.assert_allclose(label_cross_entropy(scores, flow), expected)


def test_the_papers_sum_is_the_mean_times_the_pixels(key):
    scores, flow = scores_and_flow(key)
    total = summed_label_cross_entropy(scores, flow)
    np.testing.assert_allclose(total, 20 * label_cross_entropy(scores, flow), rtol=1e-12)


def test_motion_beyond_the_labels_counts_as_the_outermost(key):
    scores, _ = scores_and_flow(key)
    far, edge = jnp.full((4, 5, 2), 99.0), jnp.full((4, 5, 2), 3.0)
    assert label_cross_entropy(scores, far) == label_cross_entropy(scores, edge)


def test_doubled_angle_distance_is_blind_to_the_sign(key):
    _, flow = scores_and_flow(key)
    estimate = jax.random.normal(key, flow.shape)
    np.testing.assert_allclose(
        doubled_angle_distance(estimate, flow), doubled_angle_distance(estimate, -flow), rtol=1e-12
    )


def test_doubled_angle_distance_is_zero_at_the_truth_and_the_distance_far_away(key):
    _, flow = scores_and_flow(key)
    doubled = double_angle(flow)
    assert doubled_angle_distance(doubled, flow) == 0
    off = doubled_angle_distance(doubled + jnp.asarray([[[6.0, 8.0]]]), flow)
    np.testing.assert_allclose(off, 10, atol=SOFTNESS)


def test_gradients_match_finite_differences(key):
    scores, flow = scores_and_flow(key)
    by_scores = jax.jit(lambda scores: label_cross_entropy(scores, flow))
    check_grads(by_scores, (scores,), order=1, modes=("rev",))
    by_estimate = jax.jit(lambda estimate: doubled_angle_distance(estimate, flow))
    check_grads(by_estimate, (jax.random.normal(key, flow.shape),), order=1, modes=("rev",))


def test_a_flow_of_another_size_is_refused(key):
    _, flow = scores_and_flow(key)
    with pytest.raises(TypeError, match="flow must be a float array"):
        doubled_angle_distance(flow, flow[:, :3])
