"""Random shapes for the objects of simulated scenes: blobs, ellipses and polygons.

A shape is given by its radius as a function of direction: a wavy circle, a circle or a regular
polygon. It is then stretched and rotated.
"""

import jax
import jax.numpy as jnp


def draw_shape(key: jax.Array, height: int, width: int) -> jax.Array:
    """Draws a shape of random position, size and orientation.

    Returns:
        The mask of the shape, `[h, w]` in [0, 1], with an edge about one pixel wide.
    """
    keys = jax.random.split(key, 4)
    centre = jax.random.uniform(keys[0], (2,), jnp.float32)
    centre = centre * jnp.asarray([width, height], jnp.float32)
    size, stretch, turn, kind = jax.random.uniform(keys[1], (4,), jnp.float32)
    size = (0.1 + 0.25 * size) * min(height, width)  # mean radius
    stretch, turn = 2.0 ** (stretch - 0.5), 2 * jnp.pi * turn
    right = jnp.arange(width, dtype=jnp.float32)[None] - centre[0]
    down = jnp.arange(height, dtype=jnp.float32)[:, None] - centre[1]
    along = (right * jnp.cos(turn) + down * jnp.sin(turn)) * stretch
    across = (down * jnp.cos(turn) - right * jnp.sin(turn)) / stretch
    direction, distance = jnp.arctan2(across, along), jnp.hypot(along, across)
    orders = jnp.arange(2, 6, dtype=jnp.float32)[None, None]
    waves = jax.random.normal(keys[2], (2, 1, 1, 4), jnp.float32) / orders[None]
    phases = direction[..., None] * orders
    wavy = 1 + 0.25 * jnp.sum(jnp.cos(phases) * waves[0] + jnp.sin(phases) * waves[1], axis=-1)
    sector = 2 * jnp.pi / jax.random.randint(keys[3], (), 3, 7, jnp.int32).astype(jnp.float32)
    polygon = jnp.cos(sector / 2) / jnp.cos(direction % sector - sector / 2)
    reach = jnp.where(kind < 1 / 3, polygon, jnp.where(kind < 2 / 3, 1.0, wavy))
    return jnp.clip(size * reach - distance + 0.5, 0, 1)


def draw_shapes(key: jax.Array, height: int, width: int, *, objects: int = 3) -> jax.Array:
    """Draws several shapes; later ones occlude earlier ones.

    Returns:
        `[h, w]` integers: zero for the background, 1 to `objects` for the shapes.
    """
    masks = jax.vmap(lambda key: draw_shape(key, height, width))(jax.random.split(key, objects))
    numbers = jnp.arange(1, objects + 1, dtype=jnp.int32)[:, None, None]
    return jnp.max(jnp.where(masks > 0.5, numbers, 0), axis=0, initial=0)
