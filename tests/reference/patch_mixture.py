"""A mixture over patches read straight off its equations: explicit covariances, loops, no JAX."""

import numpy as np


def basis(size):
    """An orthonormal basis of the patches without a mean, by Gram and Schmidt."""
    vectors = [np.full(size, size**-0.5)]
    for index in range(size - 1):
        vector = np.eye(size)[index]
        for other in vectors:
            vector = vector - (vector @ other) * other
        vectors.append(vector / np.linalg.norm(vector))
    return np.stack(vectors[1:], axis=1)


def log_likelihood(patch, covariance, sigma):
    """The log density of a patch without its mean, in the `d - 1` dimensions where it lives."""
    inside = basis(len(patch))
    matrix = inside.T @ covariance @ inside + sigma**2 * np.eye(len(patch) - 1)
    z = inside.T @ (patch - patch.mean())
    _, log_determinant = np.linalg.slogdet(2 * np.pi * matrix)
    return -0.5 * (z @ np.linalg.solve(matrix, z) + log_determinant)


def denoise(patch, log_weights, covariances, sigma):
    """The Wiener filter of the most probable Gaussian."""
    scores = [
        weight + log_likelihood(patch, covariance, sigma)
        for weight, covariance in zip(log_weights, covariances, strict=True)
    ]
    covariance = covariances[int(np.argmax(scores))]
    noise = sigma**2 * np.eye(len(patch))
    z = patch - patch.mean()
    return patch.mean() + covariance @ np.linalg.solve(covariance + noise, z)
