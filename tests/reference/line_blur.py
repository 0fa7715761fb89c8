"""Line blur by brute force: every integer offset that can be on the line, pixel by pixel."""

import math

import numpy as np


def capsule(u, v):
    """The kernel of a flow, [s s] with the pixel in the middle; it sums to one."""
    length = math.hypot(u, v)
    half = max(length - 1, 0) / 2
    reach = math.ceil(half) + 2
    direction = np.array([u, v]) / length if length > 0 else np.array([1.0, 0.0])
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            offset = np.array([right, down])
            nearest = np.clip(offset @ direction, -half, half) * direction
            kernel[reach + down, reach + right] = max(0, 1 - np.linalg.norm(offset - nearest))
    return kernel / kernel.sum()


def line_blur(image, flow, *, padding="edge"):
    height, width, channels = image.shape
    blurred = np.zeros((height, width, channels))
    reach = math.ceil(np.linalg.norm(flow, axis=-1).max() / 2) + 3
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode=padding)
    for row in range(height):
        for column in range(width):
            kernel = capsule(*flow[row, column])
            side = kernel.shape[0]
            top = row + reach - side // 2
            left = column + reach - side // 2
            window = padded[top : top + side, left : left + side]
            blurred[row, column] = np.einsum("ij,ijc->c", kernel, window)
    return blurred
