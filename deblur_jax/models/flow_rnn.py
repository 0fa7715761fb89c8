"""A network that deblurs a frame by spatial RNNs guided by the flow to the next (Zhang 2021).

A narrow FlowNetS estimates the flow between two blurry frames at five scales. At the three finest
scales it also predicts weights between -1 and 1. A U-Net deblurs the first frame: after each linear
strided convolution a recurrence with those weights runs through the features in four directions
(see `ops.spatial_rnn`), which gives the network a large receptive field. A decoder outputs the
sharp frame.

Source: Zhang et al., "Deep Dynamic Scene Deblurring from Optical Flow", IEEE TCSVT 2021, Table I.
The network has no global residual connection; the photo is only concatenated before the last layer.
Here that layer is initialised to copy the photo, which saves the training steps for learning this.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import (
    check_images,
    conv,
    crop_like,
    doubling_conv,
    max_pool,
    pad_to_multiple,
)
from deblur_jax.ops.resample import resize_bilinear
from deblur_jax.ops.spatial_rnn import spatial_rnn
from deblur_jax.typing import Array, Images, typechecked


STRIDE = 64  # of the coarsest features
SLOPE = 0.1  # of the leaky rectifiers
RECURRENCES = ("encoder", "decoder", "concatenated", "none")

RestoredAndFlows = tuple[jax.Array, tuple[jax.Array, ...]]


class FlowRnnNet(nn.Module):
    """Deblurs the first of two consecutive frames.

    The ablations of Table IV are `recurrence="none"` ("w/o RNNs", without a flow network),
    `recurrence="concatenated"`, `recurrence="decoder"`, `frames=1` ("w/o flow") and `frames=3`
    ("bidirection flows"). "W/o flow losses" is set in the loss.

    Attributes:
        width: channels of the first layer of both sub-networks; the paper uses 24.
        frames: number of input frames of the flow network: 1, 2 (this one and the next) or 3 (also
            the previous one).
        recurrence: where the recurrences are: `encoder`, `decoder`, `none`, or `concatenated`,
            which concatenates the weights with the encoder's features instead.
    """

    width: int = 24
    frames: int = 2
    recurrence: str = "encoder"

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images, *neighbours: jax.Array) -> RestoredAndFlows:
        """Returns the deblurred frames and the flows to their neighbours.

        Args:
            blurry: frames `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.
            *neighbours: the next frames, and for `frames=3` also the previous ones.

        Returns:
            The sharp frames, `[b, h, w, 3]`, not clipped; and the flows at 1/4, 1/8, ... 1/64 of
            the size rounded up to a multiple of 64, `[b, H / s, W / s, 2 (frames - 1)]`, in pixels
            of their own scale. There are none for `frames=1` and `recurrence="none"`.
        """
        if self.recurrence not in RECURRENCES:
            raise ValueError(
                f"model.recurrence must be one of {sorted(RECURRENCES)}, got {self.recurrence!r}"
            )
        check_frames("FlowRnnNet", blurry, neighbours, self.frames)
        # Zero padding below and on the right, as in the released code.
        images = [pad_to_multiple(x, STRIDE, mode="constant") for x in (blurry, *neighbours)]
        weights, flows = [], ()
        if self.recurrence != "none":
            flow_net = FlowNet(self.width, 2 * (self.frames - 1), name="flow")
            weights, flows = flow_net(jnp.concatenate(images, axis=-1))
        deblur = RecurrentDeblurNet(self.width, self.recurrence, name="deblur")
        return crop_like(deblur(images[0], weights), blurry), flows

    def restored(self, estimate: RestoredAndFlows) -> jax.Array:
        """Returns the deblurred photos, `[b, h, w, 3]`."""
        return estimate[0]


def check_frames(
    network: str, blurry: Array, neighbours: tuple[jax.Array, ...], frames: int
) -> None:
    """Raises a ValueError unless there are `frames` frames of one size and dtype."""
    if frames not in (1, 2, 3):
        raise ValueError(f"model.frames must be 1, 2 or 3, got {frames}")
    check_images(network, blurry)
    if len(neighbours) != frames - 1:
        raise ValueError(
            f"{network}: expected {frames} frames (this one, the next, the previous), "
            f"got {1 + len(neighbours)}"
        )
    for neighbour in neighbours:
        if neighbour.shape != blurry.shape or neighbour.dtype != blurry.dtype:
            raise ValueError(
                f"{network}: frames must have one shape and dtype, got "
                f"{blurry.dtype}{list(blurry.shape)} and {neighbour.dtype}{list(neighbour.shape)}"
            )


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, SLOPE)


def _copy_photo(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """Draws taps that copy the first channels, the photo, and nearly ignore the others."""
    small = nn.initializers.variance_scaling(1e-4, "fan_in", "truncated_normal")
    middle, channels = shape[0] // 2, jnp.arange(shape[-1])
    return small(key, shape, dtype).at[middle, middle, channels, channels].add(1)


class FlowNet(nn.Module):
    """FlowNetS with fewer channels and additional heads for the weights of the recurrences."""

    width: int
    flow_channels: int

    @nn.compact
    def __call__(self, frames: jax.Array) -> tuple[list[jax.Array], tuple[jax.Array, ...]]:
        """Returns the weights at 1/2, 1/4 and 1/8, and the flows from 1/4 to 1/64.

        Args:
            frames: `[b, h, w, 3 n]`.
        """
        width, levels, x = self.width, [], frames
        for level, (factor, size) in enumerate(((1, 7), (2, 5), (4, 5), (8, 3), (8, 3), (16, 3))):
            x = _leaky(conv(width * factor, size, stride=2, name=f"conv{level + 1}")(x))
            if level >= 2:
                x = _leaky(conv(width * factor, 3, name=f"conv{level + 1}_again")(x))
            levels.append(x)
        maps, flows = [x], []
        for level in range(4, -1, -1):
            new = doubling_conv(width * 2**level // 2, 4, name=f"deconv{level + 1}")(maps[0])
            joined = [levels[level], _leaky(new)]
            if self.flow_channels:
                flow = conv(self.flow_channels, 3, name=f"flow{level + 2}")(maps[0])
                joined.append(doubling_conv(self.flow_channels, 4, name=f"up{level + 2}")(flow))
                flows.insert(0, flow)
            maps.insert(0, jnp.concatenate(joined, axis=-1))
        # Small initial weights: each recurrence starts as four copies of its features.
        init = nn.initializers.xavier_uniform()
        weights = [
            jnp.tanh(
                conv(4 * width * 2**level, 3, kernel_init=init, name=f"weights{level + 1}")(
                    maps[level]
                )
            )
            for level in range(3)
        ]
        return weights, tuple(flows)


class RecurrentDeblurNet(nn.Module):
    """The deblurring U-Net; its encoder is linear, since recurrences need dense features."""

    width: int
    recurrence: str

    @nn.compact
    def __call__(self, blurry: jax.Array, weights: list[jax.Array]) -> jax.Array:
        """Returns the sharp images.

        Args:
            blurry: `[b, h, w, 3]`, sides a multiple of eight.
            weights: weights of the recurrences at 1/2, 1/4 and 1/8.
        """
        width = self.width
        run = jax.vmap(spatial_rnn)
        after = {
            "encoder": run,
            "concatenated": lambda x, w: jnp.concatenate([x, w], axis=-1),
        }.get(self.recurrence)
        x, skips = blurry, []
        for level in range(3):
            init = nn.initializers.xavier_uniform()
            layer = conv(width * 2**level, 5, stride=2, kernel_init=init, name=f"conv{level + 1}")
            x = layer(x)
            x = after(x, weights[level]) if after else x
            skips.append(x)
        in_decoder = self.recurrence == "decoder"
        x = _leaky(conv(4 * width, 5, name="conv_deep1")(x))
        x = run(x, weights[2]) if in_decoder else x
        x = _leaky(conv(2 * width, 5, name="conv_deep2")(x))
        for level in (2, 1, 0):
            features = width * 2**level // 2
            x = jnp.concatenate([skips[level], x], axis=-1)
            x = _leaky(doubling_conv(features, 4, name=f"deconv{level + 1}")(x))
            x = _leaky(conv(features, 5, name=f"deconv{level + 1}_smooth")(x))
            x = run(x, weights[level - 1]) if in_decoder and level else x
        x = jnp.concatenate([blurry, x], axis=-1)
        return conv(3, 5, kernel_init=_copy_photo, name="image")(x)


class SpatialRnnNet(nn.Module):
    """The predecessor, which deblurs a single photo by four recurrences in series at half size.

    Attributes:
        width: channels of the recurrences, 32 in the paper; all other layers scale with it.

    Source: Zhang et al., "Dynamic Scene Deblurring Using Spatially Variant Recurrent Neural
    Networks", CVPR 2018.
    """

    width: int = 32

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images) -> RestoredAndFlows:
        """Returns the deblurred photos, and no flows.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.
        """
        check_images("SpatialRnnNet", blurry)
        images = pad_to_multiple(blurry, 16, mode="constant")
        width = self.width
        weights = jnp.split(WeightNet(width, name="weights")(images), 4, axis=-1)
        large = _leaky(conv(width // 2, 11, name="conv1")(images))
        half = conv(width, 7, stride=2, name="conv2")(large)
        x = half
        for stage, direction_weights in enumerate(weights):
            x = jax.vmap(spatial_rnn)(x, direction_weights)
            x = _leaky(conv(width, 3, name=f"mix{stage + 1}")(x))
        x = jnp.concatenate([x, half], axis=-1)
        x = double(_leaky(conv(width // 2, 9, name="conv3")(x)))
        x = conv(3, 5, name="image")(jnp.concatenate([x, large], axis=-1))
        return crop_like(x, blurry), ()

    def restored(self, estimate: RestoredAndFlows) -> jax.Array:
        """Returns the deblurred photos, `[b, h, w, 3]`."""
        return estimate[0]


class WeightNet(nn.Module):
    """The predecessor's VGG-like network, which predicts the recurrences' weights at half size."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns weights between -1 and 1, `[b, h / 2, w / 2, 16 width]`."""
        width, skips = self.width, []

        def convolve(x: jax.Array, *factors: int) -> jax.Array:
            for factor in factors:
                x = nn.relu(conv(factor * width, 3)(x))
            return x

        x = max_pool(convolve(x, 2, 2))
        skips.append(convolve(x, 4, 4))
        x = convolve(max_pool(skips[0]), 8, 8)
        skips.append(x)
        x = convolve(max_pool(convolve(x, 8)), 16, 16, 8)
        x = convolve(jnp.concatenate([double(x), skips[1]], axis=-1), 4, 4)
        x = convolve(jnp.concatenate([double(x), skips[0]], axis=-1), 8)
        return jnp.tanh(conv(16 * width, 3, kernel_init=nn.initializers.xavier_uniform())(x))


def double(maps: jax.Array) -> jax.Array:
    """Upsamples `[b, h, w, c]` by two, bilinearly between pixel centres."""
    enlarge = partial(resize_bilinear, height=2 * maps.shape[1], width=2 * maps.shape[2])
    return jax.vmap(enlarge)(maps)
