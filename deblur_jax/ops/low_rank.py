"""Low-rank approximation of a kernel field by principal components.

    kernels[p] ~ mean + sum_k weights[p, k] * component[k]

The mean is the first basis kernel, and its map is one everywhere. If all kernels have the same sum,
the components sum to zero and every approximate kernel keeps that sum exactly, so the brightness
does not depend on the number of components.

To use a field of point spread functions, as measured in astronomy and microscopy, turn each by 180
degrees: that makes it a correlation kernel. If the functions belong to the sources of light, use
`order="scatter"`.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.typing import Array, PixelKernels, compute_dtype, typechecked


@typechecked
def factor_kernels(kernels: PixelKernels, *, basis: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the basis kernels and mixing maps that best approximate a kernel for every pixel.

    Half precision is computed in float32.

    Args:
        kernels: `[h, w, s, s]`, as for `dense_blur`, or on a coarse grid.
        basis: number of basis kernels including the mean; at most `s * s + 1`.

    Returns:
        kernels `[k, s, s]` and mixing `[h, w, k]` for `basis_blur`, and the root mean square of the
        approximation error relative to that of the kernels, a scalar measured on the result.

    Raises:
        ValueError: if `basis` is out of range.

    Example:
        >>> kernels = jax.random.uniform(jax.random.key(0), (4, 5, 3, 3))
        >>> basis, mixing, error = factor_kernels(kernels, basis=10)
        >>> basis.shape, mixing.shape, bool(error < 1e-3)  # nine and the mean are a basis of 3x3
        ((10, 3, 3), (4, 5, 10), True)
    """
    height, width, side, _ = kernels.shape
    if not 1 <= basis <= side**2 + 1:
        raise ValueError(
            f"factor_kernels: basis must be from 1 to {side**2 + 1} for {side}x{side} kernels, "
            f"got {basis}"
        )
    dtype = kernels.dtype
    rows = jnp.asarray(kernels, compute_dtype(kernels)).reshape(height * width, side**2)
    mean = jnp.mean(rows, axis=0)
    rest = rows - mean[None]
    # The right singular vectors of `rest`, largest first, from its small square.
    _, vectors = jnp.linalg.eigh(jnp.matmul(rest.T, rest, precision="highest"))
    components = vectors[:, ::-1][:, : basis - 1]
    weights = jnp.matmul(rest, components, precision="highest")
    lost = rest - jnp.matmul(weights, components.T, precision="highest")
    error = jnp.linalg.norm(lost) / jnp.linalg.norm(rows)
    factors = jnp.concatenate([mean[None], components.T]).reshape(basis, side, side)
    mixing = jnp.concatenate([jnp.ones_like(rows[:, :1]), weights], axis=1)
    mixing = mixing.reshape(height, width, basis)
    return factors.astype(dtype), mixing.astype(dtype), error.astype(dtype)


@typechecked
def factor_grid(
    grid: Float[Array, "rows columns s s"], *, height: int, width: int, basis: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns basis kernels and mixing maps for a frame from kernels on a coarse grid.

    The grid divides the frame into equal cells, and each kernel belongs to the centre of its cell.
    Between centres the weights are interpolated linearly, which interpolates the kernels; outside
    they are those of the nearest centre.

    Args:
        grid: `[rows, columns, s, s]`.
        height: height of the frame in pixels.
        width: width of the frame in pixels.
        basis: number of basis kernels including the mean.

    Returns:
        kernels `[k, s, s]` and mixing `[height, width, k]` for `basis_blur`, and the error of
        `factor_kernels` on the grid.

    Raises:
        ValueError: if `basis` is out of range or the frame is smaller than the grid.

    Example:
        >>> grid = jax.random.uniform(jax.random.key(0), (2, 3, 5, 5))
        >>> basis, mixing, _ = factor_grid(grid, height=20, width=30, basis=4)
        >>> basis.shape, mixing.shape
        ((4, 5, 5), (20, 30, 4))
    """
    rows, columns = grid.shape[:2]
    if height < rows or width < columns:
        raise ValueError(
            f"factor_grid: height and width must be at least those of the grid, "
            f"{rows}x{columns}, got {height}x{width}"
        )
    kernels, weights, error = factor_kernels(grid, basis=basis)
    by_rows = _interpolate(weights, height)
    mixing = jnp.swapaxes(_interpolate(jnp.swapaxes(by_rows, 0, 1), width), 0, 1)
    return kernels, mixing, error


def _interpolate(weights: jax.Array, length: int) -> jax.Array:
    """Interpolates the first axis from the centres of its cells to `length` pixels."""
    cells = weights.shape[0]
    position = (jnp.arange(length, dtype=weights.dtype) + 0.5) * (cells / length) - 0.5
    distance = jnp.abs(
        jnp.clip(position, 0.0, cells - 1.0)[:, None] - jnp.arange(cells, dtype=weights.dtype)[None]
    )
    shares = jnp.maximum(1.0 - distance, 0.0)
    return lax.dot_general(shares, weights, (((1,), (0,)), ((), ())), precision="highest")
