"""A fully convolutional network that estimates motion flow from one blurred photo (Gong 2017).

Five convolutions extract features at strides 1 to 16. 1x1 convolutions turn three of the feature
maps into scores of motion labels, which are summed with fixed bilinear upsampling. The horizontal
and the vertical component of the motion are two classifications over integer pixels. A motion and
its opposite cause the same blur, so the horizontal component is never negative:

    u in {0, 1, ..., reach},    v in {-reach, ..., reach}

Source: Gong et al., "From Motion Blur to Motion Flow", CVPR 2017, section 3.1 and figure 4. Padding
and crop offsets are those of the released network; they align every stream exactly to the photo.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Float

from deblur_jax.models.blocks import HE, check_images, edge_filters, max_pool
from deblur_jax.models.blur_estimate import BlurEstimate, apply, estimate_motion
from deblur_jax.typing import Array, Flows, Images, typechecked


PHOTO_MEAN = (0.4378, 0.4452, 0.3685)  # of the BSDS500 photos, red, green, blue
PADDING = 30  # pixels around the photo, so that the deepest features cover its border
PAPER_WIDTHS = (96, 256, 512, 512, 1024)

PAPER = nn.initializers.normal(0.01)
# Initialisers of the first convolution and of the others.
INITIAL_WEIGHTS = {"paper": (PAPER, PAPER), "he": (HE, HE), "edges": (edge_filters, HE)}

Scores = tuple[Float[Array, "b h w nu"], Float[Array, "b h w nv"]]


class MotionFlowNet(nn.Module):
    """Scores the motion labels of every pixel.

    Attributes:
        reach: longest motion along either axis in pixels; there are `reach + 1` horizontal and
            `2 * reach + 1` vertical labels.
        widths: channels of the five convolutions.
        extra_horizontal: additional labels of the released network (2), which the paper lacks.
        skip_scales: factors on the features at strides 8 and 4 before their scores.
        initial_weights: initialiser of the five convolutions and the deepest scores: `paper` is a
            normal distribution with deviation 0.01, `he` scales it with the fan-in, and `edges`
            also makes the filters of the first convolution zero-mean, which trains faster.
    """

    reach: int = 36
    widths: Sequence[int] = PAPER_WIDTHS
    extra_horizontal: int = 0
    skip_scales: tuple[float, float] = (0.01, 0.0001)
    initial_weights: str = "paper"

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images) -> Scores:
        """Returns the logits of the horizontal and of the vertical labels.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1], at least 32 pixels a side.

        Returns:
            Logits `[b, h, w, reach + 1]` and `[b, h, w, 2 * reach + 1]`.
        """
        check_images("MotionFlowNet", blurry)
        if self.initial_weights not in INITIAL_WEIGHTS:
            raise ValueError(
                f"model.initial_weights must be one of {sorted(INITIAL_WEIGHTS)}, "
                f"got {self.initial_weights!r}"
            )
        first, init = INITIAL_WEIGHTS[self.initial_weights]
        height, width = blurry.shape[1:3]
        horizontal = self.reach + 1 + self.extra_horizontal
        labels = horizontal + 2 * self.reach + 1

        def valid_conv(features, size, index):
            weights = init if index else first
            name = f"conv{index + 1}"
            return nn.Conv(features, (size, size), padding="VALID", kernel_init=weights, name=name)

        def score(maps, name, kernel_init):
            return nn.Conv(labels, (1, 1), kernel_init=kernel_init, name=name)(maps)

        x = blurry - jnp.asarray(PHOTO_MEAN, blurry.dtype)
        x = jnp.pad(x, ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)))
        pools = []
        for index, (features, size) in enumerate(zip(self.widths, (7, 5, 3, 3, 3), strict=True)):
            x = nn.relu(valid_conv(features, size, index)(x))
            if index < 4:
                x = max_pool(x, remainder="keep")
                pools.append(x)

        zeros = nn.initializers.zeros_init()
        scores = upsample(score(x, "score", init), 2)
        stride_eight = score(self.skip_scales[0] * pools[2], "conv6", zeros)
        scores = upsample(scores + crop(stride_eight, 2, scores.shape), 2)
        stride_four = score(self.skip_scales[1] * pools[1], "conv7", zeros)
        scores = upsample(scores + crop(stride_four, 4, scores.shape), 4)
        scores = crop(scores, 9, (blurry.shape[0], height, width, labels))
        return scores[..., :horizontal], scores[..., horizontal:]

    def flow(self, scores: Scores) -> Flows:
        """Returns the expected flow of the scores, in pixels `[b, h, w, 2]`."""
        return expected_flow(scores)

    @nn.nowrap
    def estimate_blur(self, variables: Any, photo: jax.Array) -> BlurEstimate:
        """Returns the estimated motion of a photo `[h, w, 3]` as a `LineBlur`."""
        return estimate_motion(lambda x: self.flow(apply(self, variables, x))[0], photo)


def upsample(maps: jax.Array, factor: int) -> jax.Array:
    """Upsamples `maps` `[b, h, w, c]` by a transposed convolution with the bilinear kernel.

    The kernel has `2 * factor` taps along each axis and nothing is cropped, so `n` rows become
    `factor * (n + 1)`. The kernel is fixed, as in the released network.
    """
    taps = 1 - np.abs(np.arange(2 * factor) - factor + 0.5) / factor

    def matrix(size: int) -> np.ndarray:
        rows = np.zeros((factor * (size + 1), size), np.float32)
        for index in range(size):
            rows[factor * index : factor * (index + 2), index] = taps
        return rows

    rows, columns = (matrix(size).astype(maps.dtype) for size in maps.shape[1:3])
    return jnp.einsum("yh,xw,bhwc->byxc", rows, columns, maps)


def crop(maps: jax.Array, offset: int, shape: Sequence[int]) -> jax.Array:
    """Crops `maps` to the height and width of `shape`, from row and column `offset`."""
    return maps[:, offset : offset + shape[1], offset : offset + shape[2]]


def most_likely_flow(scores: Scores) -> Flows:
    """Returns the flow of the highest scores, whole pixels `[b, h, w, 2]`, as in the paper."""
    return jnp.stack(
        [jnp.argmax(scores[0], axis=-1), jnp.argmax(scores[1], axis=-1) - scores[1].shape[-1] // 2],
        axis=-1,
    ).astype(scores[0].dtype)


def expected_flow(scores: Scores) -> Flows:
    """Returns the mean flow under the two softmaxes, in pixels `[b, h, w, 2]`.

    It minimises the expected squared error and is differentiable.
    """
    horizontal, vertical = scores
    across = np.arange(horizontal.shape[-1], dtype=np.float32)
    down = np.arange(vertical.shape[-1], dtype=np.float32) - vertical.shape[-1] // 2
    return jnp.stack([nn.softmax(horizontal) @ across, nn.softmax(vertical) @ down], axis=-1)
