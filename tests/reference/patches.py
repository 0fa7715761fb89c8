"""The patch step of EPLL read off its equations: a loop over patches and Gaussians."""

import numpy as np


def denoise_patches(image, log_weights, eigenvalues, directions, variance):
    """Return the sum of filtered patches at each pixel, and the sum of the best log densities."""
    side = round(directions.shape[1] ** 0.5)
    height, width, channels = image.shape
    total, density = np.zeros_like(image), 0.0
    for channel in range(channels):
        for row in range(height - side + 1):
            for column in range(width - side + 1):
                place = (slice(row, row + side), slice(column, column + side), channel)
                patch = image[place].ravel()
                mean = patch.mean()
                found = []
                for weight, values, axes in zip(log_weights, eigenvalues, directions, strict=True):
                    along = axes.T @ (patch - mean)
                    noisy = values + variance
                    exponent = -0.5 * np.sum(along**2 / noisy + np.log(2 * np.pi * noisy))
                    found.append((weight + exponent, axes @ (values / noisy * along)))
                best = max(found, key=lambda one: one[0])
                density += best[0]
                total[place] += (best[1] + mean).reshape(side, side)
    return total, density
