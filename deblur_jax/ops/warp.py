"""Bilinear sampling of images at points, by a flow, by an affine map and by a homography.

All warps are backward: the map sends output pixel `p` to a point of the image, whose value is
interpolated bilinearly from the four pixels around it. Points are (x to the right, y down), with
pixel centres on integers.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from deblur_jax.ops.boundary import check_padding, resolve_index
from deblur_jax.typing import Array, Flow, Image, compute_dtype, typechecked


Points = Float[Array, "... 2"]


def pixel_grid(height: int, width: int, dtype: jnp.dtype | type) -> jax.Array:
    """Returns the coordinates of every pixel, `[h, w, 2]`: x to the right, y down."""
    return jnp.stack(
        jnp.meshgrid(jnp.arange(width, dtype=dtype), jnp.arange(height, dtype=dtype)), axis=-1
    )


@typechecked
def sample(image: Image, points: Points, *, padding: str = "constant") -> jax.Array:
    """Samples `image` at `points` by bilinear interpolation.

    Differentiable in both arguments. At integer coordinates the derivative in `points` is the one
    to the right and below.

    Args:
        image: `[h, w, c]`.
        points: `[..., 2]`; must be finite if the padding repeats the image.
        padding: how pixels outside the frame are made, see `deblur_jax.ops.boundary`; they are zero
            with "constant".

    Returns:
        The values, `[..., c]`.
    """
    check_padding("sample", padding)
    image, points = jnp.asarray(image), jnp.asarray(points)
    height, width, channels = image.shape
    pixels = image.reshape(height * width, channels)
    x, y = points[..., 0], points[..., 1]
    if padding in ("constant", "edge"):  # the result is constant beyond these bounds
        x, y = jnp.clip(x, -2, width + 1), jnp.clip(y, -2, height + 1)
    left, top = jnp.floor(x), jnp.floor(y)
    to_right, to_below = (x - left).astype(image.dtype), (y - top).astype(image.dtype)
    left, top = left.astype(jnp.int32), top.astype(jnp.int32)
    values = jnp.zeros((*points.shape[:-1], channels), image.dtype)
    for rows, weight_down in ((top, 1 - to_below), (top + 1, to_below)):
        for columns, weight_across in ((left, 1 - to_right), (left + 1, to_right)):
            row = resolve_index(rows, height, padding)
            column = resolve_index(columns, width, padding)
            weight = weight_down * weight_across
            if padding == "constant":
                weight = jnp.where((row == rows) & (column == columns), weight, 0)
            taken = pixels.at[row * width + column].get(mode="promise_in_bounds")
            values = values + weight[..., None] * taken
    return values


@typechecked
def warp_flow(image: Image, flow: Flow, *, padding: str = "constant") -> jax.Array:
    """Warps `image` by a flow: `out[p] = image[p + flow[p]]`.

    With a flow from a first frame to a second, warping the second frame gives the first.

    Args:
        image: `[h, w, c]`.
        flow: `[h, w, 2]` in pixels; its height and width may differ from those of the image.
        padding: see `sample`.
    """
    dtype = compute_dtype(flow)  # half precision cannot represent the coordinates
    grid = pixel_grid(flow.shape[0], flow.shape[1], dtype)
    return sample(image, grid + jnp.asarray(flow, dtype), padding=padding)


@typechecked
def warp_affine(
    image: Image, matrix: Float[Array, "2 3"], *, padding: str = "constant"
) -> jax.Array:
    """Warps by an affine map of normalised coordinates, as spatial transformer networks do.

    Args:
        image: `[h, w, c]`.
        matrix: maps the output point (x, y, 1) to the input point (x, y). Coordinates run from -1
            to 1 between the centres of the corner pixels, so the identity is
            `[[1, 0, 0], [0, 1, 0]]` for every size.
        padding: see `sample`.

    Source:
        Jaderberg et al., "Spatial Transformer Networks", NeurIPS 2015.
    """
    height, width, _ = image.shape
    matrix = jnp.asarray(matrix, compute_dtype(matrix))
    half = jnp.asarray([width - 1, height - 1], matrix.dtype) / 2
    linear = matrix[:, :2] * half[:, None] / jnp.where(half > 0, half, 1)[None]
    offset = (matrix[:, 2] + 1 - jnp.sum(matrix[:, :2], axis=1)) * half
    in_pixels = jnp.eye(3, dtype=matrix.dtype).at[:2, :2].set(linear).at[:2, 2].set(offset)
    grid = pixel_grid(height, width, matrix.dtype)
    return sample(image, project(in_pixels, grid), padding=padding)


@typechecked
def warp_homography(
    image: Image, matrix: Float[Array, "3 3"], *, padding: str = "constant"
) -> jax.Array:
    """Warps by a homography of pixel coordinates.

    Args:
        image: `[h, w, c]`.
        matrix: maps the output point (x, y, 1) to the input point, up to its scale.
        padding: see `sample`.
    """
    matrix = jnp.asarray(matrix, compute_dtype(matrix))
    grid = pixel_grid(image.shape[0], image.shape[1], matrix.dtype)
    return sample(image, project(matrix, grid), padding=padding)


@typechecked
def project(matrix: Float[Array, "3 3"], points: Points) -> jax.Array:
    """Returns `points` mapped by the homography `matrix`, `[..., 2]`."""
    matrix, points = jnp.asarray(matrix), jnp.asarray(points)
    x, y = points[..., 0], points[..., 1]
    # Written out, because XLA does not fuse a 3x3 matrix product with the code that uses it.
    across, down, depth = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return jnp.stack([across / depth, down / depth], axis=-1)


@typechecked
def invert_homography(matrix: Float[Array, "3 3"]) -> jax.Array:
    """Returns the inverse of a homography up to its scale: the adjugate, without division."""
    rows = jnp.asarray(matrix)
    return jnp.stack(
        [jnp.cross(rows[1], rows[2]), jnp.cross(rows[2], rows[0]), jnp.cross(rows[0], rows[1])],
        axis=1,
    )
