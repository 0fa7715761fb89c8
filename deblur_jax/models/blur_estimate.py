"""What a network that estimates blur returns, and how a motion is estimated in a photo of any size.

Such a network has one method, `estimate_blur(variables, photo)`, which returns a `BlurEstimate`.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.models.blocks import SMALLEST_SIDE
from deblur_jax.ops.operators import Blur, LineBlur
from deblur_jax.ops.pytree import register
from deblur_jax.ops.sensor import Transfer
from deblur_jax.solvers.frame import MARGIN
from deblur_jax.solvers.motion_spectra import VIEWS, refine_motion
from deblur_jax.typing import standard_promotion


ESTIMATION_PIXELS = 400_000  # a larger photo is shrunk to this before its motion is estimated
STATIC = {"static": True}


@register
@dataclasses.dataclass(frozen=True)
class BlurEstimate:
    """A blur, and the options of `restoration.restore` that belong to it; a pytree.

    Attributes:
        blur: the blur, of the photo's size.
        transfer: curve from display values to the light in which the blur adds up.
        margin: width in pixels of the unknown border that is restored around the photo.
        saturates: whether the sensor clips bright light softly, see `ops.sensor.saturate`.
        reason: why no blur was found, or an empty string.
        likely: probability that the restoration is better than the photo; None if the estimator
            does not judge it.
    """

    blur: Blur
    transfer: Transfer = dataclasses.field(default="linear", metadata=STATIC)
    margin: int = dataclasses.field(default=MARGIN, metadata=STATIC)
    saturates: bool = dataclasses.field(default=False, metadata=STATIC)
    reason: str = dataclasses.field(default="", metadata=STATIC)
    likely: float | None = None


@functools.partial(jax.jit, static_argnames="model")
def apply(model: Any, variables: Any, photo: jax.Array) -> Any:
    """Returns the network's output for one photo `[h, w, 3]`, as a batch of one."""
    with standard_promotion():  # flax mixes ranks, and networks mix dtypes
        return model.apply(variables, photo[None])


def estimate_motion(
    estimate: Callable[[jax.Array], jax.Array], photo: jax.Array, *, refine: bool = False
) -> BlurEstimate:
    """Estimates the motion in a photo of any size.

    A large photo is shrunk first, because a network estimates motions of a limited number of
    pixels; the estimated motion is enlarged again.

    Args:
        estimate: maps a photo `[h, w, 3]` to its motion `[h, w, 2]` in pixels.
        photo: `[h, w, 3]` in [0, 1].
        refine: whether the estimate is the start of `refine_motion`. The refined motion is used
            where it explains the photo's spectra better.
    """
    height, width, _ = photo.shape
    ratio = min(1.0, (ESTIMATION_PIXELS / (height * width)) ** 0.5)
    small = (max(round(height * ratio), SMALLEST_SIDE), max(round(width * ratio), SMALLEST_SIDE))
    shrunk = jax.image.resize(photo, (*small, 3), "linear") if ratio < 1 else photo
    flow = estimate(shrunk)
    if refine and min(small) >= VIEWS[-1].window:
        refined, misfits = _refine(flow, shrunk)
        flow = jnp.where(misfits[1] < misfits[0], refined, flow)
    if ratio < 1:
        stretch = jnp.asarray([width / small[1], height / small[0]], flow.dtype)
        flow = jax.image.resize(flow, (height, width, 2), "linear") * stretch
    return BlurEstimate(LineBlur(flow))


_refine = jax.jit(refine_motion)
