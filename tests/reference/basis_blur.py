"""Basis blur read straight off the equations: loops, no JAX."""

import numpy as np


def correlate(image, kernel, *, padding):
    radius = kernel.shape[0] // 2
    padded = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode=padding)
    out = np.zeros_like(image)
    height, width, _ = image.shape
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[0]):
            out += kernel[row, column] * padded[row : row + height, column : column + width]
    return out


def basis_blur(image, kernels, mixing, *, order, padding):
    out = np.zeros_like(image)
    for index, kernel in enumerate(kernels):
        weights = mixing[:, :, index, None]
        if order == "gather":
            out += weights * correlate(image, kernel, padding=padding)
        else:
            out += correlate(weights * image, kernel, padding=padding)
    return out
