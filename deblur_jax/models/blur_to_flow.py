"""A network that estimates optical flow from one blurred photo (B2F-net, Argaw 2021).

An encoder builds a feature pyramid. Two decoders reconstruct the features of the first and of the
last moment of the exposure: globally by an affine map (a spatial transformer), and locally by a
densely connected block. A flow estimator then treats them as two photos. From the coarsest level to
the finest it warps the last features by the current flow, correlates them with the first ones and
decodes a refined flow. A context network of dilated convolutions refines the finest flow, which has
half the photo's size.

Source: Argaw et al., "Optical Flow Estimation from a Single Motion-blurred Image", AAAI 2021. The
paper does not state the channels; the encoder and the flow estimator use those of PWC-Net.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import check_images, conv, crop_like, doubling_conv, pad_to_multiple
from deblur_jax.models.blur_estimate import BlurEstimate, apply, estimate_motion
from deblur_jax.ops.cost_volume import cost_volume
from deblur_jax.ops.resample import resize_bilinear
from deblur_jax.ops.warp import warp_affine, warp_flow
from deblur_jax.typing import Flows, Images, typechecked


SCALE = 20.0  # pixels of motion for an output of one, as in PWC-Net
LOCALISATION_WIDTH = 32  # channels of the spatial transformer's localisation network
SMALLEST_GROWTH = 16  # minimum number of channels that a layer of a refining block adds
DILATIONS = (1, 2, 4, 8, 16, 1)  # of the context network; a last convolution outputs the flow

Estimate = tuple[Flows, tuple[Flows, ...]]


class BlurToFlowNet(nn.Module):
    """Estimates the flow from the first to the last moment of an exposure.

    A blurred photo does not determine the direction of time, so the sign of the flow is arbitrary.

    Attributes:
        widths: channels of the encoder's levels, each at half the size of the one before.
        flow_widths: channels that each densely connected layer of the flow decoder adds.
        context_widths: channels of the context network's hidden layers, up to six.
        reach: search range of the correlation, in pixels of each level.
        transform: whether the decoders have spatial transformers (False: an ablation of Table 3).
        refine: whether the decoders have refining blocks (False: an ablation of Table 3). Without
            either, both decoders return the encoder's features.
    """

    widths: Sequence[int] = (16, 32, 64, 96, 128, 196)
    flow_widths: Sequence[int] = (128, 128, 96, 64, 32)
    context_widths: Sequence[int] = (128, 128, 128, 96, 64, 32)
    reach: int = 4
    transform: bool = True
    refine: bool = True

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images) -> Estimate:
        """Returns the flow of each pixel, and the flows of all levels for the loss.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.

        Returns:
            The flow at full size, `[b, h, w, 2]`, and those of the levels from fine to coarse,
            `[b, H / 2^l, W / 2^l, 2]`, where H and W are h and w rounded up to a multiple of the
            largest stride. All are in pixels of the full size.
        """
        check_images("BlurToFlowNet", blurry)
        padded = pad_to_multiple(blurry, 2 ** len(self.widths))
        encoded = Encoder(self.widths, name="encoder")(padded)
        # Separate initial weights: with equal decoders the flow would be zero, with no gradient.
        decoder = partial(Decoder, self.widths, self.transform, self.refine)
        first = decoder(name="decoder_first")(encoded)
        last = decoder(name="decoder_last")(encoded)
        estimator = FlowEstimator(self.flow_widths, self.context_widths, self.reach, name="flow")
        levels = tuple(SCALE * flow for flow in estimator(first, last))
        enlarge = partial(resize_bilinear, height=padded.shape[1], width=padded.shape[2])
        return crop_like(jax.vmap(enlarge)(levels[0]), blurry), levels

    def flow(self, estimate: Estimate) -> Flows:
        """Returns the flow at full size, in pixels `[b, h, w, 2]`."""
        return estimate[0]

    @nn.nowrap
    def estimate_blur(self, variables: Any, photo: jax.Array) -> BlurEstimate:
        """Returns the estimated motion of a photo `[h, w, 3]` as a `LineBlur`."""
        return estimate_motion(lambda x: self.flow(apply(self, variables, x))[0], photo)


class Encoder(nn.Module):
    """A feature pyramid with two convolutions a level."""

    widths: Sequence[int]

    @nn.compact
    def __call__(self, x: jax.Array) -> list[jax.Array]:
        """Returns the features of images `[b, h, w, c]` at all levels, from fine to coarse."""
        levels = []
        for features in self.widths:
            x = nn.relu(conv(features, 3, stride=2)(x))
            x = nn.relu(conv(features, 3)(x))
            levels.append(x)
        return levels


class Decoder(nn.Module):
    """Warps and refines encoded features to one end of the exposure, from coarse to fine."""

    widths: Sequence[int]
    transform: bool
    refine: bool

    @nn.compact
    def __call__(self, encoded: list[jax.Array]) -> list[jax.Array]:
        """Returns the decoded features of all levels from fine to coarse."""
        decoded: list[jax.Array] = []
        for level in reversed(range(len(self.widths))):
            maps = [encoded[level]]
            if self.transform:
                maps = [SpatialTransformer(name=f"transformer{level + 1}")(maps[0]), *maps]
            if not self.refine:
                decoded.insert(0, maps[0])
                continue
            features = self.widths[level]
            if decoded:
                maps.append(doubling_conv(features, 4, name=f"up{level + 1}")(decoded[0]))
            growth = max(SMALLEST_GROWTH, features // 2)
            x = dense_block(jnp.concatenate(maps, -1), [growth] * 4, f"refine{level + 1}_")
            x = nn.relu(conv(features, 3, name=f"refine{level + 1}")(x))
            decoded.insert(0, x)
        return decoded


class SpatialTransformer(nn.Module):
    """Warps feature maps by an affine map predicted from them; initially the identity."""

    @nn.compact
    def __call__(self, maps: jax.Array) -> jax.Array:
        """Returns the warped `maps`, `[b, h, w, c]`; the outside is zero."""
        x = maps
        for _ in range(2):
            x = nn.relu(conv(LOCALISATION_WIDTH, 3, stride=2)(x))
        x = nn.relu(nn.Dense(LOCALISATION_WIDTH)(jnp.mean(x, axis=(1, 2))))
        identity = nn.Dense(6, kernel_init=nn.initializers.zeros_init(), bias_init=_identity_map)
        # Coordinates need single precision, whatever the network computes in.
        matrices = identity(x).reshape(-1, 2, 3).astype(jnp.float32)
        return jax.vmap(warp_affine)(maps, matrices)


def _identity_map(key: jax.Array, shape: Sequence[int], dtype: jnp.dtype) -> jax.Array:
    del key, shape
    return jnp.eye(2, 3, dtype=dtype).ravel()


def dense_block(x: jax.Array, widths: Sequence[int], name: str) -> jax.Array:
    """Concatenates the output of each of several convolutions with all of its input."""
    for index, features in enumerate(widths):
        new = nn.relu(conv(features, 3, name=f"{name}dense{index + 1}")(x))
        x = jnp.concatenate([new, x], axis=-1)
    return x


class FlowEstimator(nn.Module):
    """Estimates the flow between two pyramids of features, from the coarsest level to the finest.

    Internally a flow of one means `SCALE` pixels of the full size.
    """

    widths: Sequence[int]
    context_widths: Sequence[int]
    reach: int

    @nn.compact
    def __call__(self, first: list[jax.Array], last: list[jax.Array]) -> list[jax.Array]:
        """Returns the flows of all levels from fine to coarse."""
        flows: list[jax.Array] = []
        decoded = jnp.zeros(())  # until the coarsest level is done
        correlate = jax.vmap(partial(cost_volume, reach=self.reach))
        for level in reversed(range(len(first))):
            here, there, coarser = first[level], last[level], []
            if flows:
                up_flow = doubling_conv(2, 4, name=f"up_flow{level + 1}")(flows[0])
                up_features = doubling_conv(2, 4, name=f"up_features{level + 1}")(decoded)
                there = jax.vmap(warp_flow)(there, up_flow * (SCALE / 2 ** (level + 1)))
                coarser = [up_features, up_flow]
            costs = nn.leaky_relu(correlate(here, there), 0.1)
            x = jnp.concatenate([costs, here, *coarser], axis=-1)
            decoded = dense_block(x, self.widths, f"decode{level + 1}_")
            flows.insert(0, conv(2, 3, name=f"predict{level + 1}")(decoded))
        x = jnp.concatenate([decoded, flows[0]], axis=-1)
        for features, dilation in zip(self.context_widths, DILATIONS, strict=False):
            x = nn.relu(conv(features, 3, dilation=dilation)(x))
        return [flows[0] + conv(2, 3, name="refine")(x), *flows[1:]]
