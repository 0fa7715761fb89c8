"""A small network that estimates the flow of a camera's motion with global context.

Three strided convolutions extract features from the grey photo. Since the motion of a camera varies
slowly, residual blocks at an eighth of the size combine local features with their global average,
and the estimates of neighbouring places are averaged with predicted confidence weights, which are
small where the photo has no texture. The output is a flow with its angle doubled (see `ops.flow`),
which is continuous where a flow and its opposite are the same blur, upsampled to the photo's size.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import conv, pad_to_multiple
from deblur_jax.models.blur_estimate import BlurEstimate, apply, estimate_motion
from deblur_jax.ops.flow import halve_angle
from deblur_jax.typing import Flows, Images, typechecked


STRIDE = 8
CONTRAST_FLOOR = 0.01  # standard deviation of the brightness below which a photo counts as flat


class MotionContextNet(nn.Module):
    """Estimates the motion of every pixel, with doubled angles.

    Attributes:
        widths: channels of the three strided convolutions.
        blocks: number of residual blocks at stride 8.
        scale: pixels of motion for an output of one.
        reach: standard deviation of the Gaussian that averages estimates, in units of the stride.
    """

    widths: Sequence[int] = (32, 64, 96)
    blocks: int = 2
    scale: float = 4.0
    reach: float = 2.5

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images) -> Flows:
        """Returns the flow with doubled angles, `[b, h, w, 2]` in pixels.

        Args:
            blurry: photos `[b, h, w, c]`, display values in [0, 1], of any size and channels.
        """
        height, width = blurry.shape[1:3]
        padded = pad_to_multiple(jnp.mean(blurry, axis=-1, keepdims=True), STRIDE)

        x = even_contrast(padded)
        for features, size in zip(self.widths, (9, 3, 3), strict=True):
            x = nn.LayerNorm()(nn.gelu(conv(features, size, stride=2)(x)))
        for _ in range(self.blocks):
            everywhere = nn.Dense(self.widths[-1])(jnp.mean(x, axis=(1, 2), keepdims=True))
            y = nn.LayerNorm()(nn.gelu(conv(self.widths[-1], 3)(x) + everywhere))
            x = x + nn.Dense(self.widths[-1])(y)
        local = nn.Dense(3, kernel_init=nn.initializers.zeros_init())(x)
        coarse = self.scale * _weighted_mean(local[..., :2], local[..., 2:], self.reach)

        return jax.image.resize(coarse, (*padded.shape[:3], 2), "linear")[:, :height, :width]

    def flow(self, doubled: Flows) -> Flows:
        """Returns the canonical flow of the network's output, in pixels `[b, h, w, 2]`."""
        return jax.vmap(halve_angle)(doubled)

    @nn.nowrap
    def estimate_blur(self, variables: Any, photo: jax.Array) -> BlurEstimate:
        """Returns the estimated motion of a photo `[h, w, 3]` as a `LineBlur`."""
        return estimate_motion(lambda x: self.flow(apply(self, variables, x))[0], photo)


def even_contrast(photos: jax.Array) -> jax.Array:
    """Normalises photos `[b, h, w, ...]` to mean 0 and deviation 1; flat photos stay below 1."""
    photos = photos - jnp.mean(photos, axis=(1, 2), keepdims=True)
    contrast = jnp.mean(jnp.square(photos), axis=(1, 2), keepdims=True)
    return photos / jnp.sqrt(contrast + CONTRAST_FLOOR**2)


def _weighted_mean(values: jax.Array, logits: jax.Array, reach: float) -> jax.Array:
    """Averages `values` with a Gaussian window times the weights `exp(logits)`, `[b h w c]`."""
    weights = jnp.exp(logits - jnp.max(logits, axis=(1, 2, 3), keepdims=True))

    def window(size: int) -> jax.Array:
        offsets = jnp.arange(size)[:, None] - jnp.arange(size)
        return jnp.exp(-jnp.square(offsets / reach) / 2)

    def blur(x: jax.Array) -> jax.Array:
        return jnp.einsum("yh,xw,bhwc->byxc", window(x.shape[1]), window(x.shape[2]), x)

    # The constant keeps the mean finite where all weights underflow.
    return blur(weights * values) / (blur(weights) + jnp.finfo(values.dtype).tiny)
