"""A residual U-Net that takes known noise out of photos: the prior of plug-and-play solvers.

It looks at the photo at a few sizes, each half of the one before, with residual blocks on the way
down and up; what it saw on the way down is added on the way up. It is told the noise level of every
pixel. No layer has a bias, so the net has no opinion about absolute brightness:

    net(a * noisy, a * sigma) = a * net(noisy, sigma)    for every a > 0

Source: Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", TPAMI 2021,
section 3.1 (DRUNet, the size "full"). The size "small" folds squares of pixels into channels first,
as Zhang et al., "FFDNet", TIP 2018, and so costs a fraction; it and "medium" estimate the noise
instead of the photo.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn.initializers import variance_scaling
from jaxtyping import Float

from deblur_jax.typing import Array, Denoiser, Image, Images, typechecked


SIZES: dict[str, dict[str, Any]] = {
    "small": {"widths": (32, 64, 128), "blocks": 1, "fold": 2, "residual": True},
    "medium": {"widths": (32, 64, 128, 256), "blocks": 2, "fold": 1, "residual": True},
    "full": {"widths": (64, 128, 256, 512), "blocks": 4, "fold": 1, "residual": False},
}


class DenoiserNet(nn.Module):
    """Removes noise of known standard deviation.

    Attributes:
        widths: channels at each size of the photo, the largest size first.
        blocks: residual blocks at each size, on the way down and again on the way up.
        fold: side of the squares of pixels that become channels first; 1 for none.
        residual: whether the net estimates the noise, which is then taken off, or the photo.
        channels: of the photos: 3, or 1 for a net of grey photos.
        hints: channels that the net is shown beside the photo.
        gain: of the last layer before training; with 0 a residual net begins by changing nothing.
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
        """Returns the photos without their noise, `[b, h, w, c]`, not clipped.

        Args:
            noisy: `[b, h, w, c]` of any height and width, with as many channels as the net has. For
                a grey photo and a net of three, repeat the channel and average the result.
            sigma: standard deviation of the noise in image values: one for all, `[]`; one a photo,
                `[b]`; or one a pixel, `[b, h, w]`.
            hints: what else there is to know of every pixel, `[b, h, w, hints]`; zero if None.

        Raises:
            ValueError: if the channels are not those of the net, or `sigma` has another shape.
        """
        if noisy.shape[-1] != self.channels:
            raise ValueError(
                f"DenoiserNet: noisy must have {self.channels} channels, got {noisy.shape[-1]}; "
                "repeat a grey channel three times, drop alpha"
            )
        photos = jnp.asarray(noisy)
        height, width = photos.shape[1:3]
        multiple = self.fold * 2 ** (len(self.widths) - 1)
        around = ((0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0))
        seen = [photos, _sigma_map(sigma, photos)]
        if self.hints:
            empty = jnp.zeros((*photos.shape[:3], self.hints), photos.dtype)
            seen.append(empty if hints is None else jnp.asarray(hints))
        x = jnp.concatenate(seen, axis=-1)
        x = fold(jnp.pad(x, around, mode="edge"), self.fold)

        seen = [_conv(self.widths[0], "head")(x)]
        for level, features in enumerate(self.widths[1:]):
            x = self._residual_blocks(seen[-1], f"down{level}")
            seen.append(_dense(features, f"shrink{level}")(fold(x, 2)))
        x = self._residual_blocks(seen[-1], "bottom")
        for level, features in reversed(list(enumerate(self.widths[:-1]))):
            x = unfold(_dense(4 * features, f"enlarge{level}")(x + seen.pop()), 2)
            x = self._residual_blocks(x, f"up{level}")
        x = _conv(self.fold**2 * self.channels, "tail", gain=self.gain)(x + seen.pop())

        x = unfold(x, self.fold)[:, :height, :width]
        return photos - x if self.residual else x

    def _residual_blocks(self, x: jax.Array, name: str) -> jax.Array:
        features = x.shape[-1]
        for index in range(self.blocks):
            y = nn.relu(_conv(features, f"{name}_block{index}_first", gain=2.0)(x))
            x = x + _conv(features, f"{name}_block{index}_second", gain=0.1)(y)
        return x


def make_denoiser(model: DenoiserNet, variables: Any) -> Denoiser:
    """Returns `denoise(image, sigma) -> image` for solvers: one photo `[h, w, c]` at a time.

    A net of three channels takes a grey photo too: the channel is repeated and the three results
    are averaged.

    Args:
        model: the network.
        variables: its parameters, `{"params": ...}`.
    """

    @typechecked
    def denoise(image: Image, sigma: float | Array) -> jax.Array:
        grey = image.shape[-1] == 1 and model.channels == 3
        noisy = jnp.repeat(image, 3, axis=-1) if grey else image
        restored = model.apply(variables, noisy[None], jnp.asarray(sigma, image.dtype))[0]
        return jnp.mean(restored, axis=-1, keepdims=True) if grey else restored

    return denoise


def widen_head(params: Any, *, hints: int) -> dict[str, Any]:
    """Returns the parameters of a net of as many hints, which it does not yet look at.

    Args:
        params: of a `DenoiserNet` of 3 channels without hints.
        hints: channels.
    """
    kernel = jnp.asarray(params["head"]["kernel"])
    rows, columns, _, features = kernel.shape
    squares = kernel.reshape(rows, columns, -1, 4, features)  # the photo and its sigma
    squares = jnp.pad(squares, ((0, 0), (0, 0), (0, 0), (0, hints), (0, 0)))
    return {**params, "head": {"kernel": squares.reshape(rows, columns, -1, features)}}


def fold(images: jax.Array, factor: int) -> jax.Array:
    """Moves squares of `factor` x `factor` pixels into channels, `[b, h, w, c]`."""
    batch, height, width, channels = images.shape
    squares = images.reshape(batch, height // factor, factor, width // factor, factor, channels)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(
        batch, height // factor, width // factor, factor**2 * channels
    )


def unfold(maps: jax.Array, factor: int) -> jax.Array:
    """Moves channels back into squares of `factor` x `factor` pixels: the inverse of `fold`."""
    batch, height, width, channels = maps.shape
    squares = maps.reshape(batch, height, width, factor, factor, channels // factor**2)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * factor, width * factor, -1)


def _sigma_map(sigma: float | Array, noisy: jax.Array) -> jax.Array:
    """Returns the noise level of every pixel, `[b, h, w, 1]`."""
    level = jnp.asarray(sigma, noisy.dtype)
    batch, height, width, _ = noisy.shape
    if level.shape not in ((), (batch,), (batch, height, width)):
        raise ValueError(
            f"DenoiserNet: sigma must have the shape [], [{batch}] or [{batch}, {height}, {width}] "
            f"for these photos, got {list(level.shape)}"
        )
    level = level.reshape(level.shape + (1,) * (4 - level.ndim))
    return jnp.broadcast_to(level, (batch, height, width, 1))


def _conv(features: int, name: str, *, gain: float = 1.0) -> nn.Conv:
    init = variance_scaling(gain, "fan_in", "normal")
    return nn.Conv(features, (3, 3), use_bias=False, kernel_init=init, name=name)


def _dense(features: int, name: str) -> nn.Dense:
    return nn.Dense(features, use_bias=False, name=name)
