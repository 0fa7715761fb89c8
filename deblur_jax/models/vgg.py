"""The first layers of VGG19, for perceptual losses.

The weights, trained on ImageNet, are not part of the package: `tools/convert_weights.py` converts
torchvision's file.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015, table 1, column E.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import check_images, conv, max_pool
from deblur_jax.typing import Images, typechecked


MEAN = (0.485, 0.456, 0.406)  # of ImageNet (red, green, blue), as torchvision's weights expect
DEVIATION = (0.229, 0.224, 0.225)
GROUPS = (2, 2, 3)  # convolutions between poolings, up to the returned layer


class VggFeatures(nn.Module):
    """Features of the third convolution of the third group, before the ReLU.

    Attributes:
        width: channels of the first group, 64 in the paper; each further group doubles them.
    """

    width: int = 64

    @nn.compact
    @typechecked
    def __call__(self, photos: Images) -> jax.Array:
        """Returns the features at a quarter of the size, `[b, h / 4, w / 4, 4 * width]`.

        Args:
            photos: `[b, h, w, 3]`, display values in [0, 1].
        """
        check_images("VggFeatures", photos)
        mean, deviation = jnp.asarray([MEAN, DEVIATION], photos.dtype)
        x = (photos - mean) / deviation
        for group, count in enumerate(GROUPS):
            x = max_pool(x) if group else x
            for index in range(count):
                x = nn.relu(x) if group or index else x
                features = self.width * 2**group
                x = conv(features, 3, name=f"conv{group + 1}_{index + 1}")(x)
        return x
