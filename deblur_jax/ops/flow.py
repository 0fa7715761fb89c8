"""A motion without its sign: a line blur looks the same for (u, v) and (-u, -v).

Two ways to pick one name for the pair. `canonical` takes the half-plane u >= 0, which jumps from
(0, v) to (0, -v) where the motion turns through the vertical. The doubled angle has no jump: the
flow of length m and angle a becomes

    m (cos 2a, sin 2a) = (u^2 - v^2, 2 u v) / m

which is the same for both signs and continuous everywhere, so it can be averaged and regressed.
"""

import jax
import jax.numpy as jnp

from deblur_jax.typing import Flow, typechecked


@typechecked
def canonical(flow: Flow) -> jax.Array:
    """Turns every vector of `flow` into the half-plane u >= 0 (Gong et al. 2017, eq. 5).

    (u, v) with u < 0 becomes (-u, -v), which gives the same straight-line blur; where u = 0 the
    sign of v is kept.

    Example:
        >>> print(canonical(jnp.asarray([[[-3.0, 1.0]]])))
        [[[ 3. -1.]]]
    """
    return jnp.where(flow[..., :1] < 0, -flow, flow)


@typechecked
def double_angle(flow: Flow) -> jax.Array:
    """Returns the flow with twice its angle and the same length, `[h, w, 2]`.

    Its derivative at zero flow is given as zero.
    """
    u, v = flow[..., 0], flow[..., 1]
    squared = u * u + v * v
    moves = squared > 0
    length = jnp.sqrt(jnp.where(moves, squared, jnp.ones_like(u)))
    return jnp.stack([(u * u - v * v) / length, 2 * u * v / length], axis=-1)


@typechecked
def halve_angle(doubled: Flow) -> jax.Array:
    """Returns the canonical flow of a doubled angle, `[h, w, 2]`, the inverse of `double_angle`.

    Its derivative at zero is given as zero.
    """
    across, down = doubled[..., 0], doubled[..., 1]
    squared = across * across + down * down
    moves = squared > 0
    length = jnp.where(moves, jnp.sqrt(jnp.where(moves, squared, 1)), 0).astype(across.dtype)
    angle = jnp.arctan2(down, jnp.where(moves, across, jnp.ones_like(across))) / 2
    return jnp.stack([length * jnp.cos(angle), length * jnp.sin(angle)], axis=-1)
