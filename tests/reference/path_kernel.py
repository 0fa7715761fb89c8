"""The kernel of a camera path read off its definition: loops, no JAX."""

import numpy as np


def path_kernel(path, side, smooth):
    radius = side // 2
    kernel = np.zeros((side, side))
    for right, down in path:
        for row in range(side):
            for column in range(side):
                kernel[row, column] += blob(row - radius - down, smooth) * blob(
                    column - radius - right, smooth
                )
    return kernel / kernel.sum()


def blob(distance, smooth):
    def hat(distance):
        return max(0.0, 1 - abs(distance))

    binomial = hat(distance - 1) / 4 + hat(distance) / 2 + hat(distance + 1) / 4
    return (1 - smooth) * hat(distance) + smooth * binomial
