"""The error of a kernel field with every pixel's kernel written out: NumPy, no JAX."""

import numpy as np


def kernel_error(kernels, mixing, true_kernels, true_mixing, weights, *, power):
    total = 0.0
    for row in range(weights.shape[0]):
        for column in range(weights.shape[1]):
            kernel = np.tensordot(mixing[row, column], kernels, axes=1)
            truth = np.tensordot(true_mixing[row, column], true_kernels, axes=1)
            total += weights[row, column] * np.sum(np.abs(kernel - truth) ** power)
    return total
