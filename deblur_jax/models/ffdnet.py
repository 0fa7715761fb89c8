"""FFDNet, a plain convolutional denoiser with published weights.

The photo is folded into channels at half the size, a map of the noise level is appended, and
convolutions with ReLU predict the denoised photo, which is unfolded again. The fields' defaults are
those of the published network for colour photos; the one for grey photos has `width=64`, `depth=15`
and `channels=1`. `tools/convert_weights.py` converts the published weights.

Source: Zhang, Zuo and Zhang, "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image
Denoising", TIP 2018, section III.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import conv, crop_like, pad_to_multiple
from deblur_jax.models.denoiser import check_noisy, fold, unfold
from deblur_jax.typing import Array, Images, typechecked


class FfdNet(nn.Module):
    """Removes noise of known standard deviation.

    Attributes:
        width: channels of the hidden layers.
        depth: number of convolutions, at least 2.
        channels: 3 for colour photos, 1 for grey ones.
    """

    width: int = 96
    depth: int = 12
    channels: int = 3

    @nn.compact
    @typechecked
    def __call__(self, noisy: Images, sigma: float | Array = 0.0) -> jax.Array:
        """Returns the denoised photos, `[b, h, w, c]`, not clipped.

        Args:
            noisy: `[b, h, w, c]` of any height and width; c is the network's `channels`.
            sigma: standard deviation of the noise in image values, a scalar `[]`, one a photo
                `[b]`, or one a pixel `[b, h, w]`, which is averaged over squares of 2x2 pixels.

        Raises:
            ValueError: if `noisy` has the wrong number of channels or `sigma` the wrong shape.
        """
        photos, noise_level = check_noisy("FfdNet", noisy, sigma, channels=self.channels)
        noise_level = fold(pad_to_multiple(noise_level, 2), 2)
        noise_level = jnp.mean(noise_level, axis=-1, keepdims=True)
        x = jnp.concatenate([fold(pad_to_multiple(photos, 2), 2), noise_level], axis=-1)
        for index in range(self.depth - 1):
            x = nn.relu(conv(self.width, 3, name=f"conv{index + 1}")(x))
        x = conv(4 * self.channels, 3, name=f"conv{self.depth}")(x)
        return crop_like(unfold(x, 2), photos)
