"""The net that restores a photo in three scales without asking how it moved (Noroozi 2017).

Three sub-networks add what is missing to the photo g, shrunk to a quarter, to a half, and whole:

    quarter = N1(g) + shrink(g, 4)
    half    = N2(quarter) + shrink(g, 2)
    full    = N3(half) + g

so that each scale starts from the blurry photo itself and need only learn the difference.

Source: Noroozi, Chandramouli and Favaro, "Motion Deblurring in the Wild", GCPR 2017, table 1 and
equation 1. The paper names no padding and no way of shrinking; here every convolution is padded to
keep the frame, and shrinking takes the mean of blocks.
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
HALVING = (0, 4)  # those of them with a stride of 2
SMALL = nn.initializers.variance_scaling(0.02, "fan_in", "truncated_normal")  # a tenth of He's


class ScaleOutputs(NamedTuple):
    """Restored photos at three sizes, not clipped: `[b, h, w, 3]`, a half and a quarter of it.

    Sides that do not divide are rounded up.
    """

    full: jax.Array
    half: jax.Array
    quarter: jax.Array


class DeblurNet(nn.Module):
    """Restores blurry photos.

    Attributes:
        first_widths: channels of the six inner convolutions of the first sub-network.
        later_widths: channels of the inner convolutions of the second and of the third one.
        normalise: whether batch normalisation follows each inner convolution.
        axis_name: of the mapped axis of devices, over which the statistics of a training batch are
            averaged; None takes each device's own.
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
            blurry: photos `[b, h, w, 3]` in [0, 1], display light, of any size from 32 pixels a
                side.
            train: whether to normalise by this batch, and to update the running statistics, which
                needs `mutable=["batch_stats"]`; by those otherwise.
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
    """Returns `images` `[b, h, w, c]`, of sides that divide by `factor`, as means of blocks."""
    height, width = images.shape[1] // factor, images.shape[2] // factor
    return jax.vmap(lambda image: resize_area(image, height, width))(images)


class _Stage(nn.Module):
    """A sub-network: convolutions, each normalised and rectified, and a linear last layer."""

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
