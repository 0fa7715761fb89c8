"""Levin et al. 2009: four grey pictures, each with eight camera shakes and measured kernels."""

from pathlib import Path

import numpy as np

from deblur_jax.io.flow import read_mat


def read_levin(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a file of the data set, such as `im05_flit01.mat`.

    `blurry` is the correlation of `sharp` with `kernels`, up to noise and a shift of a few pixels
    that differs between kernels: align before comparing.

    Returns:
        `sharp` and `blurry`, `[h, w, 1]`, and `kernels`, `[1, s, s]`, a correlation kernel with
        odd `s` and sum one; float32.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or has other contents.
    """
    variables = read_mat(path)
    names = {"sharp": "x", "blurry": "y", "kernel": "f"}
    found = {
        name: np.asarray(variables[letter], np.float32)
        for name, letter in names.items()
        if letter in variables and variables[letter].ndim == 2
    }
    if len(found) < len(names):
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in variables.items())
        raise ValueError(f"{path}: expected matrices x, y and f, got {shapes or 'none'}")
    if found["sharp"].shape != found["blurry"].shape:
        raise ValueError(
            f"{path}: x is {list(found['sharp'].shape)} and y {list(found['blurry'].shape)}; "
            "expected one size"
        )
    kernel = found.pop("kernel")
    if kernel.shape[0] != kernel.shape[1] or kernel.shape[0] % 2 == 0 or not kernel.sum() > 0:
        raise ValueError(
            f"{path}: the kernel f is {list(kernel.shape)} with sum {kernel.sum():.3g}; expected "
            "a square of odd side and a positive sum"
        )
    images = {name: image[..., None] for name, image in found.items()}
    return {**images, "kernels": (kernel / kernel.sum())[None]}
