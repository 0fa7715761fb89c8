"""Small photos with a known blur."""

import jax.numpy as jnp
import numpy as np
from skimage import data

from deblur_jax.ops.operators import BasisBlur


def sharp_photo(height=112, width=128):
    """Return a part of a photograph, `[h, w, 3]`."""
    photo = data.astronaut()[20 : 20 + 2 * height, 130 : 130 + 2 * width].astype(np.float32) / 255
    return photo.reshape(height, 2, width, 2, 3).mean((1, 3))


def hook(side=11):
    """Return a curved kernel without any symmetry, `[s, s]`."""
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2 - 3, side // 2 - 3 : side // 2 + 3] = 1
    kernel[side // 2 - 3 : side // 2 + 2, side // 2 + 3] = 0.6
    kernel[side // 2 + 2, side // 2 + 1 : side // 2 + 4] = 0.3
    return kernel / kernel.sum()


def blurred(photo, kernel, *, noise=0.0, seed=0):
    """Return the photo as the package's own operator blurs it, in 8 bits."""
    blur = BasisBlur(jnp.asarray(kernel)[None], jnp.ones((*photo.shape[:2], 1)))
    draw = np.random.default_rng(seed)
    noisy = np.asarray(blur(jnp.asarray(photo))) + noise * draw.standard_normal(photo.shape)
    return np.float32(np.round(255 * np.clip(noisy, 0, 1)) / 255)


def likeness(kernel, true):
    """Return the largest normalised correlation of two kernels over shifts."""
    length = 2 * max(len(kernel), len(true)) + 1
    a, b = (np.fft.rfft2(each, (length, length)) for each in (kernel, true))
    shared = np.fft.irfft2(a * np.conj(b), (length, length)).max()
    return shared / np.sqrt(np.square(kernel).sum() * np.square(true).sum())
