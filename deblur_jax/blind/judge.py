"""One energy for every blur that is tried on a photo, no blur among them.

    energy = mean (k x - y)^2 + WEIGHT * share of pixels at which x has a gradient

with the latent image x that minimises it for the kernel k. A blur that varies has one kernel for
each window, and so has every blur that it is compared with: the energy is that of the windows'
cells together. An estimate that ran away needs more gradients and leaves more over than no blur
does. Where energies agree, the ratio of the L1 to the L2 norm of the latent image's gradients
decides: it falls as edges get sharper.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from deblur_jax.blind.latent import gradients, sparse_latent
from deblur_jax.ops.periodic import inside_photo, kernel_spectrum
from deblur_jax.ops.windows import (
    BATCH,
    Windows,
    cell_sums,
    cells,
    cut_windows,
    masks_on_planes,
    on_planes,
)


WEIGHT = 1e-3  # of a pixel with a gradient
GRADIENT = 1e-2  # from which a pixel counts as one with a gradient
BORDER = 46  # pixels beside the photo's border that are not judged


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Judgement:
    """How a blur and its latent image explain a photo, or each window of it.

    Attributes:
        energy: mean squared misfit plus the weighted share of gradients.
        misfit: mean squared misfit.
        ratio: L1 norm over L2 norm of the latent gradients, 1 where all are equal.
        pixels: number of pixels that were judged.
    """

    energy: jax.Array
    misfit: jax.Array
    ratio: jax.Array
    pixels: jax.Array


def _judgement(sums: jax.Array) -> Judgement:
    """Return the judgement of sums `[..., 5]` over pixels, see `_maps`."""
    count, squares, edges, absolute, power = jnp.moveaxis(sums, -1, 0)
    pixels = jnp.maximum(count, 1)
    misfit = squares / pixels
    ratio = absolute / jnp.sqrt(pixels * power + 1e-12)
    return Judgement(misfit + WEIGHT * edges / pixels, misfit, ratio, count)


def _maps(photo, trusted, seen, kernel) -> jax.Array:
    """Return the values at each pixel of a periodic plane whose sums make the energy, `[5, h, w]`.

    They are whether the pixel counts, its squared misfit, whether it has a gradient, and the
    latent gradient's absolute value and square; zero where a pixel is not `seen`.
    """
    height, width = photo.shape
    size = (height, width)
    response = kernel_spectrum(kernel, size)
    latent = sparse_latent(jnp.fft.rfft2(photo), response, size, WEIGHT)
    again = jnp.fft.irfft2(response * jnp.fft.rfft2(latent), size)
    lost = jnp.fft.irfft2(jnp.conj(response) * jnp.fft.rfft2(1 - trusted), size)
    seen = seen * trusted * (lost < 0.01).astype(photo.dtype)
    right, down = gradients(latent)
    square = seen * (jnp.square(right) + jnp.square(down))
    misfit = seen * jnp.square(again - photo)
    edges = (square > GRADIENT**2).astype(photo.dtype)
    return jnp.stack([seen, misfit, edges, jnp.sqrt(square), square])


def judged_area(size: tuple[int, int], extent: jax.Array) -> jax.Array:
    """Return whether a pixel of the canvas is judged: inside the photo, away from its border."""
    border = jnp.minimum(BORDER, jnp.min(extent) // 8)
    inside = inside_photo(size, extent - 2 * border)
    return jnp.roll(inside, jnp.stack([border, border]), (0, 1))


@functools.partial(jax.jit, static_argnames="windows")
def judge(
    photo: jax.Array, trusted: jax.Array, extent: jax.Array, kernel: jax.Array, *, windows: Windows
) -> tuple[Judgement, Judgement]:
    """Return the energy of one kernel for the whole photo.

    Args:
        photo: bridged canvas, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        extent: `[2]`, the photo's height and width.
        kernel: correlation kernel, `[s, s]`.
        windows: of the canvas.

    Returns:
        The judgement of the whole photo, scalars, and of each window's cell, `[n]`.
    """
    area = judged_area(windows.canvas, extent).astype(photo.dtype)
    sums = cell_sums(_maps(photo, trusted, area, kernel), windows).T
    return _judgement(jnp.sum(sums, 0)), _judgement(sums)


@functools.partial(jax.jit, static_argnames="windows")
def judge_windows(
    photo: jax.Array, trusted: jax.Array, extent: jax.Array, kernels: jax.Array, *, windows: Windows
) -> tuple[Judgement, Judgement]:
    """Return the energy of a blur with one kernel for each window.

    The energies of one kernel by `judge` and here differ by up to 2 %, because windows have
    borders; compare like with like.

    Args:
        photo: bridged canvas, `[h, w]`.
        trusted: one, or zero where the photo is saturated, `[h, w]`.
        extent: `[2]`, the photo's height and width.
        kernels: correlation kernels, `[n, s, s]`.
        windows: of the canvas, without ramps.

    Returns:
        The judgement of all windows together, scalars, and of each window's cell, `[n]`.
    """
    area = judged_area(windows.canvas, extent).astype(photo.dtype)
    seen = masks_on_planes(
        cut_windows(area, windows) * jnp.asarray(cells(windows), photo.dtype), windows, beside=0
    )
    planes = on_planes(cut_windows(photo, windows), windows)
    trusts = masks_on_planes(cut_windows(trusted, windows), windows, beside=1)

    def sums_of(entry):
        return jnp.sum(_maps(*entry), (-2, -1))

    sums = jax.lax.map(sums_of, (planes, trusts, seen, kernels), batch_size=BATCH)
    return _judgement(jnp.sum(sums, 0)), _judgement(sums)
