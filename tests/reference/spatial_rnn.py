"""Four recurrences, one step after the other: loops, no JAX."""

import numpy as np


def recurrence(features, weights):
    """Runs along the first axis."""
    out, before = np.zeros_like(features), np.zeros_like(features[0])
    for step in range(features.shape[0]):
        before = (1 - weights[step]) * features[step] + weights[step] * before
        out[step] = before
    return out


def spatial_rnn(features, weights):
    to_right, down, to_left, up = np.split(weights, 4, axis=-1)
    across = features.swapaxes(0, 1)
    return np.concatenate(
        [
            recurrence(across, to_right.swapaxes(0, 1)).swapaxes(0, 1),
            recurrence(across[::-1], to_left.swapaxes(0, 1)[::-1])[::-1].swapaxes(0, 1),
            recurrence(features, down),
            recurrence(features[::-1], up[::-1])[::-1],
        ],
        axis=-1,
    )
