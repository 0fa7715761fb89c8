"""DeblurGAN: a generator that restores photos, and the critic that it learns from.

The generator halves the photo twice, changes it in residual blocks, doubles it twice and adds the
photo itself. The critic gives a score to every patch of a photo: high where it takes it for a
sharp one. Both normalise each map by its own mean and deviation, and no photo sees another one of
its batch, as the gradient penalty of the critic requires.

Source: Kupyn et al., "DeblurGAN: Blind Motion Deblurring Using Conditional Adversarial Networks",
CVPR 2018, section 4; layers of Isola et al., "Image-to-Image Translation with Conditional
Adversarial Networks", CVPR 2017. Used by Carbajal et al., arXiv:2102.01026, section 4.1.4.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import check_images, conv, crop_like, doubling_conv, pad_to_multiple
from deblur_jax.typing import Images, typechecked


STRIDE = 4
DROPOUT = 0.5
INIT = nn.initializers.normal(0.02)


class Generator(nn.Module):
    """Restores blurry photos.

    Attributes:
        width: channels of the first maps; after two halvings there are four times as many.
        blocks: residual blocks.
    """

    width: int = 64
    blocks: int = 9

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images, *, train: bool = False) -> jax.Array:
        """Returns the restored photos, `[b, h, w, 3]` in [0, 1].

        Args:
            blurry: photos `[b, h, w, 3]` in [0, 1], display light, of any size from 32 pixels a
                side.
            train: whether values are dropped at random, which needs `rngs={"dropout": key}`.
        """
        check_images("Generator", blurry)
        shown = 2 * pad_to_multiple(blurry, STRIDE) - 1
        x = nn.relu(_normalised(_mirrored_conv(self.width, 7, "first")(shown)))
        for index, factor in enumerate((2, 4)):
            halve = conv(
                factor * self.width, 3, stride=2, kernel_init=INIT, name=f"down{index + 1}"
            )
            x = nn.relu(_normalised(halve(x)))
        for index in range(self.blocks):
            x = _ResidualBlock(train, name=f"block{index + 1}")(x)
        for index, factor in enumerate((2, 1)):
            double = doubling_conv(factor * self.width, 3, kernel_init=INIT, name=f"up{index + 1}")
            x = nn.relu(_normalised(double(x)))
        change = jnp.tanh(_mirrored_conv(3, 7, "last")(x))
        restored = jnp.clip(shown + change, -1, 1)
        return crop_like((restored + 1) / 2, blurry)

    def restored(self, restored: Images) -> jax.Array:
        """Returns what the network gives: it is the restored photo."""
        return jnp.asarray(restored)


class Critic(nn.Module):
    """Scores the patches of photos.

    Attributes:
        width: channels of the first maps.
    """

    width: int = 64

    @nn.compact
    @typechecked
    def __call__(self, photos: Images) -> jax.Array:
        """Returns a score for each patch, `[b, y, x, 1]`.

        Args:
            photos: `[b, h, w, 3]` in [0, 1].
        """
        check_images("Critic", photos)
        x = 2 * photos - 1
        for index, (factor, stride) in enumerate(((1, 2), (2, 2), (4, 2), (8, 1))):
            x = conv(factor * self.width, 4, stride=stride, kernel_init=INIT, name=f"conv{index}")(
                x
            )
            x = nn.leaky_relu(_normalised(x) if index else x, 0.2)
        return conv(1, 4, kernel_init=INIT, name="score")(x)


def _normalised(maps: jax.Array) -> jax.Array:
    """Returns each map of each photo less its mean, over its deviation."""
    centred = maps - jnp.mean(maps, axis=(1, 2), keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=(1, 2), keepdims=True) + 1e-5)


def _mirrored_conv(features: int, size: int, name: str):
    """Returns a convolution that sees the photo mirrored beyond its frame."""
    around = ((0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0))
    layer = nn.Conv(features, (size, size), padding="VALID", kernel_init=INIT, name=name)
    return lambda x: layer(jnp.pad(x, around, mode="reflect"))


class _ResidualBlock(nn.Module):
    train: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.relu(_normalised(_mirrored_conv(x.shape[-1], 3, "conv1")(x)))
        y = nn.Dropout(DROPOUT, deterministic=not self.train)(y)
        return x + _normalised(_mirrored_conv(x.shape[-1], 3, "conv2")(y))
