"""Segment-wise blur read off its definition: loops, no JAX."""

import numpy as np


def segment_blur(image, segments, kernels):
    count, side, _ = kernels.shape
    height, width = image.shape[0] - side + 1, image.shape[1] - side + 1
    mixing = np.zeros((height, width, count))
    blurry = np.zeros((height, width, image.shape[2]))
    for row in range(height):
        for column in range(width):
            window = (slice(row, row + side), slice(column, column + side))
            for index, kernel in enumerate(kernels):
                inside = segments[window] == index
                mixing[row, column, index] = np.sum(kernel * inside)
            mixing[row, column] /= mixing[row, column].sum()
            for index, kernel in enumerate(kernels):
                filtered = np.tensordot(kernel, image[window], axes=2)
                blurry[row, column] += mixing[row, column, index] * filtered
    return blurry, mixing
