"""DeblurGAN: a generator that restores photos, and the critic that it is trained against.

The generator downsamples the photo twice, applies residual blocks, upsamples twice and adds the
input photo. The critic scores every patch of a photo; sharp patches should score high. Both use
instance normalisation: statistics never mix the photos of a batch, which the critic's gradient
penalty requires.

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
        width: channels of the first layer; the residual blocks have four times as many.
        blocks: number of residual blocks.
    """

    width: int = 64
    blocks: int = 9

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images, *, train: bool = False) -> jax.Array:
        """Returns the restored photos, `[b, h, w, 3]` in [0, 1].

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.
            train: whether to apply dropout, which needs `rngs={"dropout": key}`.
        """
        check_images("Generator", blurry)
        scaled = 2 * pad_to_multiple(blurry, STRIDE) - 1
        x = nn.relu(_instance_norm(_reflect_conv(self.width, 7, "first")(scaled)))
        for index, factor in enumerate((2, 4)):
            halve = conv(
                factor * self.width, 3, stride=2, kernel_init=INIT, name=f"down{index + 1}"
            )
            x = nn.relu(_instance_norm(halve(x)))
        for index in range(self.blocks):
            x = _ResidualBlock(train, name=f"block{index + 1}")(x)
        for index, factor in enumerate((2, 1)):
            double = doubling_conv(factor * self.width, 3, kernel_init=INIT, name=f"up{index + 1}")
            x = nn.relu(_instance_norm(double(x)))
        change = jnp.tanh(_reflect_conv(3, 7, "last")(x))
        restored = jnp.clip(scaled + change, -1, 1)
        return crop_like((restored + 1) / 2, blurry)

    def restored(self, restored: Images) -> jax.Array:
        """Returns the network's output unchanged: it is the restored photo."""
        return jnp.asarray(restored)


class Critic(nn.Module):
    """Scores the patches of photos.

    Attributes:
        width: channels of the first layer.
    """

    width: int = 64

    @nn.compact
    @typechecked
    def __call__(self, photos: Images) -> jax.Array:
        """Returns a score for each patch, `[b, y, x, 1]`.

        Args:
            photos: `[b, h, w, 3]`, display values in [0, 1].
        """
        check_images("Critic", photos)
        x = 2 * photos - 1
        for index, (factor, stride) in enumerate(((1, 2), (2, 2), (4, 2), (8, 1))):
            x = conv(factor * self.width, 4, stride=stride, kernel_init=INIT, name=f"conv{index}")(
                x
            )
            x = nn.leaky_relu(_instance_norm(x) if index else x, 0.2)
        return conv(1, 4, kernel_init=INIT, name="score")(x)


def _instance_norm(maps: jax.Array) -> jax.Array:
    """Normalises each channel of each photo to mean 0 and variance 1."""
    centred = maps - jnp.mean(maps, axis=(1, 2), keepdims=True)
    return centred * jax.lax.rsqrt(jnp.mean(centred**2, axis=(1, 2), keepdims=True) + 1e-5)


def _reflect_conv(features: int, size: int, name: str):
    """Returns a convolution with reflection padding."""
    around = ((0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0))
    layer = nn.Conv(features, (size, size), padding="VALID", kernel_init=INIT, name=name)
    return lambda x: layer(jnp.pad(x, around, mode="reflect"))


class _ResidualBlock(nn.Module):
    train: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.relu(_instance_norm(_reflect_conv(x.shape[-1], 3, "conv1")(x)))
        y = nn.Dropout(DROPOUT, deterministic=not self.train)(y)
        return x + _instance_norm(_reflect_conv(x.shape[-1], 3, "conv2")(y))
