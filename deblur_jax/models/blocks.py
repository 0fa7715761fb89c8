"""Layers shared by the papers' networks, with explicit padding and alignment.

The papers' frameworks pad a convolution by the same amount on both sides. Flax's "SAME" does not
when the stride exceeds one, and then samples different pixels.

    conv            for a stride of s, the window of output i is centred on input s i
    doubling_conv   n rows become 2 n: the adjoint of `conv` with the same size and a stride of 2
    max_pool        non-overlapping windows; an odd last row is kept (Caffe) or dropped (PyTorch)
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.typing import Array


SMALLEST_SIDE = 32  # pixels, the smallest input side that networks accept
REMAINDERS = ("keep", "drop")

Initializer = Callable[..., jax.Array]

HE = nn.initializers.he_normal()


def edge_filters(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32) -> jax.Array:
    """Draws zero-mean filters `[y, x, c, features]` with four times the scale of `HE`.

    Blur shows at edges. A first layer whose filters respond mostly to mean brightness trains
    slowly, so these filters do not respond to it at all.
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
    """Returns a convolution with symmetric zero padding.

    For an odd size, n rows become `ceil(n / stride)`.

    Args:
        features: output channels.
        size: taps along each axis.
        stride: input pixels between outputs.
        dilation: input pixels between taps.
        use_bias: whether to add a learned bias.
        kernel_init: initialiser of the taps.
        name: name of the layer in the parameter tree.
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
    """Returns a transposed convolution with a stride of 2 that turns n rows into 2 n.

    The taps of input i are centred on output `2 i + 1/2` if `size` is even, so that pixel centres
    keep their position in the frame, and on `2 i` if it is odd. In PyTorch's terms this is padding
    0, 1 and 2 for sizes 2, 4 and 6, and `padding=2, output_padding=1` for size 5.

    Args:
        features: output channels.
        size: taps along each axis, at least 2.
        use_bias: whether to add a learned bias.
        kernel_init: initialiser of the taps.
        name: name of the layer in the parameter tree.
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
    """Applies max pooling with non-overlapping windows of `size` by `size` pixels.

    Args:
        maps: `[b, h, w, c]`.
        size: side of the windows; the first one starts at the top left.
        remainder: how to treat rows and columns that do not fill a window: "keep" pools the
            partial window, as Caffe does; "drop" discards them, as PyTorch does.
    """
    if remainder not in REMAINDERS:
        raise ValueError(
            f"max_pool: remainder must be one of {sorted(REMAINDERS)}, got {remainder!r}"
        )
    padding = "SAME" if remainder == "keep" else "VALID"
    return nn.max_pool(maps, (size, size), (size, size), padding=padding)


def pad_to_multiple(images: Array, multiple: int, *, mode: str = "edge") -> jax.Array:
    """Pads images below and on the right until `multiple` divides both sides.

    Args:
        images: `[b, h, w, c]`.
        multiple: the largest stride of a network.
        mode: padding mode of `jnp.pad`: "edge" repeats the last pixels, "constant" adds zeros.
    """
    height, width = images.shape[1:3]
    fill = ((0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0))
    return jnp.pad(images, fill, mode=mode)


def crop_like(maps: Any, images: Array) -> Any:
    """Crops every array `[b, h, w, c]` of a tree to the height and width of `images`."""
    height, width = images.shape[1:3]
    return jax.tree.map(lambda x: x[:, :height, :width], maps)


def check_images(network: str, images: Array, *, channels: int | Sequence[int] = 3) -> None:
    """Raises a ValueError unless `network` accepts the shape of `images`, `[b, h, w, c]`.

    Values are neither checked nor clipped.

    Args:
        network: name of the network, for the message.
        images: input of the network.
        channels: the accepted number of channels, or several.
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
