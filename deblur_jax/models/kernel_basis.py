"""A two-headed network that estimates a basis of blur kernels from one photo (Carbajal 2021).

An encoder downsamples the photo five times. One decoder predicts the mixing coefficients of every
pixel from the encoder's features; the other predicts the kernels from their global averages:

    kernels[k] = softmax over taps,    mixing[p] = softmax over k

These are the arguments of `ops.basis_blur`; `BasisBlur(kernels[i], mixing[i])` blurs photo i.

The kernel decoder starts from a 1x1 map and upsamples it to the size of a kernel. All of its inputs
are constant over the frame, so only the zero padding distinguishes one tap from another: any other
padding would make every kernel flat.

Source: Carbajal et al., "Non-uniform Motion Blur Kernel Estimation via Adaptive Decomposition",
arXiv:2102.01026, section 3.1. The first version of the paper ends the kernel decoder with one large
convolution (`head="dense"`), the later one with further upsampling (`head="grid"`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

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
    pad_to_multiple,
)
from deblur_jax.models.blur_estimate import BlurEstimate, apply
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.ops.sensor import Transfer, to_light
from deblur_jax.typing import Array, Images, Kernels, Mixing, typechecked


STRIDE = 32
HEADS = ("grid", "dense")
FIRST_WEIGHTS = {"edges": edge_filters, "he": HE}
DENSE_PLACES = 8  # side of the map before the last convolution of the first version
SHARPEST = 0.25  # norm of a kernel above which it does not count as blur


class KernelField(NamedTuple):
    """Blur of a batch of photos: `kernels` `[b, k, s, s]` and `mixing` `[b, h, w, k]`."""

    kernels: Float[Array, "b k s s"]
    mixing: Float[Array, "b h w k"]


@typechecked
def blur_map(kernels: Kernels, mixing: Mixing, *, sharpest: float = SHARPEST) -> jax.Array:
    """Returns the total mixing coefficient of the blurring kernels at each pixel, `[h, w]`.

    Args:
        kernels: `[k, s, s]`, each with sum one.
        mixing: `[h, w, k]`.
        sharpest: largest Euclidean norm of a kernel that counts as blur. The norm of a single tap
            is 1, that of n equal taps `1 / sqrt(n)`, so 0.25 is a motion of 16 pixels.

    Source:
        Carbajal et al., arXiv:2102.01026, section 4.2.
    """
    blurs = jnp.sum(jnp.square(kernels), axis=(1, 2)) <= sharpest**2
    return jnp.sum(jnp.where(blurs, mixing, 0), axis=-1)


@typechecked
def norm_map(kernels: Kernels, mixing: Mixing) -> jax.Array:
    """Returns the Euclidean norm of each pixel's kernel, `[h, w]`: 1 if sharp, less if blurred.

    `blur_map` classifies the basis kernels, this function the mixed kernel of each pixel. They
    differ where a motion is the sum of kernels of one or two taps each.

    Args:
        kernels: `[k, s, s]`.
        mixing: `[h, w, k]`.
    """
    taps = kernels.reshape(kernels.shape[0], -1)
    products = jnp.matmul(taps, taps.T, precision="highest")
    squares = jnp.einsum("hwi,ij,hwj->hw", mixing, products, mixing, precision="highest")
    return jnp.sqrt(jnp.maximum(squares, 0))


class KernelBasisNet(nn.Module):
    """Estimates the kernels of a photo and their mixing coefficients at every pixel.

    Attributes:
        basis: number of kernels.
        side: side of the kernels in pixels: a power of two plus one, such as 9, 17, 33 (the
            paper's) or 65. The `dense` head accepts any odd side.
        width: channels of the first layer, 64 in the paper; all other layers scale with it.
        head: form of the kernel decoder: `grid` (second version) or `dense` (first version).
        transfer: curve from the photo's display values to the network's input: 2.2 in the second
            version, "linear" in the first.
        initial_weights: initialiser of the first convolution: `he` or `edges` (see
            `blocks.edge_filters`).
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
        """Returns the kernels and the mixing coefficients.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.
        """
        check_images("KernelBasisNet", blurry)
        if self.head not in HEADS:
            raise ValueError(f"model.head must be one of {sorted(HEADS)}, got {self.head!r}")
        if self.initial_weights not in FIRST_WEIGHTS:
            raise ValueError(
                f"model.initial_weights must be one of {sorted(FIRST_WEIGHTS)}, "
                f"got {self.initial_weights!r}"
            )
        x = pad_to_multiple(to_light(blurry, self.transfer) - 0.5, STRIDE, mode="reflect")

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

    @nn.nowrap
    def estimate_blur(self, variables: Any, photo: jax.Array) -> BlurEstimate:
        """Returns the estimated kernels of a photo `[h, w, 3]` as a `BasisBlur`.

        The photo is not shrunk, whatever its size.
        """
        field = apply(self, variables, photo)
        blur = BasisBlur(field.kernels[0], field.mixing[0])
        return BlurEstimate(blur, self.transfer, margin=self.side // 2, saturates=True)


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
    """Upsamples by two and concatenates the encoder's skip connection."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, skip: jax.Array | None) -> jax.Array:
        x = doubling_conv(x.shape[-1], 2, name="double")(x)
        x = _Pair(self.features, name="pair")(x)
        if skip is not None:
            # The first skip of the first version is 1x1: the 2x2 map is cropped to it.
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


def _tiled_mean(maps: jax.Array, side: int) -> jax.Array:
    """Returns the global average of `maps`, tiled to `side` by `side`."""
    mean = jnp.mean(maps, axis=(1, 2), keepdims=True)
    return jnp.broadcast_to(mean, (maps.shape[0], side, side, maps.shape[-1]))


class _GridHead(nn.Module):
    basis: int
    side: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array, maps: Sequence[jax.Array]) -> jax.Array:
        doublings = (self.side - 1).bit_length() - 1
        if self.side < 5 or self.side != 2**doublings + 1:
            raise ValueError(
                "model.side must be a power of two plus one, such as 9, 17, 33 or 65, "
                f"got {self.side}"
            )
        x = _tiled_mean(x, 1)
        factors = (8, 4, 4, 2, 1)
        for index in range(doublings):
            inside = index < len(factors)
            skip = _tiled_mean(maps[-1 - index], 2 ** (index + 1)) if inside else None
            x = _Up((factors[index] if inside else 1) * self.width, name=f"up{index + 1}")(x, skip)
        # A 2x2 convolution with a padding of one turns an even side into an odd one.
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
        x = _tiled_mean(x, 1)
        for index, (factor, places) in enumerate(((8, 1), (4, 2), (4, 4), (2, DENSE_PLACES))):
            skip = _tiled_mean(maps[-1 - index], places)
            x = _Up(factor * self.width, name=f"up{index + 1}")(x, skip)
        x = _Pair(2 * self.width, name="end")(x)
        taps = self.side**2 * self.basis
        whole = (DENSE_PLACES, DENSE_PLACES)
        x = nn.Conv(taps, whole, padding="VALID", name="taps")(x)
        return x.reshape(x.shape[0], self.side, self.side, self.basis)
