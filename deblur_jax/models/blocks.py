"""Layers that the papers' networks share, with their alignment spelled out.

The papers' frameworks pad a convolution by the same amount on both sides; flax's "SAME" does not
once there is a stride, and then samples other pixels.

    conv            output i sees the window whose middle is input s i, for a stride of s
    doubling_conv   n rows become 2 n: the adjoint of `conv` with that size and a stride of 2
    max_pool        windows side by side; an odd last row is kept (Caffe) or dropped (PyTorch)
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.typing import Array


SMALLEST_SIDE = 32  # pixels, of every network's input
REMAINDERS = ("keep", "drop")

Initializer = Callable[..., jax.Array]

HE = nn.initializers.he_normal()


def edge_filters(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """Draws filters `[y, x, c, features]` that are blind to brightness, four times HE's size.

    For first layers that are to look at blur: what tells blurs apart are edges, and a net whose
    first filters see little but brightness takes long to find them.
    """
    filters = 4 * HE(key, shape, dtype)
    return filters - jnp.mean(filters, axis=(0, 1), keepdims=True)


def conv(
    features: int,
    size: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    use_bias: bool = True,
    kernel_init: Initializer = HE,
    name: str | None = None,
) -> nn.Conv:
    """Returns a convolution padded with zeros by the same amount on all sides.

    With an odd size and no stride the frame is kept; a stride s makes `ceil(n / s)` rows of n.

    Args:
        features: channels of the output.
        size: taps along each axis.
        stride: input pixels between outputs.
        dilation: input pixels between taps.
        use_bias: whether a learned constant is added.
        kernel_init: of the taps.
        name: of the layer among the parameters.
    """
    around = dilation * (size - 1) // 2
    return nn.Conv(
        features,
        (size, size),
        strides=stride,
        padding=((around, around), (around, around)),
        kernel_dilation=dilation,
        use_bias=use_bias,
        kernel_init=kernel_init,
        name=name,
    )


def doubling_conv(
    features: int,
    size: int,
    *,
    use_bias: bool = True,
    kernel_init: Initializer = HE,
    name: str | None = None,
) -> nn.ConvTranspose:
    """Returns a transposed convolution with a stride of 2 that makes 2 n rows of n.

    The taps of input i lie around output `2 i + 1/2` if `size` is even, so that pixel centres keep
    their places in the frame, and around `2 i` if it is odd. These are PyTorch's paddings 0, 1 and
    2 for sizes 2, 4 and 6, and `padding=2, output_padding=1` for 5.

    Args:
        features: channels of the output.
        size: taps along each axis, at least 2.
        use_bias: whether a learned constant is added.
        kernel_init: of the taps.
        name: of the layer among the parameters.
    """
    around = (size // 2, size - size // 2)
    return nn.ConvTranspose(
        features,
        (size, size),
        strides=(2, 2),
        padding=(around, around),
        use_bias=use_bias,
        kernel_init=kernel_init,
        name=name,
    )


def max_pool(maps: jax.Array, *, size: int = 2, remainder: str = "drop") -> jax.Array:
    """Takes the largest value of every window of `size` by `size` pixels.

    Args:
        maps: `[b, h, w, c]`.
        size: side of the windows, which lie side by side from the top left.
        remainder: what happens to rows and columns that do not fill a window: "keep" takes the
            largest of those that are there, as Caffe does; "drop" leaves them out, as PyTorch
            does.
    """
    if remainder not in REMAINDERS:
        raise ValueError(
            f"max_pool: remainder must be one of {sorted(REMAINDERS)}, got {remainder!r}"
        )
    padding = "SAME" if remainder == "keep" else "VALID"
    return nn.max_pool(maps, (size, size), (size, size), padding=padding)


def pad_to_multiple(images: Array, multiple: int, *, mode: str = "edge") -> jax.Array:
    """Adds rows below and columns to the right of `[b, h, w, c]` until both divide by `multiple`.

    Args:
        images: `[b, h, w, c]`.
        multiple: the largest stride of a network.
        mode: of `jnp.pad`: "edge" repeats the last pixels, "constant" makes zeros.
    """
    height, width = images.shape[1:3]
    fill = ((0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0))
    return jnp.pad(images, fill, mode=mode)


def crop_like(maps: Any, images: Array) -> Any:
    """Cuts every array `[b, h, w, c]` of a tree to the rows and columns of `images`."""
    height, width = images.shape[1:3]
    return jax.tree.map(lambda x: x[:, :height, :width], maps)


def check_images(network: str, images: Array, *, channels: int | Sequence[int] = 3) -> None:
    """Raises a ValueError unless `images` `[b, h, w, c]` are what `network` takes.

    Their values are not looked at, nor clipped; `restore.check_photo` does the former.

    Args:
        network: its name, for the message.
        images: what it was given.
        channels: how many there must be, or the numbers there may be.
    """
    allowed = (channels,) if isinstance(channels, int) else tuple(channels)
    height, width, given = images.shape[1:]
    if given not in allowed:
        expected = " or ".join(str(number) for number in allowed)
        raise ValueError(
            f"{network}: images must have {expected} colour channels, got {given}; "
            "repeat a grey channel three times, drop alpha"
        )
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"{network}: images must have at least {SMALLEST_SIDE} pixels a side, "
            f"got {width}x{height}"
        )
