"""One kernel for each window, from kernels that are nearly right.

The normal equations of the windows decouple. Each window is tied to the mean of the kernels around
it, weighted by how much texture their windows have: a window with little texture takes the
kernels of its neighbours.

Source: Hirsch et al., "Fast Removal of Non-uniform Camera Shake", ICCV 2011, section 3, for the
windows; the tie is ours.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.kernel_fit import fit_kernel
from deblur_jax.blind.kernel_shape import clean, support_mask
from deblur_jax.blind.scales import equations, known_gradients
from deblur_jax.ops.windows import BATCH, Windows, cut_windows, masks_on_planes, on_planes


NEAR = 1.0  # standard deviation of the neighbours' weights, in windows


def nearness(windows: Windows, *, near: float = NEAR) -> np.ndarray:
    """Return how near the windows are to each other, `[n, n]`, one for a window itself."""
    rows, columns = windows.counts
    place = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1)
    place = place.reshape(-1, 2)
    distance = np.square(place[:, None] - place[None]).sum(-1)
    return np.exp(-distance / (2 * near**2)).astype(np.float32)


@functools.partial(jax.jit, static_argnames="windows")
def refine_windows(
    photo: jax.Array,
    trusted: jax.Array,
    kernels: jax.Array,
    support: jax.Array,
    weights: jax.Array,
    ridge: jax.Array,
    smallest: jax.Array,
    tie: jax.Array | float,
    *,
    windows: Windows,
) -> jax.Array:
    """Return the kernels `[n, s, s]` after one round for each of the `weights`.

    Args:
        photo: bridged canvas, `[h, w]`.
        trusted: one, or zero where a pixel is saturated or held out of the fit, `[h, w]`.
        kernels: the kernels to start from, `[n, s, s]`.
        support: side of the central square outside of which kernels are zero.
        weights: L0 weight of each round.
        ridge: least pull to the mean of the kernels around.
        smallest: share of the sum that a piece of a kernel must have, see `clean`.
        tie: to the mean of the kernels around, in units of the mean energy of a window's gradients.
        windows: of the canvas.
    """
    side = kernels.shape[-1]
    inner = support_mask(side, support).astype(photo.dtype)
    near = jnp.asarray(nearness(windows))
    planes = on_planes(cut_windows(photo, windows), windows)
    trusts = masks_on_planes(cut_windows(trusted, windows), windows, beside=1)
    known = known_gradients(trusts)
    unknown = jnp.fft.rfft2(1 - known)

    def of_window(entry):
        plane, trust, known, unknown, filled, kernel, weight = entry
        latent, response, (matrix, right) = equations(filled, known, unknown, kernel, weight)
        again = jnp.fft.irfft2(response * latent, windows.plane)
        return matrix, right, jnp.where(trust > 0, plane, again)

    def refine(state, weight):
        kernels, filled = state
        levels = jnp.full(len(kernels), weight)
        entries = (planes, trusts, known, unknown, filled, kernels, levels)
        matrix, right, filled = jax.lax.map(of_window, entries, batch_size=BATCH)
        energy = matrix[:, side - 1, side - 1]
        drawn = near * energy[None, :]
        drawn = drawn / jnp.maximum(jnp.sum(drawn, 1, keepdims=True), 1e-12)
        around = jnp.einsum("nm,myx->nyx", drawn, kernels, precision="highest")
        pull = ridge + tie * jnp.mean(energy)

        def fit(matrix, right, prior):
            return clean(fit_kernel(matrix, right + pull * prior, inner, pull), smallest=smallest)

        return (jax.vmap(fit)(matrix, right, around), filled), None

    return jax.lax.scan(refine, (kernels, planes), weights)[0][0]
