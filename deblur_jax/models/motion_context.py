"""A small net that reads a camera's motion flow with the whole frame as context.

Three strided convolutions look at the brightness of the photo; residual blocks at an eighth of its
size mix what they see around each place with its mean over the frame, since the motion of a camera
varies slowly. Neighbours agree on a motion by a mean in which each place has the weight that the
net gives it: a flat wall knows little. The motion comes as a flow with its angle doubled (see
`ops.flow`), which has no jump for the net to learn, and is enlarged smoothly to the photo's size.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.ops.flow import halve_angle
from deblur_jax.typing import Flows, Images, typechecked


STRIDE = 8
CONTRAST_FLOOR = 0.01  # deviation of the brightness below which a photo counts as flat


class MotionContextNet(nn.Module):
    """Estimates the motion of every pixel, with doubled angles.

    Attributes:
        widths: channels of the three strided convolutions.
        blocks: residual blocks at stride 8.
        scale: pixels of motion for an output of one.
        reach: standard deviation, in places of stride 8, of the neighbourhood that agrees on a
            motion.
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
            blurry: photos `[b, h, w, c]` in [0, 1], display light, of any size and any channels.
        """
        height, width = blurry.shape[1:3]
        x = jnp.mean(blurry, axis=-1, keepdims=True)
        fill = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
        x = jnp.pad(x, fill, mode="edge")
        x = even_contrast(x)

        for features, size in zip(self.widths, (9, 3, 3), strict=True):
            x = nn.LayerNorm()(nn.gelu(_conv(features, size, stride=2)(x)))
        for _ in range(self.blocks):
            everywhere = nn.Dense(self.widths[-1])(jnp.mean(x, axis=(1, 2), keepdims=True))
            y = nn.LayerNorm()(nn.gelu(_conv(self.widths[-1], 3)(x) + everywhere))
            x = x + nn.Dense(self.widths[-1])(y)
        opinions = nn.Dense(3, kernel_init=nn.initializers.zeros_init())(x)
        coarse = self.scale * _weighted_mean(opinions[..., :2], opinions[..., 2:], self.reach)

        size = (blurry.shape[0], height - height % -STRIDE, width - width % -STRIDE, 2)
        return jax.image.resize(coarse, size, "linear")[:, :height, :width]

    def flow(self, doubled: Flows) -> Flows:
        """Returns the canonical flow of the net's output, in pixels `[b, h, w, 2]`."""
        return jax.vmap(halve_angle)(doubled)


def even_contrast(photos: jax.Array) -> jax.Array:
    """Returns photos `[b, h, w, ...]` with mean 0 and deviation 1, less where they are flat."""
    photos = photos - jnp.mean(photos, axis=(1, 2), keepdims=True)
    contrast = jnp.mean(jnp.square(photos), axis=(1, 2), keepdims=True)
    return photos / jnp.sqrt(contrast + CONTRAST_FLOOR**2)


def _weighted_mean(values: jax.Array, logits: jax.Array, reach: float) -> jax.Array:
    """Averages `values` around each place by a Gaussian times `exp(logits)`, both `[b h w c]`."""
    weights = jnp.exp(logits - jnp.max(logits, axis=(1, 2, 3), keepdims=True))

    def window(size: int) -> jax.Array:
        offsets = jnp.arange(size)[:, None] - jnp.arange(size)
        return jnp.exp(-jnp.square(offsets / reach) / 2)

    def blur(x: jax.Array) -> jax.Array:
        return jnp.einsum("yh,xw,bhwc->byxc", window(x.shape[1]), window(x.shape[2]), x)

    # Far from every place with weight the mean stays finite.
    return blur(weights * values) / (blur(weights) + jnp.finfo(values.dtype).tiny)


def _conv(features: int, size: int, *, stride: int = 1) -> nn.Conv:
    # Explicit padding: SAME would look half a stride aside.
    around = (size // 2, size // 2)
    return nn.Conv(
        features,
        (size, size),
        strides=stride,
        padding=(around, around),
        kernel_init=nn.initializers.he_normal(),
    )
