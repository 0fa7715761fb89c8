"""A network that sees how far a restoration can be trusted, place by place.

It compares a photo with its restoration and with the residual of the blur. Ringing, doubled edges
and objects that moved on their own have a look of their own, which no energy of the blur tells. The
output is a share between 0 and 1 for each place: the photo plus that share of what the restoration
changes is as near to the sharp scene as the network can tell. A share above one half means that the
restoration is nearer to it than the photo is.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Float

from deblur_jax.models.blocks import conv
from deblur_jax.typing import Array, Images, typechecked


STRIDE = 8  # pixels between places
CHANGE, RESIDUAL = 4.0, 8.0  # scale of what the restoration changes and of the residual
DOUBT = 1.0  # subtracted from the logits, so that an untrained network leaves the photo alone


class TrustNet(nn.Module):
    """Tells how much of a restoration to mix into the photo.

    Attributes:
        widths: channels at strides of 2, 4, 8, and of the blocks that see far.
        context: features of the whole photo.
    """

    widths: Sequence[int] = (16, 24, 32, 48)
    context: int = 32

    @nn.compact
    @typechecked
    def __call__(self, photo: Images, restored: Images, residual: Images) -> Float[Array, "b h w"]:
        """Returns the share of the restoration at every pixel, `[b, h, w]` in [0, 1].

        Args:
            photo: `[b, h, w, 3]` in [0, 1].
            restored: its restoration, `[b, h, w, 3]`.
            residual: the restoration blurred again, minus the photo, `[b, h, w, 3]`.
        """
        x = jnp.concatenate(
            [photo - 0.5, CHANGE * (restored - photo), RESIDUAL * residual], axis=-1
        )
        first, second, third, last = self.widths
        x = nn.relu(conv(first, 5, stride=2)(x))
        x = nn.relu(conv(second, 3, stride=2)(x))
        x = nn.relu(conv(third, 3, stride=2)(x))
        x = nn.relu(conv(last, 3)(x))
        moments = [jnp.mean(x, (1, 2)), jnp.sqrt(jnp.mean(jnp.square(x), (1, 2)))]
        whole = nn.relu(nn.Dense(self.context)(jnp.concatenate(moments, axis=-1)))
        near = conv(last, 3, dilation=2)(x) + nn.Dense(last)(whole)[:, None, None]
        x = nn.relu(x + conv(last, 3, dilation=4)(nn.relu(near)))
        logits = conv(1, 3, kernel_init=nn.initializers.zeros)(x)[..., 0] - DOUBT
        shape = (logits.shape[0], *photo.shape[1:3])
        return jax.image.resize(nn.sigmoid(logits), shape, "linear")
