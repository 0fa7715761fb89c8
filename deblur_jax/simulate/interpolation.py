"""The blur between two frames with known motion, as of rendered films.

The picture at a time t between the frames is interpolated from both, warped by approximate flows:

    picture(t)[p] = (1 - t) first[p + to_first(p)] + t last[p + to_last(p)]
    to_first = -(1 - t) t forward + t^2 backward
    to_last  = (1 - t)^2 forward - t (1 - t) backward

and the blurry picture is the mean over t from 0 to 1.

Source: Jiang et al., "Super SloMo", CVPR 2018, equation 4. The paper then refines the flows and
estimates occlusions by networks; here both frames are blended where they disagree.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.warp import pixel_grid, sample
from deblur_jax.typing import Array, Flow, Image, typechecked


FEWEST, MOST = 5, 100  # pictures between two frames


@typechecked
def interpolate_frames(
    first: Image, last: Image, forward: Flow, backward: Flow, time: Float[Array, ""]
) -> jax.Array:
    """Returns the picture at a time between two frames, `[h, w, c]`.

    Args:
        first: `[h, w, c]`, at time 0.
        last: `[h, w, c]`, at time 1.
        forward: flow from the first to the last frame in pixels, on the first one's grid.
        backward: flow from the last to the first frame in pixels, on the last one's grid.
        time: from 0 to 1.
    """
    rest = 1 - time
    to_first = -rest * time * forward + time**2 * backward
    to_last = rest**2 * forward - time * rest * backward
    grid = pixel_grid(first.shape[0], first.shape[1], first.dtype)
    early = sample(first, grid + to_first, padding="edge")
    late = sample(last, grid + to_last, padding="edge")
    return jnp.asarray(rest * early + time * late)


@typechecked
def interpolated_blur(
    first: Image, last: Image, forward: Flow, backward: Flow, *, fewest: int = FEWEST
) -> tuple[jax.Array, jax.Array]:
    """Returns the mean of the pictures from one frame to the other, and the one in the middle.

    The mean is over both frames and the pictures between them, one for each pixel of the longest
    motion.

    Args:
        first: see `interpolate_frames`.
        last: see `interpolate_frames`.
        forward: see `interpolate_frames`.
        backward: see `interpolate_frames`.
        fewest: lower bound of the number of pictures between the frames.

    Raises:
        ValueError: if `fewest` is not from 1 to `MOST`.

    Source:
        Argaw et al., "Optical Flow Estimation from a Single Motion-blurred Image", AAAI 2021: there
        are n = max(s, 5) pictures between the frames, where s is the longest motion in pixels.
    """
    if not 1 <= fewest <= MOST:
        raise ValueError(f"interpolated_blur: fewest must be from 1 to {MOST}, got {fewest}")
    longest = jnp.max(jnp.hypot(forward[..., 0], forward[..., 1]))
    between = jnp.clip(jnp.ceil(longest), fewest, MOST).astype(jnp.int32)

    def picture(time: jax.Array) -> jax.Array:
        return interpolate_frames(first, last, forward, backward, time.astype(first.dtype))

    def add(number: jax.Array, total: jax.Array) -> jax.Array:
        return total + picture(number / (between + 1))

    # The number of pictures depends on the example, so that this is a loop and not a scan.
    total = lax.fori_loop(0, between + 2, add, jnp.zeros_like(first))
    return total / (between + 2).astype(first.dtype), picture(jnp.asarray(0.5))
