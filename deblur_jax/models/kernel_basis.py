"""The two-headed net that reads a basis of blur kernels from one photo (Carbajal 2021).

An encoder halves the photo five times. One decoder turns its maps into a share of every basis
kernel at every pixel; the other turns their means over the frame into the kernels themselves:

    kernels[k] = softmax over taps,    mixing[p] = softmax over k

which is what `ops.basis_blur` takes, and `BasisBlur(kernels[i], mixing[i])` is the blur of photo i.

The kernels' decoder starts from a single place and doubles it until there are as many places as
taps. All that it is given is constant over the frame, so only the zeros around its maps tell one
tap from another: padding with anything else would make every kernel flat.

Source: Carbajal et al., "Non-uniform Motion Blur Kernel Estimation via Adaptive Decomposition",
arXiv:2102.01026, section 3.1. The first version of the paper ends the kernels' decoder with one
large convolution (`head="dense"`), the later one goes on doubling (`head="grid"`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Float

from deblur_jax.models.blocks import (
    HE,
    check_images,
    conv,
    crop_like,
    doubling_conv,
    edge_filters,
    max_pool,
)
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.typing import Array, Images, Kernels, Mixing, typechecked


STRIDE = 32
HEADS = ("grid", "dense")
FIRST_WEIGHTS = {"edges": edge_filters, "he": HE}
DENSE_PLACES = 8  # a side, before the last convolution of the first version
SHARPEST = 0.25  # the norm of a kernel from which it counts as none


class KernelField(NamedTuple):
    """The blur of a batch of photos: `kernels` `[b, k, s, s]` and `mixing` `[b, h, w, k]`."""

    kernels: Float[Array, "b k s s"]
    mixing: Float[Array, "b h w k"]


@typechecked
def blur_map(kernels: Kernels, mixing: Mixing, *, sharpest: float = SHARPEST) -> jax.Array:
    """Returns how blurry each pixel is, `[h, w]`: the share of its kernels that spread the light.

    Args:
        kernels: `[k, s, s]`, each with the sum one.
        mixing: `[h, w, k]`.
        sharpest: the largest norm, root of the sum of squares, of a kernel that counts as blur. A
            single tap has one; n equal taps have `1 / sqrt(n)`, so 0.25 is a motion of 16 pixels.

    Source:
        Carbajal et al., arXiv:2102.01026, section 4.2.
    """
    blurs = jnp.sum(jnp.square(kernels), axis=(1, 2)) <= sharpest**2
    return jnp.sum(jnp.where(blurs, mixing, 0), axis=-1)


@typechecked
def norm_map(kernels: Kernels, mixing: Mixing) -> jax.Array:
    """Returns the norm of each pixel's own kernel, `[h, w]`: one where all is sharp, else less.

    `blur_map` judges the kernels that are mixed, this one what is mixed of them: the two differ
    where a motion is put together from kernels of a tap or two each.

    Args:
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
    """
    taps = kernels.reshape(kernels.shape[0], -1)
    products = jnp.matmul(taps, taps.T, precision="highest")
    squares = jnp.einsum("hwi,ij,hwj->hw", mixing, products, mixing, precision="highest")
    return jnp.sqrt(jnp.maximum(squares, 0))


class KernelBasisNet(nn.Module):
    """Estimates the kernels of a photo and their share in every pixel.

    Attributes:
        basis: how many kernels there are.
        side: of the kernels in pixels: a power of two plus one, as 9, 17, 33 (the paper's) or 65.
            The `dense` head has any odd side.
        width: channels of the first maps, 64 in the paper; all others are in proportion.
        head: how the kernels are made: `grid` (second version) or `dense` (first).
        transfer: from the photo's display values to what the network looks at: 2.2 in the second
            version, "linear" in the first.
        initial_weights: of the first convolution, `he`, or `edges`, see `blocks.edge_filters`.
    """

    basis: int = 25
    side: int = 33
    width: int = 64
    head: str = "grid"
    transfer: Transfer = 2.2
    initial_weights: str = "he"

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images) -> KernelField:
        """Returns the kernels and their shares.

        Args:
            blurry: photos `[b, h, w, 3]` in [0, 1], display light, of any size from 32 pixels a
                side.
        """
        check_images("KernelBasisNet", blurry)
        if self.head not in HEADS:
            raise ValueError(f"model.head must be one of {sorted(HEADS)}, got {self.head!r}")
        if self.initial_weights not in FIRST_WEIGHTS:
            raise ValueError(
                f"model.initial_weights must be one of {sorted(FIRST_WEIGHTS)}, "
                f"got {self.initial_weights!r}"
            )
        height, width = blurry.shape[1:3]
        fill = ((0, 0), (0, -height % STRIDE), (0, -width % STRIDE), (0, 0))
        x = jnp.pad(to_light(blurry, self.transfer) - 0.5, fill, mode="reflect")

        first = FIRST_WEIGHTS[self.initial_weights]
        x = _leaky(conv(self.width, 3, kernel_init=first, name="stem")(x))
        maps = []  # at strides 1, 2, 4, 8, 16
        for index, factor in enumerate((1, 2, 4, 8, 16)):
            x = _Pair(factor * self.width, name=f"down{index + 1}")(x)
            maps.append(x)
            x = max_pool(x)
        x = _leaky(conv(16 * self.width, 3, name="bottleneck")(x))

        mixing = _MixingHead(self.basis, self.width, name="mixing_head")(x, maps)
        head = {"grid": _GridHead, "dense": _DenseHead}[self.head]
        taps = head(self.basis, self.side, self.width, name="kernel_head")(x, maps)
        flat = taps.reshape(taps.shape[0], -1, self.basis)
        kernels = jnp.moveaxis(nn.softmax(flat, axis=1), -1, 1)
        return KernelField(
            kernels.reshape(taps.shape[0], self.basis, self.side, self.side),
            crop_like(nn.softmax(mixing), blurry),
        )


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, 0.01)


class _Pair(nn.Module):
    """Two 3x3 convolutions."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for index in range(2):
            x = _leaky(conv(self.features, 3, name=f"conv{index + 1}")(x))
        return x


class _Up(nn.Module):
    """Doubles maps, and lets maps of that size from the encoder join."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, skip: jax.Array | None) -> jax.Array:
        x = doubling_conv(x.shape[-1], 2, name="double")(x)
        x = _Pair(self.features, name="pair")(x)
        if skip is not None:
            # The first version's first skip is a single place, which four of the maps' are cut to.
            x = jnp.concatenate([skip, crop_like(x, skip)], axis=-1)
        return _leaky(conv(self.features, 3, name="join")(x))


class _MixingHead(nn.Module):
    basis: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, maps: Sequence[jax.Array]) -> jax.Array:
        for index, factor in enumerate((8, 4, 2, 1, 1)):
            x = _Up(factor * self.width, name=f"up{index + 1}")(x, maps[-1 - index])
        return conv(self.basis, 3, name="shares")(_Pair(self.width, name="end")(x))


def _everywhere(maps: jax.Array, places: int) -> jax.Array:
    """Returns the mean of `maps` over the frame, at each of `places` by `places` places."""
    mean = jnp.mean(maps, axis=(1, 2), keepdims=True)
    return jnp.broadcast_to(mean, (maps.shape[0], places, places, maps.shape[-1]))


class _GridHead(nn.Module):
    basis: int
    side: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, maps: Sequence[jax.Array]) -> jax.Array:
        doublings = (self.side - 1).bit_length() - 1
        if self.side < 5 or self.side != 2**doublings + 1:
            raise ValueError(
                f"model.side must be a power of two plus one, as 9, 17, 33 or 65, got {self.side}"
            )
        x = _everywhere(x, 1)
        factors = (8, 4, 4, 2, 1)
        for index in range(doublings):
            inside = index < len(factors)
            skip = _everywhere(maps[-1 - index], 2 ** (index + 1)) if inside else None
            x = _Up((factors[index] if inside else 1) * self.width, name=f"up{index + 1}")(x, skip)
        # Two taps, and a place more on every side: an even number of places becomes an odd one.
        grow = nn.Conv(self.width, (2, 2), padding=((1, 1), (1, 1)), name="grow")
        x = _leaky(conv(self.width, 3, name="end")(_leaky(grow(x))))
        return conv(self.basis, 3, name="taps")(x)


class _DenseHead(nn.Module):
    basis: int
    side: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, maps: Sequence[jax.Array]) -> jax.Array:
        if self.side % 2 == 0:
            raise ValueError(f"model.side must be odd, so that a tap is central, got {self.side}")
        x = _everywhere(x, 1)
        for index, (factor, places) in enumerate(((8, 1), (4, 2), (4, 4), (2, DENSE_PLACES))):
            skip = _everywhere(maps[-1 - index], places)
            x = _Up(factor * self.width, name=f"up{index + 1}")(x, skip)
        x = _Pair(2 * self.width, name="end")(x)
        taps = self.side**2 * self.basis
        whole = (DENSE_PLACES, DENSE_PLACES)
        x = nn.Conv(taps, whole, padding="VALID", name="taps")(x)
        return x.reshape(x.shape[0], self.side, self.side, self.basis)
