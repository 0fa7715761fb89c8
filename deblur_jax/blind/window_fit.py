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

from deblur_jax.blind.kernel_fit import fit_kernel, normal_equations
from deblur_jax.blind.kernel_shape import clean, support_mask
from deblur_jax.blind.latent import gradients, sparse_latent
from deblur_jax.ops.periodic import kernel_spectrum
from deblur_jax.ops.windows import Windows, cut_windows, on_planes


NEAR = 1.0  # standard deviation of the neighbours' weights, in windows
TIE = 0.1  # to the neighbours' mean, in units of the mean energy of a window's gradients
COVERED = 0.01  # share of a pixel's light from untrusted pixels at which it leaves the fit
BATCH = 8  # windows whose transforms run together


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
    tie: jax.Array | float = TIE,
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
        tie: to the mean of the kernels around, see `TIE`.
        windows: of the canvas.
    """
    side = kernels.shape[-1]
    inner = support_mask(side, support).astype(photo.dtype)
    near = jnp.asarray(nearness(windows))
    planes = on_planes(cut_windows(photo, windows), windows)
    gaps = ((0, 0), *((0, a - b) for a, b in zip(windows.plane, windows.content, strict=True)))
    trusts = jnp.pad(cut_windows(trusted, windows), gaps, constant_values=1)
    size = windows.plane

    def equations(entry):
        plane, trust, filled, kernel, weight = entry
        response = kernel_spectrum(kernel, size)
        latent = sparse_latent(jnp.fft.rfft2(filled), response, size, weight)
        known = trust * jnp.roll(trust, -1, 1) * jnp.roll(trust, -1, 0)
        lost = jnp.fft.irfft2(jnp.conj(response) * jnp.fft.rfft2(1 - known), size)
        counted = known * (lost < COVERED)
        edges = gradients(latent)
        kept = (counted * edges[0], counted * edges[1])
        rest = [
            given - jnp.fft.irfft2(response * jnp.fft.rfft2(edge - part), size)
            for given, edge, part in zip(gradients(filled), edges, kept, strict=True)
        ]
        matrix, right = normal_equations(kept, (rest[0], rest[1]), side)
        again = jnp.fft.irfft2(response * jnp.fft.rfft2(latent), size)
        return matrix, right, jnp.where(trust > 0, plane, again)

    def refine(state, weight):
        kernels, filled = state
        levels = jnp.full(len(kernels), weight)
        entries = (planes, trusts, filled, kernels, levels)
        matrix, right, filled = jax.lax.map(equations, entries, batch_size=BATCH)
        energy = matrix[:, side - 1, side - 1]
        drawn = near * energy
        drawn = drawn / jnp.maximum(jnp.sum(drawn, 1, keepdims=True), 1e-12)
        around = jnp.einsum("nm,myx->nyx", drawn, kernels, precision="highest")
        pull = ridge + tie * jnp.mean(energy)

        def fit(matrix, right, prior):
            return clean(fit_kernel(matrix, right + pull * prior, inner, pull), smallest=smallest)

        return (jax.vmap(fit)(matrix, right, around), filled), None

    return jax.lax.scan(refine, (kernels, planes), weights)[0][0]
