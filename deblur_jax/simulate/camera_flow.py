"""Random motion flow of a moving camera: translation, zoom and rotation.

The flow at pixel (x, y) is the sum of four parts (Gong et al. 2017, eq. 6):

    u = t_x (1 + a_x (x - x_0) / w) + z sqrt(d_z) (x - x_z) - 2 tan(r / 2) (y - y_r)
    v = t_y (1 + a_y (y - y_0) / h) + z sqrt(d_z) (y - y_z) + 2 tan(r / 2) (x - x_r)

where (x_0, y_0) is the middle of the frame, (x_z, y_z) and (x_r, y_r) are the centres of zoom and
rotation, and d_z is the distance to the centre of zoom. Each of t, a, z and r is uniform on an
interval around zero, and the centres are uniform around the middle of the frame.

A straight-line blur looks the same for (u, v) and (-u, -v); `ops.flow.canonical` picks one of them.
"""

import dataclasses
import math
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.ops.pytree import register
from deblur_jax.typing import Array


@dataclasses.dataclass(frozen=True)
class CameraMotion:
    """Bounds of a camera's motion during an exposure; each parameter is drawn uniformly.

    Attributes:
        translation: pixels, along each axis.
        acceleration: relative change of the translation from one side of the frame to the other.
        zoom: the radial motion at distance d from its centre is `zoom * d**1.5` pixels.
        rotation: radians.
        centre_jitter: largest distance in pixels of the centres of zoom and rotation from the
            middle of the frame, across and down. For crops of a larger photograph, half the
            difference of their sizes along each axis gives the crops the motion that the
            photograph has there.
        limit: largest |u| and |v| in pixels; `inf` accepts everything.
    """

    translation: float
    acceleration: float
    zoom: float
    rotation: float
    centre_jitter: tuple[float, float]
    limit: float

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not np.min(value) >= 0:
                raise ValueError(f"CameraMotion.{field.name} must be zero or more, got {value}")
        if self.limit == 0:
            raise ValueError("CameraMotion.limit must be more than zero, got 0")

    def scaled(self, limit: float) -> Self:
        """Returns the bounds with all lengths scaled in proportion to a new `limit`."""
        ratio = limit / self.limit
        return dataclasses.replace(
            self,
            translation=self.translation * ratio,
            zoom=self.zoom * ratio,
            rotation=self.rotation * ratio,
            limit=limit,
        )


# The two settings of Gong et al.; the limits are their u_max, the rest is from their generator.
LARGE = CameraMotion(
    translation=27.0,
    acceleration=0.3,
    zoom=5e-3,
    rotation=math.pi / 70,
    centre_jitter=(15.0, 15.0),
    limit=36.0,
)
MILD = CameraMotion(
    translation=19.0,
    acceleration=0.25,
    zoom=2e-3,
    rotation=math.pi / 120,
    centre_jitter=(5.0, 5.0),
    limit=17.0,
)


@register
@dataclasses.dataclass(frozen=True)
class CameraMovement:
    """One movement of a camera, drawn within the bounds of a `CameraMotion`.

    Attributes:
        translation: `[2]`, pixels to the right and down.
        acceleration: `[2]`, relative change of each translation across the frame.
        zoom: scalar.
        rotation: scalar, radians, clockwise on the screen.
        zoom_centre: `[2]`, pixels to the right and down of the middle of the frame.
        rotation_centre: `[2]`, pixels to the right and down of the middle of the frame.
    """

    translation: Array
    acceleration: Array
    zoom: Array
    rotation: Array
    zoom_centre: Array
    rotation_centre: Array


def draw_movement(key: jax.Array, motion: CameraMotion) -> CameraMovement:
    """Draws one movement within the bounds of `motion`; `limit` is ignored."""
    keys = jax.random.split(key, 6)

    def uniform(key: jax.Array, bound: Array | float, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.uniform(key, shape, jnp.float32, minval=-bound, maxval=bound)

    jitter = np.asarray(motion.centre_jitter, np.float32)
    return CameraMovement(
        translation=uniform(keys[0], motion.translation, (2,)),
        acceleration=uniform(keys[1], motion.acceleration, (2,)),
        zoom=uniform(keys[2], motion.zoom, ()),
        rotation=uniform(keys[3], motion.rotation, ()),
        zoom_centre=uniform(keys[4], jitter, (2,)),
        rotation_centre=uniform(keys[5], jitter, (2,)),
    )


def paper_law(movement: CameraMovement, x: Array, y: Array, height: int, width: int) -> Array:
    """Returns the flow of `movement` at columns `x` and rows `y` by the module's equation."""
    right, down = x - (width - 1) / 2, y - (height - 1) / 2
    offset = jnp.stack([right, down], axis=-1)
    size = jnp.asarray([width, height], offset.dtype)
    ramp = 1 + _over(x, movement.acceleration) * offset / _over(x, size)
    to_zoom = offset - _over(x, movement.zoom_centre)
    to_rotation = offset - _over(x, movement.rotation_centre)
    turned = jnp.stack([-to_rotation[..., 1], to_rotation[..., 0]], axis=-1)
    return (
        _over(x, movement.translation) * ramp
        + movement.zoom * jnp.sqrt(jnp.linalg.norm(to_zoom, axis=-1, keepdims=True)) * to_zoom
        + 2 * jnp.tan(movement.rotation / 2) * turned
    )


def released_code_variant(
    movement: CameraMovement, x: Array, y: Array, height: int, width: int
) -> Array:
    """Returns the flow of `movement` by Gong et al.'s published generator.

    The generator exchanges the radial laws of zoom and rotation: its rotation moves pixels towards
    the centre by `tan(rotation) * d`, and its zoom turns them around it by `zoom * d**1.5`. Both
    use `zoom_centre`. The distance d counts rows from the top of the frame and the direction from
    the bottom, so that their centres are mirrored. Rows and columns count from one, the ramp of the
    vertical translation grows upwards, and the middle of the frame is (width / 2, height / 2).
    """
    columns, rows, rows_from_bottom = x + 1, y + 1, height - y
    right = columns - width / 2 - movement.zoom_centre[0]
    down = rows - height / 2 - movement.zoom_centre[1]
    up = rows_from_bottom - height / 2 - movement.zoom_centre[1]
    distance = jnp.hypot(right, down)[..., None]
    outwards = jnp.stack([right, -up], axis=-1)
    outwards /= jnp.maximum(jnp.hypot(right, up), jnp.finfo(right.dtype).tiny)[..., None]
    clockwise = jnp.stack([-outwards[..., 1], outwards[..., 0]], axis=-1)
    fractions = jnp.stack([columns / width, rows_from_bottom / height], axis=-1)
    return (
        _over(x, movement.translation) * (1 + _over(x, movement.acceleration) * (fractions - 0.5))
        + movement.zoom * distance**1.5 * clockwise
        - jnp.tan(movement.rotation) * distance * outwards
    )


def _over(grid: Array, vector: Array) -> jax.Array:
    """Returns a vector with as many leading axes as the grid that it is combined with."""
    return jnp.expand_dims(jnp.asarray(vector), tuple(range(grid.ndim)))


LATTICE = 17  # points along each axis of the lattice that locates the largest motion
LAWS = {"paper": paper_law, "released_code": released_code_variant}


def camera_flow(
    key: jax.Array,
    height: int,
    width: int,
    motion: CameraMotion = LARGE,
    *,
    law: str = "paper",
    rounded: bool = False,
    attempts: int = 32,
) -> jax.Array:
    """Draws the motion flow of a moving camera over a frame of `height` by `width` pixels.

    Movements are drawn until one stays within `motion.limit`. Its sign is not made canonical, see
    `ops.flow.canonical`. All arguments but `key` are static under `jit` and `vmap`.

    Args:
        key: a JAX random key.
        height: rows of the frame, pixels.
        width: columns of the frame, pixels.
        motion: the bounds, such as `LARGE`, `MILD` or `LARGE.scaled(12.0)`.
        law: `"paper"` or `"released_code"`, see `paper_law` and `released_code_variant`.
        rounded: whether to round to whole pixels, as the authors do.
        attempts: number of movements drawn. If none is within the limit, the one with the smallest
            peak is scaled to it; with 32 draws that happens for about two flows in a million for
            `MILD` at 321x481, where a third of the draws is accepted, and less for `LARGE`.

    Returns:
        The flow, `[h, w, 2]`: u to the right and v down, pixels.

    Raises:
        ValueError: if `law` is unknown, or `height`, `width` or `attempts` is less than one.

    Source:
        Gong et al., "From Motion Blur to Motion Flow", CVPR 2017, section 4.2. The paper's
        exponent is zeta = 0.5 in the authors' code; rejection is ours, since nothing there
        limits the flow although the networks' label range does.

    Example:
        >>> flow = camera_flow(jax.random.key(0), 24, 32)
        >>> flow.shape, bool(jnp.abs(flow).max() <= 36)  # pixels
        ((24, 32, 2), True)
    """
    if law not in LAWS:
        raise ValueError(f"camera_flow: law must be one of {sorted(LAWS)}, got {law!r}")
    if min(height, width, attempts) < 1:
        raise ValueError(
            "camera_flow: height, width and attempts must be at least 1, "
            f"got {height}, {width} and {attempts}"
        )
    movements = jax.vmap(lambda key: draw_movement(key, motion))(jax.random.split(key, attempts))
    peaks = jax.vmap(lambda movement: _peak(movement, law, height, width))(movements)
    # The first one within the limit; if there is none, the one that exceeds it least.
    chosen = jnp.where(
        jnp.any(peaks <= motion.limit), jnp.argmax(peaks <= motion.limit), jnp.argmin(peaks)
    )
    movement = jax.tree.map(lambda drawn: drawn[chosen], movements)
    dtype = movement.translation.dtype
    x, y = jnp.meshgrid(jnp.arange(width, dtype=dtype), jnp.arange(height, dtype=dtype))
    flow = LAWS[law](movement, x, y, height, width)
    flow = flow * jnp.minimum(1, motion.limit / peaks[chosen])
    flow = jnp.clip(flow, -motion.limit, motion.limit)  # peaks between the points of the lattice
    return jnp.round(flow) if rounded else flow


def _peak(movement: CameraMovement, law: str, height: int, width: int) -> Array:
    """Returns the largest |u| or |v| on a lattice over the frame that includes its corners."""
    dtype = movement.translation.dtype
    x = jnp.linspace(0, width - 1, LATTICE, dtype=dtype)
    y = jnp.linspace(0, height - 1, LATTICE, dtype=dtype)
    x, y = jnp.meshgrid(x, y)
    return jnp.max(jnp.abs(LAWS[law](movement, x, y, height, width)))
