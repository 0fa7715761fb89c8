"""A net for the motion of a camera, which is a smooth function of the place in the photo.

Patches of the brightness become features at an eighth and then at a sixteenth of the photo's size.
Each block there looks at what is around a place and at the frame as a whole: the mean of the
features over the frame and how they grow to the right and downwards, weighted by how much each
place knows. What a block learns from the frame it can give back in the same form, as a plane over
the frame: a camera that zooms or turns moves every place by nearly such a plane. The motion comes
as a flow with its angle doubled (see `ops.flow`), which has no jump for the net to learn.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.ops.flow import halve_angle
from deblur_jax.typing import Flows, Images, typechecked


PATCH = 4  # pixels, side of what becomes the channels of one place
STRIDE = 16
CONTRAST_FLOOR = 0.01  # deviation of the brightness below which a photo counts as flat
SMALL = nn.initializers.variance_scaling(0.1, "fan_in", "normal")  # a block changes little at first


class CameraMotionNet(nn.Module):
    """Estimates the motion of every pixel, with doubled angles.

    Attributes:
        widths: channels at a quarter, an eighth and a sixteenth of the photo's size.
        blocks: residual blocks at an eighth and at a sixteenth.
        scale: pixels of motion for an output of one.
        unit: pixels from the middle of the frame that count as one in the planes.
    """

    widths: tuple[int, int, int] = (48, 96, 160)
    blocks: tuple[int, int] = (2, 5)
    scale: float = 8.0
    unit: float = 128.0

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
        x = x - jnp.mean(x, axis=(1, 2), keepdims=True)
        contrast = jnp.mean(jnp.square(x), axis=(1, 2), keepdims=True)
        x = _patches(x / jnp.sqrt(contrast + CONTRAST_FLOOR**2))

        quarter, eighth, sixteenth = self.widths
        x = nn.LayerNorm()(nn.gelu(_conv(quarter)(x)))
        x = nn.LayerNorm()(nn.gelu(_conv(eighth, stride=2)(x)))
        for _ in range(self.blocks[0]):
            x = x + _Block(eighth)(x, _planes(x, self.unit, stride=8))
        x = nn.LayerNorm()(nn.gelu(_conv(sixteenth, stride=2)(x)))
        planes = _planes(x, self.unit, stride=STRIDE)
        for _ in range(self.blocks[1]):
            x = x + _Block(sixteenth)(x, planes)
        x = nn.LayerNorm()(x)
        coarse = self.scale * nn.Dense(2, kernel_init=nn.initializers.zeros_init())(x)

        size = (blurry.shape[0], height - height % -STRIDE, width - width % -STRIDE, 2)
        return jax.image.resize(coarse, size, "cubic")[:, :height, :width]

    def flow(self, doubled: Flows) -> Flows:
        """Returns the canonical flow of the net's output, in pixels `[b, h, w, 2]`."""
        return jax.vmap(halve_angle)(doubled)


class _Block(nn.Module):
    """What is around each place, and what the frame says, seen as planes over it."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, planes: jax.Array) -> jax.Array:
        x = nn.LayerNorm()(x)
        gates, values = jnp.split(nn.Dense(2 * self.width)(x), 2, axis=-1)
        gates = nn.sigmoid(gates)
        # Moments of the values over the frame, in units of those that the planes alone have.
        sizes = jnp.mean(jnp.square(planes), axis=(0, 1))
        moments = jnp.einsum("bhwc,hwp->bpc", gates * values, planes) / planes[..., 0].size
        moments = moments / (jnp.mean(gates, axis=(1, 2))[:, None] * sizes[:, None] + 1e-3)
        moments = moments.reshape(x.shape[0], -1)
        answers = nn.Dense(3 * self.width)(moments).reshape(x.shape[0], 3, self.width)
        everywhere = jnp.einsum("bpc,hwp->bhwc", answers, planes)
        y = nn.gelu(_conv(self.width)(x) + everywhere)
        return nn.Dense(
            self.width, kernel_init=nn.initializers.variance_scaling(0.1, "fan_in", "normal")
        )(y)


def _planes(x: jax.Array, unit: float, *, stride: int) -> jax.Array:
    """Returns one, the place to the right of the middle, and the place below it, `[h, w, 3]`."""
    rows, columns = x.shape[1:3]
    down = (jnp.arange(rows, dtype=x.dtype) - (rows - 1) / 2) * (stride / unit)
    right = (jnp.arange(columns, dtype=x.dtype) - (columns - 1) / 2) * (stride / unit)
    right, down = jnp.meshgrid(right, down)
    return jnp.stack([jnp.ones_like(right), right, down], axis=-1)


def _patches(x: jax.Array) -> jax.Array:
    """Returns `[b, h/4, w/4, 16]` of `[b, h, w, 1]`."""
    count, rows, columns, _ = x.shape
    x = x.reshape(count, rows // PATCH, PATCH, columns // PATCH, PATCH)
    return x.transpose(0, 1, 3, 2, 4).reshape(count, rows // PATCH, columns // PATCH, PATCH**2)


def _conv(features: int, *, stride: int = 1) -> nn.Conv:
    # Explicit padding: SAME would look half a stride aside.
    return nn.Conv(
        features,
        (3, 3),
        strides=stride,
        padding=((1, 1), (1, 1)),
        kernel_init=nn.initializers.he_normal(),
    )
