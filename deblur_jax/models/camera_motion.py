"""A network that estimates camera motion from local power spectra.

A straight motion multiplies the local spectrum by a sinc of the motion along each frequency. The
zeros of the sinc are dark stripes perpendicular to the motion, and they lie closer together for
longer motions. In the log power spectrum the stripes add to the scene's own spectrum, so a linear
layer over frequencies can detect them.

The input features are log power spectra of windows on a grid of places 16 pixels apart, at the
photo's scale and at half of it, for long motions. Each block combines neighbouring places with the
whole frame: it computes the gated moments of its features over the frame (the mean and the slopes
to the right and downwards) and feeds a plane over the frame back to every place. Such planes suit
the problem, since the flow of a camera that translates, zooms or rotates is nearly planar.

The output is a flow with its angle doubled (see `ops.flow`), which is continuous where a flow and
its opposite are the same blur.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import conv
from deblur_jax.models.blur_estimate import BlurEstimate, apply, estimate_motion
from deblur_jax.models.motion_context import even_contrast
from deblur_jax.ops.flow import halve_angle
from deblur_jax.typing import Flows, Images, typechecked


STRIDE = 16  # pixels between places
POWER_FLOOR = 1e-5  # of the normalised brightness: about the noise of 8 bits
SMALL = nn.initializers.variance_scaling(0.1, "fan_in", "normal")  # blocks start near the identity


class CameraMotionNet(nn.Module):
    """Estimates the motion of every pixel, with doubled angles.

    Attributes:
        width: channels of each place.
        blocks: number of residual blocks.
        window: side in pixels of the windows whose spectra are computed, at either scale.
        scale: pixels of motion for an output of one.
        unit: distance from the middle of the frame, in pixels, that counts as one in the planes.
    """

    width: int = 192
    blocks: int = 5
    window: int = 64
    scale: float = 8.0
    unit: float = 128.0

    @nn.compact
    @typechecked
    def __call__(self, blurry: Images) -> Flows:
        """Returns the flow with doubled angles, `[b, h, w, 2]` in pixels.

        Args:
            blurry: photos `[b, h, w, c]`, display values in [0, 1], of any size and channels.
        """
        count, height, width = blurry.shape[:3]
        gray = even_contrast(jnp.mean(blurry, axis=-1))

        half = jax.image.resize(gray, (count, -(-height // 2), -(-width // 2)), "linear")
        places = (-(-height // STRIDE), -(-width // STRIDE))
        spectra = [
            _spectra(gray, places, self.window, STRIDE),
            _spectra(half, places, self.window, STRIDE // 2),
        ]
        x = nn.Dense(self.width)(jnp.concatenate(spectra, axis=-1))
        planes = _planes(places, self.unit, x.dtype)
        x = nn.LayerNorm()(nn.gelu(x))
        for _ in range(self.blocks):
            x = x + _Block(self.width)(x, planes)
        x = nn.LayerNorm()(x)
        coarse = self.scale * nn.Dense(2, kernel_init=nn.initializers.zeros_init())(x)

        size = (count, places[0] * STRIDE, places[1] * STRIDE, 2)
        return jax.image.resize(coarse, size, "cubic")[:, :height, :width]

    def flow(self, doubled: Flows) -> Flows:
        """Returns the canonical flow of the network's output, in pixels `[b, h, w, 2]`."""
        return _halve_angles(doubled)

    @nn.nowrap
    def estimate_blur(self, variables: Any, photo: jax.Array) -> BlurEstimate:
        """Returns the estimated motion of a photo `[h, w, 3]` as a `LineBlur`."""
        return estimate_motion(
            lambda x: self.flow(apply(self, variables, x))[0], photo, refine=True
        )


_halve_angles = jax.jit(jax.vmap(halve_angle))


class _Block(nn.Module):
    """Mixes each place's neighbourhood with planes fitted to the whole frame."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, planes: jax.Array) -> jax.Array:
        x = nn.LayerNorm()(x)
        gates, values = jnp.split(nn.Dense(2 * self.width)(x), 2, axis=-1)
        gates = nn.sigmoid(gates)
        # Moments of the values over the frame, relative to those of the planes.
        sizes = jnp.mean(jnp.square(planes), axis=(0, 1))
        moments = jnp.einsum("bhwc,hwp->bpc", gates * values, planes) / planes[..., 0].size
        moments = moments / (jnp.mean(gates, axis=(1, 2))[:, None] * sizes[:, None] + 1e-3)
        moments = moments.reshape(x.shape[0], -1)
        coefficients = nn.Dense(3 * self.width)(moments).reshape(x.shape[0], 3, self.width)
        everywhere = jnp.einsum("bpc,hwp->bhwc", coefficients, planes)
        return nn.Dense(self.width, kernel_init=SMALL)(nn.gelu(conv(self.width, 3)(x) + everywhere))


def _spectra(gray: jax.Array, places: tuple[int, int], window: int, stride: int) -> jax.Array:
    """Returns the log power spectrum around each place, `[b, rows, columns, frequencies]`.

    The last channel is the mean over frequencies, which is subtracted from the others. Windows that
    would extend beyond the frame are shifted inside; a frame smaller than a window is edge-padded.
    """
    fill = [(0, max(window - size, 0)) for size in gray.shape[1:]]
    gray = jnp.pad(gray, [(0, 0), *fill], mode="edge")

    def windows(size: int, number: int) -> jax.Array:
        first = jnp.arange(number) * stride + stride // 2 - window // 2
        return jnp.clip(first, 0, size - window)[:, None] + jnp.arange(window)

    rows, columns = (windows(size, n) for size, n in zip(gray.shape[1:], places, strict=True))
    cut = gray[:, rows[:, None, :, None], columns[None, :, None, :]]
    taper = jnp.sin(jnp.pi * (jnp.arange(window, dtype=gray.dtype) + 0.5) / window) ** 2
    taper = taper[:, None] * taper
    cut = cut - jnp.sum(cut * taper, axis=(-2, -1), keepdims=True) / jnp.sum(taper)
    power = jnp.square(jnp.abs(jnp.fft.rfft2(cut * taper))) / jnp.sum(jnp.square(taper))
    power = jnp.log(power + POWER_FLOOR).reshape(*power.shape[:3], -1) / 3
    mean = jnp.mean(power, axis=-1, keepdims=True)
    return jnp.concatenate([power - mean, mean], axis=-1)


def _planes(places: tuple[int, int], unit: float, dtype: jnp.dtype) -> jax.Array:
    """Returns the constant one and the offsets right of and below the middle, `[h, w, 3]`."""
    down, right = (
        (jnp.arange(number, dtype=dtype) - (number - 1) / 2) * (STRIDE / unit) for number in places
    )
    right, down = jnp.meshgrid(right, down)
    return jnp.stack([jnp.ones_like(right), right, down], axis=-1)
