"""Bilinear sampling read off its definition: loops, no JAX."""

import math

import numpy as np


PADDED = {
    "constant": lambda index, size: index if 0 <= index < size else None,
    "edge": lambda index, size: min(max(index, 0), size - 1),
    "wrap": lambda index, size: index % size,
    "symmetric": lambda index, size: min(index % (2 * size), 2 * size - 1 - index % (2 * size)),
    "reflect": lambda index, size: abs((index + size - 1) % (2 * size - 2) - size + 1),
}


def sample(image, points, padding):
    height, width, channels = image.shape
    values = np.zeros((*points.shape[:-1], channels))
    for place in np.ndindex(points.shape[:-1]):
        x, y = points[place]
        for row in (math.floor(y), math.floor(y) + 1):
            for column in (math.floor(x), math.floor(x) + 1):
                weight = (1 - abs(x - column)) * (1 - abs(y - row))
                inside = PADDED[padding](row, height), PADDED[padding](column, width)
                if None not in inside:
                    values[place] += weight * image[inside]
    return values
