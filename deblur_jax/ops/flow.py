"""Motion up to its sign: a line blur is the same for (u, v) and (-u, -v).

There are two ways to represent the pair. `canonical` selects the half-plane u >= 0, which jumps
from (0, v) to (0, -v) where the motion turns through the vertical. The doubled angle maps a flow of
length m and angle a to

    m (cos 2a, sin 2a) = (u^2 - v^2, 2 u v) / m

which is the same for both signs and continuous, so it can be averaged and regressed.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.typing import Array, Flow, compute_dtype, typechecked


CLOSE = 0.5  # pixels: below this distance from the plane the fit is least squares


@typechecked
def canonical(flow: Flow) -> jax.Array:
    """Turns every vector of `flow` into the half-plane u >= 0 (Gong et al. 2017, eq. 5).

    (u, v) with u < 0 becomes (-u, -v), which gives the same line blur. Where u = 0 the sign of v
    is kept.

    Example:
        >>> print(canonical(jnp.asarray([[[-3.0, 1.0]]])))
        [[[ 3. -1.]]]
    """
    return jnp.where(flow[..., :1] < 0, -flow, flow)


@typechecked
def double_angle(flow: Flow) -> jax.Array:
    """Returns the flow with its angle doubled and its length kept, `[h, w, 2]`.

    The derivative at zero flow is defined as zero.
    """
    u, v = jnp.moveaxis(jnp.asarray(flow, compute_dtype(flow)), -1, 0)
    squared = u * u + v * v
    moves = squared > 0
    length = jnp.sqrt(jnp.where(moves, squared, jnp.ones_like(u)))
    doubled = jnp.stack([(u * u - v * v) / length, 2 * u * v / length], axis=-1)
    return doubled.astype(flow.dtype)


@typechecked
def halve_angle(doubled: Flow) -> jax.Array:
    """Returns the canonical flow of a doubled angle, `[h, w, 2]`: the inverse of `double_angle`.

    The derivative at zero is defined as zero.
    """
    across, down = jnp.moveaxis(jnp.asarray(doubled, compute_dtype(doubled)), -1, 0)
    squared = across * across + down * down
    moves = squared > 0
    length = jnp.where(moves, jnp.sqrt(jnp.where(moves, squared, 1)), 0)
    angle = jnp.arctan2(down, jnp.where(moves, across, jnp.ones_like(across))) / 2
    flow = jnp.stack([length * jnp.cos(angle), length * jnp.sin(angle)], axis=-1)
    return flow.astype(doubled.dtype)


@typechecked
def fit_plane(flow: Flow, *, points: int = 24, steps: int = 20) -> Float[jax.Array, "3 2"]:
    """Fits a flow that is linear in the pixel coordinates to `flow`, up to the sign of each vector.

    Iteratively reweighted least squares lower the mean distance to `flow` or its opposite on a
    lattice of points, so regions where `flow` is far off have little influence. The signs are
    selected again after each step. The best result of twelve starts is returned.

    Args:
        flow: `[h, w, 2]` in pixels, of either sign at each pixel.
        points: lattice points along each axis.
        steps: least-squares fits.

    Returns:
        The plane for `plane_flow`, `[3, 2]` in pixels: the motion at the centre of the frame, and
        its increase from top to bottom and from left to right.
    """
    height, width = flow.shape[:2]
    dtype, flow = flow.dtype, jnp.asarray(flow, compute_dtype(flow))
    lattice = jnp.arange(points, dtype=jnp.int32)
    rows, columns = (lattice * (size - 1) // (points - 1) for size in (height, width))
    seen = flow[rows[:, None], columns].reshape(-1, 2)
    basis = plane_basis(rows, columns, height, width, flow.dtype).reshape(-1, 3)

    def distance(fitted: jax.Array) -> tuple[jax.Array, jax.Array]:
        sign = jnp.where(jnp.sum(fitted * seen, axis=-1, keepdims=True) < 0, -1, 1)
        return sign.astype(flow.dtype), jnp.linalg.norm(fitted - sign * seen, axis=-1)

    def improve(plane: jax.Array, _: None) -> tuple[jax.Array, None]:
        sign, apart = distance(basis @ plane)
        weights = 1 / jnp.maximum(apart, CLOSE)[:, None]
        squares = basis.T @ (weights * basis)
        return jnp.linalg.solve(squares, basis.T @ (weights * sign * seen)), None

    def from_start(start: jax.Array) -> tuple[jax.Array, jax.Array]:
        plane, _ = jax.lax.scan(improve, start, length=steps)
        return plane, jnp.mean(distance(basis @ plane)[1])

    # Constant starts, and starts of opposite signs in two halves of the frame; four directions.
    directions = jnp.asarray([[1, 0], [1, 1], [0, 1], [-1, 1]], flow.dtype)
    starts = jnp.einsum("kp,dc->kdpc", jnp.eye(3, dtype=flow.dtype), directions).reshape(-1, 3, 2)
    found, apart = jax.vmap(from_start)(starts)
    return found[jnp.argmin(apart)].astype(dtype)


@typechecked
def plane_flow(plane: Float[Array, "3 2"], height: int, width: int) -> jax.Array:
    """Returns the flow `[height, width, 2]` of a plane, with one sign for the whole frame."""
    rows, columns = (jnp.arange(size, dtype=jnp.int32) for size in (height, width))
    dtype = compute_dtype(plane)
    flow = plane_basis(rows, columns, height, width, dtype) @ jnp.asarray(plane, dtype)
    return flow.astype(plane.dtype)


def plane_basis(
    rows: Array, columns: Array, height: int, width: int, dtype: jnp.dtype
) -> jax.Array:
    """Returns one and the two coordinates, from -1/2 to 1/2, `[rows, columns, 3]`."""
    down = rows.astype(dtype)[:, None] / height - 0.5
    right = columns.astype(dtype) / width - 0.5
    return jnp.stack(jnp.broadcast_arrays(jnp.ones_like(right), down, right), axis=-1)
