"""A residual U-Net that removes noise of known level: the prior of plug-and-play solvers.

The network has residual blocks at a few scales and additive skip connections. Its input is the
photo and a map of the noise level. No layer has a bias, so the network is positively homogeneous:

    net(a * noisy, a * sigma) = a * net(noisy, sigma)    for every a > 0

Source: Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", TPAMI 2021,
section 3.1 (DRUNet, the size "full"). The size "small" first folds squares of pixels into channels,
as in Zhang et al., "FFDNet", TIP 2018, and so costs a fraction; "small" and "medium" predict the
noise instead of the photo.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn.initializers import variance_scaling
from jaxtyping import Float

from deblur_jax.models.blocks import conv, crop_like, pad_to_multiple
from deblur_jax.typing import Array, Denoiser, Image, Images, typechecked


SIZES: dict[str, dict[str, Any]] = {
    "small": {"widths": (32, 64, 128), "blocks": 1, "fold": 2, "residual": True},
    "medium": {"widths": (32, 64, 128, 256), "blocks": 2, "fold": 1, "residual": True},
    "full": {"widths": (64, 128, 256, 512), "blocks": 4, "fold": 1, "residual": False},
}


class DenoiserNet(nn.Module):
    """Removes noise of known standard deviation.

    Attributes:
        widths: channels at each scale, from fine to coarse.
        blocks: number of residual blocks at each scale, in the encoder and again in the decoder.
        fold: side of the squares of pixels that are folded into channels; 1 for none.
        residual: whether the network predicts the noise, which is then subtracted, or the photo.
        channels: 3 for colour photos, 1 for grey ones.
        hints: number of additional input channels.
        gain: initial scale of the last layer; a residual network with 0 starts as the identity.
    """

    widths: Sequence[int] = (64, 128, 256, 512)
    blocks: int = 4
    fold: int = 1
    residual: bool = False
    channels: int = 3
    hints: int = 0
    gain: float = 0.1

    @nn.compact
    @typechecked
    def __call__(
        self,
        noisy: Images,
        sigma: float | Array = 0.0,
        hints: Float[Array, "b h w hints"] | None = None,
    ) -> jax.Array:
        """Returns the denoised photos, `[b, h, w, c]`, not clipped.

        Args:
            noisy: `[b, h, w, c]` of any height and width; c is the network's `channels`.
            sigma: standard deviation of the noise in image values, a scalar `[]`, one a photo
                `[b]`, or one a pixel `[b, h, w]`.
            hints: additional input, `[b, h, w, hints]`; zero if None.

        Raises:
            ValueError: if `noisy` has the wrong number of channels or `sigma` the wrong shape.
        """
        photos, noise_level = check_noisy("DenoiserNet", noisy, sigma, channels=self.channels)
        inputs = [photos, noise_level]
        if self.hints:
            empty = jnp.zeros((*photos.shape[:3], self.hints), photos.dtype)
            inputs.append(empty if hints is None else jnp.asarray(hints))
        multiple = self.fold * 2 ** (len(self.widths) - 1)
        x = fold(pad_to_multiple(jnp.concatenate(inputs, axis=-1), multiple), self.fold)

        skips = [_scaled_conv(self.widths[0], "head")(x)]
        for level, features in enumerate(self.widths[1:]):
            x = self._residual_blocks(skips[-1], f"down{level}")
            skips.append(_dense(features, f"shrink{level}")(fold(x, 2)))
        x = self._residual_blocks(skips[-1], "bottom")
        for level, features in reversed(list(enumerate(self.widths[:-1]))):
            x = unfold(_dense(4 * features, f"enlarge{level}")(x + skips.pop()), 2)
            x = self._residual_blocks(x, f"up{level}")
        x = _scaled_conv(self.fold**2 * self.channels, "tail", gain=self.gain)(x + skips.pop())

        x = crop_like(unfold(x, self.fold), photos)
        return photos - x if self.residual else x

    def _residual_blocks(self, x: jax.Array, name: str) -> jax.Array:
        features = x.shape[-1]
        for index in range(self.blocks):
            y = nn.relu(_scaled_conv(features, f"{name}_block{index}_first", gain=2.0)(x))
            x = x + _scaled_conv(features, f"{name}_block{index}_second", gain=0.1)(y)
        return x


def make_denoiser(model: nn.Module, variables: Any) -> Denoiser:
    """Returns `denoise(image, sigma) -> image` for solvers, where an image is `[h, w, c]`.

    For a grey photo and a network of three channels, the channel is repeated and the three results
    are averaged.

    Args:
        model: a denoising network with the field `channels`, such as `DenoiserNet`.
        variables: parameters of the network, `{"params": ...}`.
    """
    channels = model.channels  # pyright: ignore[reportAttributeAccessIssue]

    @typechecked
    def denoise(image: Image, sigma: float | Array) -> jax.Array:
        grey = image.shape[-1] == 1 and channels == 3
        noisy = jnp.repeat(image, 3, axis=-1) if grey else image
        output: Any = model.apply(variables, noisy[None], jnp.asarray(sigma, image.dtype))
        return jnp.mean(output[0], axis=-1, keepdims=True) if grey else output[0]

    return denoise


def widen_head(params: Any, *, hints: int) -> dict[str, Any]:
    """Returns the parameters of the same network with additional inputs of zero weight.

    Args:
        params: parameters of a `DenoiserNet` of 3 channels without hints.
        hints: number of additional input channels.
    """
    kernel = jnp.asarray(params["head"]["kernel"])
    rows, columns, _, features = kernel.shape
    squares = kernel.reshape(rows, columns, -1, 4, features)  # the photo and its noise level
    squares = jnp.pad(squares, ((0, 0), (0, 0), (0, 0), (0, hints), (0, 0)))
    return {**params, "head": {"kernel": squares.reshape(rows, columns, -1, features)}}


def fold(images: jax.Array, factor: int) -> jax.Array:
    """Folds squares of `factor` x `factor` pixels of `[b, h, w, c]` into channels."""
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // factor, factor, width // factor, factor, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(
        batch, height // factor, width // factor, factor**2 * channels
    )


def unfold(maps: jax.Array, factor: int) -> jax.Array:
    """Unfolds channels into squares of `factor` x `factor` pixels: the inverse of `fold`."""
    batch, height, width, channels = maps.shape
    squares = maps.reshape(batch, height, width, factor, factor, channels // factor**2)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * factor, width * factor, -1)


def check_noisy(
    network: str, noisy: Array, sigma: float | Array, *, channels: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the photos and a map of their noise level, `[b, h, w, c]` and `[b, h, w, 1]`.

    Args:
        network: name of the network, for the messages.
        noisy: `[b, h, w, c]`.
        sigma: standard deviation of the noise, `[]`, `[b]` or `[b, h, w]`.
        channels: number of channels that the network accepts.

    Raises:
        ValueError: if `noisy` has the wrong number of channels or `sigma` the wrong shape.
    """
    photos = jnp.asarray(noisy)
    batch, height, width, given = photos.shape
    if given != channels:
        raise ValueError(
            f"{network}: noisy must have {channels} channels, got {given}; "
            "repeat a grey channel three times, drop alpha"
        )
    level = jnp.asarray(sigma, photos.dtype)
    if level.shape not in ((), (batch,), (batch, height, width)):
        raise ValueError(
            f"{network}: sigma must have the shape [], [{batch}] or [{batch}, {height}, {width}] "
            f"for these photos, got {list(level.shape)}"
        )
    level = level.reshape(level.shape + (1,) * (4 - level.ndim))
    return photos, jnp.broadcast_to(level, (batch, height, width, 1))


def _scaled_conv(features: int, name: str, *, gain: float = 1.0) -> nn.Conv:
    init = variance_scaling(gain, "fan_in", "normal")
    return conv(features, 3, use_bias=False, kernel_init=init, name=name)


def _dense(features: int, name: str) -> nn.Dense:
    return nn.Dense(features, use_bias=False, name=name)
