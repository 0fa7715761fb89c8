"""Denoising of all overlapping patches of an image under a Gaussian mixture.

For a patch `v` without its mean, under noise of variance `s2`, the most probable Gaussian is

    argmax_m  log_weight_m + log N(v; 0, S_m + s2 I)

and the patch is replaced by its Wiener estimate, `S_m (S_m + s2 I)^-1 v`. Two decisions make that
cheap. The Gaussians are compared in the few directions in which patches vary by more than the
noise, which all Gaussians share: the exponents are one product of the pairs of a patch's
coordinates with a table of all Gaussians. And patches are sorted by their Gaussian, so that each
filter is read once for a block of patches.
"""

import dataclasses
import math
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from deblur_jax.typing import Array, compute_dtype


BLOCK = 32  # patches that share a filter in a matrix product


class Mixture(Protocol):
    """Zero-mean Gaussians over patches without their mean, such as `models.gmm.PatchMixture`.

    A patch has `d` pixels of one channel in row-major order. Each Gaussian has variances
    `eigenvalues [m, r]` along orthonormal `directions [m, d, r]`, which are orthogonal to a
    constant patch.
    """

    @property
    def log_weights(self) -> Array:
        """The logarithm of the probability of each Gaussian, `[m]`."""
        ...

    @property
    def eigenvalues(self) -> Array:
        """Variances along the directions, `[m, r]`."""
        ...

    @property
    def directions(self) -> Array:
        """Orthonormal columns, `[m, d, r]`."""
        ...


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Experts:
    """A mixture prepared for one noise level.

    Attributes:
        subspace: `[d, q]`, the directions in which the Gaussians are compared.
        table: `[m, q (q + 1) / 2]`, the coefficients of the exponents for pairs of coordinates.
        constants: `[m]`, the log weights with the normalisation.
        filters: `[m, d, d]`, the symmetric Wiener filters.
    """

    subspace: jax.Array
    table: jax.Array
    constants: jax.Array
    filters: jax.Array


def make_experts(mixture: Mixture, variance: jax.Array, *, rank: int) -> Experts:
    """Prepares a mixture for noise of `variance`.

    Args:
        mixture: the Gaussians over patches.
        variance: variance of the noise, a scalar.
        rank: number of directions in which Gaussians are compared: the principal directions of all
            patches. With all of them, `d - 1`, the selection is that of the module's equation.
    """
    log_weights, directions, values = (  # half precision has no eigenvectors
        jnp.asarray(array, compute_dtype(array))
        for array in (mixture.log_weights, mixture.directions, mixture.eigenvalues)
    )
    rank = min(rank, values.shape[1])
    filters = _spectral(directions, values / (values + variance))
    covariances = _spectral(directions, values)
    shares = jax.nn.softmax(log_weights)
    _, vectors = jnp.linalg.eigh(jnp.einsum("m,mde->de", shares, covariances, precision="highest"))
    subspace = vectors[:, ::-1][:, :rank]
    small = jnp.einsum("dq,mde,er->mqr", subspace, covariances, subspace, precision="highest")
    small = small + variance * jnp.eye(rank, dtype=small.dtype)[None]
    precisions = jnp.linalg.inv(small)
    rows, columns = np.triu_indices(rank)
    twice = jnp.asarray(np.where(rows == columns, 1.0, 2.0), small.dtype)
    normaliser = jnp.linalg.slogdet(small)[1] + rank * math.log(2 * math.pi)
    return Experts(
        subspace=subspace,
        table=precisions[:, rows, columns] * twice[None],
        constants=log_weights - normaliser / 2,
        filters=filters,
    )


def denoise_patches(
    canvas: jax.Array, experts: Experts, *, side: int, chunk: int
) -> tuple[jax.Array, jax.Array]:
    """Filters every overlapping patch and sums the results at their positions.

    Args:
        canvas: `[h, w, c]`; channels are filtered independently.
        experts: from `make_experts`.
        side: side of a patch in pixels.
        chunk: approximate number of patches at a time; bounds the memory.

    Returns:
        The sum of the filtered patches that cover each pixel, `[h, w, c]`, and the sum over all
        patches of the log density under the selected Gaussian.
    """
    height, width, channels = canvas.shape
    rows, columns = height - side + 1, width - side + 1
    count = min(rows, max(1, round(chunk / (columns * channels))))  # of rows at a time
    chunks = -(-rows // count)
    count = -(-rows // chunks)
    planes = jnp.moveaxis(canvas, -1, 0)
    planes = jnp.pad(planes, ((0, 0), (0, chunks * count - rows), (0, 0)))

    def some_rows(carry, start):
        total, density = carry
        strip = lax.dynamic_slice_in_dim(planes, start, count + side - 1, axis=1)
        patches = _take(strip, side)  # [d, c, count, columns]
        shape = patches.shape
        there = start + jnp.arange(count) < rows
        patches, densities = _filter(patches.reshape(shape[0], -1), experts)
        patches = patches.reshape(shape) * there[None, None, :, None].astype(patches.dtype)
        densities = jnp.where(there[None, :, None], densities.reshape(shape[1:]), 0)
        strip = lax.dynamic_slice_in_dim(total, start, count + side - 1, axis=1)
        total = lax.dynamic_update_slice_in_dim(total, strip + _put(patches, side), start, axis=1)
        return (total, density + jnp.sum(densities)), None

    starts = jnp.arange(chunks) * count
    begin = (jnp.zeros_like(planes), jnp.zeros((), canvas.dtype))
    (total, density), _ = lax.scan(some_rows, begin, starts)
    return jnp.moveaxis(total[:, :height], 0, -1), density


def cover(height: int, width: int, side: int, dtype: DTypeLike) -> jax.Array:
    """Returns the number of patches that cover each pixel, `[h, w, 1]`."""
    of_rows, of_columns = (
        np.convolve(np.ones(length - side + 1), np.ones(side)) for length in (height, width)
    )
    return jnp.asarray(np.outer(of_rows, of_columns)[..., None], dtype)


def _spectral(directions: Array, values: Array) -> jax.Array:
    return jnp.einsum("mdr,mr,mer->mde", directions, values, directions, precision="highest")


def _take(planes: jax.Array, side: int) -> jax.Array:
    """Returns the patches of planes `[c, h, w]` as `[side * side, c, rows, columns]`."""
    rows, columns = planes.shape[1] - side + 1, planes.shape[2] - side + 1
    lowered = jnp.stack([planes[:, dy : dy + rows] for dy in range(side)])
    patches = jnp.stack([lowered[..., dx : dx + columns] for dx in range(side)], axis=1)
    return patches.reshape(side * side, *patches.shape[2:])


def _put(patches: jax.Array, side: int) -> jax.Array:
    """Adds up patches to planes: the adjoint of `_take`."""
    patches = patches.reshape(side, side, *patches.shape[1:])
    rows, columns = patches.shape[3] + side - 1, patches.shape[4] + side - 1
    strips = jnp.zeros((*patches.shape[:1], *patches.shape[2:4], columns), patches.dtype)
    for dx in range(side):
        strips = strips + jnp.pad(patches[:, dx], ((0, 0),) * 3 + ((dx, side - 1 - dx),))
    planes = jnp.zeros((patches.shape[2], rows, columns), patches.dtype)
    for dy in range(side):
        planes = planes + jnp.pad(strips[dy], ((0, 0), (dy, side - 1 - dy), (0, 0)))
    return planes


def _filter(patches: jax.Array, experts: Experts) -> tuple[jax.Array, jax.Array]:
    """Filters patches `[d, n]`; also returns the log densities `[n]` of the selected Gaussians."""
    mean = jnp.mean(patches, axis=0, keepdims=True)
    patches = patches - mean
    coordinates = jnp.matmul(experts.subspace.T, patches, precision="highest")
    pairs = jnp.concatenate(
        [
            coordinates[first : first + 1] * coordinates[first:]
            for first in range(coordinates.shape[0])
        ]
    )
    exponents = jnp.matmul(experts.table, pairs, precision="highest")
    densities = experts.constants[:, None] - exponents / 2
    chosen = jnp.argmax(densities, axis=0).astype(jnp.int32)
    density = jnp.max(densities, axis=0)
    return _apply_sorted(patches.T, chosen, experts.filters).T + mean, density


def _apply_sorted(patches: jax.Array, chosen: jax.Array, filters: jax.Array) -> jax.Array:
    """Returns `filters[chosen[i]] @ patches[i]` for every patch, `[n, d]`.

    Patches are sorted into blocks with one filter each; the last block of a filter may have gaps.
    """
    count, components = patches.shape[0], filters.shape[0]
    sizes = jnp.zeros(components, jnp.int32).at[chosen].add(1)
    blocks = (sizes + BLOCK - 1) // BLOCK
    last_block, last_patch = (jnp.cumsum(some, dtype=jnp.int32) for some in (blocks, sizes))
    order = jnp.argsort(chosen).astype(jnp.int32)
    number = count // BLOCK + components  # enough blocks for any selection

    block = jnp.arange(number, dtype=jnp.int32)
    of_block = jnp.searchsorted(last_block, block, side="right").astype(jnp.int32)
    of_block = jnp.minimum(of_block, components - 1)
    place = (block - (last_block - blocks)[of_block])[:, None] * BLOCK
    place = place + jnp.arange(BLOCK, dtype=jnp.int32)[None]
    source = (last_patch - sizes)[of_block][:, None] + place
    source = order[jnp.clip(source, 0, count - 1)]
    # Gaps hold arbitrary patches whose results are discarded.
    filtered = jnp.einsum("bnd,bde->bne", patches[source], filters[of_block], precision="highest")

    of_patch = chosen[order]
    rank = jnp.arange(count, dtype=jnp.int32) - (last_patch - sizes)[of_patch]
    slots = jnp.zeros(count, jnp.int32)
    slots = slots.at[order].set((last_block - blocks)[of_patch] * BLOCK + rank)
    return filtered.reshape(number * BLOCK, -1)[slots]
