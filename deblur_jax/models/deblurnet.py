"""A network that restores a photo at three scales, without estimating motion (Noroozi 2017).

Three sub-networks each predict a residual of the photo g, at a quarter, half and full resolution:

    quarter = N1(g) + shrink(g, 4)
    half    = N2(quarter) + shrink(g, 2)
    full    = N3(half) + g

Source: Noroozi, Chandramouli and Favaro, "Motion Deblurring in the Wild", GCPR 2017, table 1 and
equation 1. The paper states neither the padding nor the downsampling; here every convolution is
padded to keep the frame, and `shrink` averages blocks.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
from flax import linen as nn

from deblur_jax.models.blocks import (
    HE,
    check_images,
    conv,
    crop_like,
    doubling_conv,
    pad_to_multiple,
)
from deblur_jax.ops.resample import resize_area
from deblur_jax.typing import Images, typechecked


STRIDE = 4
FIRST_SIZES = (11, 7, 7, 7, 3, 3)  # taps a side of the first sub-network's convolutions
HALVING = (0, 4)  # indices of those with a stride of 2
SMALL = nn.initializers.variance_scaling(0.02, "fan_in", "truncated_normal")  # 1/10 of He's scale


class ScaleOutputs(NamedTuple):
    """Restored photos `[b, h, w, 3]` at full, half and quarter resolution, not clipped.

    Fractional sides are rounded up.
    """

    full: jax.Array
    half: jax.Array
    quarter: jax.Array


class DeblurNet(nn.Module):
    """Restores blurry photos.

    Attributes:
        first_widths: channels of the six inner convolutions of the first sub-network.
        later_widths: channels of the inner convolutions of the second and the third sub-network.
        normalise: whether batch normalisation follows each inner convolution.
        axis_name: mapped axis of devices over which batch statistics are averaged; None keeps them
            local to each device.
    """

    first_widths: Sequence[int] = (96, 256, 384, 384, 256, 256)
    later_widths: Sequence[int] = (256, 256, 256, 256)
    normalise: bool = True
    axis_name: str | None = None

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images, *, train: bool = False) -> ScaleOutputs:
        """Returns the restored photos.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.
            train: whether to normalise by the statistics of this batch and to update the running
                ones, which needs `mutable=["batch_stats"]`; otherwise the running ones are used.
        """
        check_images("DeblurNet", blurry)
        padded = pad_to_multiple(blurry, STRIDE)
        stage = functools.partial(
            _Stage,
            train=train,
            normalise=self.normalise,
            axis_name=self.axis_name,
        )
        first = stage(self.first_widths, FIRST_SIZES, HALVING, doubles=False, name="first")
        later = functools.partial(stage, self.later_widths, (5,) * len(self.later_widths), ())
        small, smaller = shrink(padded, 2), shrink(padded, 4)

        quarter = first(padded) + smaller
        half = later(doubles=True, name="second")(quarter) + small
        full = later(doubles=True, name="third")(half) + padded
        return ScaleOutputs(
            crop_like(full, blurry),
            crop_like(half, small[:, : -(-blurry.shape[1] // 2), : -(-blurry.shape[2] // 2)]),
            crop_like(quarter, smaller),
        )

    def restored(self, estimate: ScaleOutputs) -> jax.Array:
        """Returns the restored photos at full size, `[b, h, w, 3]`."""
        return estimate.full


def shrink(images: jax.Array, factor: int) -> jax.Array:
    """Downsamples `images` `[b, h, w, c]` by block means; `factor` divides both sides."""
    height, width = images.shape[1] // factor, images.shape[2] // factor
    return jax.vmap(lambda image: resize_area(image, height, width))(images)


class _Stage(nn.Module):
    """A sub-network: convolutions with batch normalisation and ReLU, and a linear last layer."""

    widths: Sequence[int]
    sizes: Sequence[int]
    halving: Sequence[int]
    doubles: bool
    train: bool
    normalise: bool
    axis_name: str | None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index, (features, size) in enumerate(zip(self.widths, self.sizes, strict=True)):
            stride = 2 if index in self.halving else 1
            x = conv(features, size, stride=stride, kernel_init=HE, name=f"conv{index + 1}")(x)
            if self.normalise:
                x = nn.BatchNorm(
                    use_running_average=not self.train,
                    momentum=0.99,
                    epsilon=1e-5,
                    axis_name=self.axis_name,
                    name=f"norm{index + 1}",
                )(x)
            x = nn.relu(x)
        if self.doubles:
            return doubling_conv(3, 5, kernel_init=SMALL, name="last")(x)
        return conv(3, 3, kernel_init=SMALL, name="last")(x)
