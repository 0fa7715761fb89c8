"""The cost volume read straight off its equation: loops, no JAX."""

import numpy as np


def cost_volume(first, second, reach):
    height, width, channels = first.shape
    side = 2 * reach + 1
    out = np.zeros((height, width, side * side))
    for row, column in np.ndindex(height, width):
        for down, right in np.ndindex(side, side):
            y, x = row + down - reach, column + right - reach
            if 0 <= y < height and 0 <= x < width:
                product = first[row, column] @ second[y, x]
                out[row, column, down * side + right] = product / channels
    return out
