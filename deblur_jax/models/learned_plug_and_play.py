"""A net that sees a camera's motion in a blurred photo and takes it out, trained as one.

`CameraMotionNet` estimates the motion of every pixel. A few steps of `solvers.plug_and_play` take
it out, with a denoiser as prior whose weights are learned with the rest; how far each step trusts
the photo and how much noise it takes off is planned from the photo itself, whose noise and
compression nobody tells. A last net looks at the result, at the photo and at what is left over when
the result is blurred again, and mends what a motion that is not quite right has done. The gradient
of the restored photo reaches all of them, the estimator by the derivative of the blur with respect
to the motion. Before training the plan is a fixed schedule, and the last net changes nothing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import edge_filters
from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.denoiser import DenoiserNet, make_denoiser
from deblur_jax.ops.flow import halve_angle
from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.plug_and_play import COUPLING, plug_and_play
from deblur_jax.solvers.schedules import log_spaced
from deblur_jax.typing import Flows, Images, typechecked


SIGMAS = (25 / 255, 3 / 255)  # of the first and the last denoising before training
NOISE = 2 / 255  # that the photo is taken to have before training
HINTS = 7  # channels: the photo, what is left over, and the length of the motion
LENGTH = 32.0  # pixels of motion that count as one
FAINTEST = 1e-4  # of what a filter sees


class Restored(NamedTuple):
    """What `LearnedPlugAndPlayNet` makes of photos.

    Attributes:
        photos: restored, `[b, h, w, 3]`, not clipped.
        doubled: the motion with doubled angles, `[b, h, w, 2]` in pixels.
    """

    photos: jax.Array
    doubled: jax.Array


class LearnedPlugAndPlayNet(nn.Module):
    """Estimates the motion of every pixel, and restores the photo by learned steps.

    Attributes:
        width: of the estimator, as are `blocks`, `window`, `scale` and `unit`; see
            `CameraMotionNet`.
        blocks: see there.
        window: see there.
        scale: see there.
        unit: see there.
        prior_widths: of the denoiser and of the last net, as is `prior_blocks`; see `DenoiserNet`.
        prior_blocks: see there.
        denoisings: how many times the photo is denoised.
        linear_steps: of conjugate gradients before each denoising.
        margin: width of the unknown frame around the photo in pixels.
        schedule_rate: how many times faster than the net's other parameters the plan learns.
    """

    width: int = 192
    blocks: int = 5
    window: int = 64
    scale: float = 8.0
    unit: float = 128.0
    prior_widths: Sequence[int] = (32, 64, 128)
    prior_blocks: int = 1
    denoisings: int = 3
    linear_steps: int = 6
    margin: int = 16
    schedule_rate: float = 10.0

    def setup(self):
        """Makes the parts; the denoiser's parameters are those of a `DenoiserNet`."""
        self.estimator = self.eyes()
        self.plan = _Plan(self.denoisings, self.schedule_rate)
        self.finish = self._prior(hints=HINTS, gain=0.0)
        photo = jnp.zeros((1, 8, 8, 3))
        self.prior = self.param("prior", lambda key: self._prior().init(key, photo)["params"])

    def eyes(self) -> CameraMotionNet:
        """Returns the estimator as a net of its own, for the parameters in `estimator`."""
        return CameraMotionNet(
            self.width, self.blocks, self.window, self.scale, self.unit, parent=None
        )

    @typechecked
    def __call__(self, blurry: Images) -> Restored:
        """Returns the restored photos and their motion.

        Args:
            blurry: photos `[b, h, w, 3]` in [0, 1].
        """
        doubled = self.see(blurry)
        return Restored(self.restore(blurry, self.flow(doubled)), doubled)

    def see(self, blurry: Images) -> jax.Array:
        """Returns the motion with doubled angles, `[b, h, w, 2]` in pixels."""
        return jnp.asarray(self.estimator(blurry))

    def flow(self, doubled: Flows) -> jax.Array:
        """Returns the canonical flow of a motion with doubled angles, in pixels `[b, h, w, 2]`."""
        return jax.vmap(halve_angle)(doubled)

    @typechecked
    def restore(self, blurry: Images, flow: Flows) -> jax.Array:
        """Returns photos restored with a given motion, `[b, h, w, 3]`, not clipped.

        Args:
            blurry: photos `[b, h, w, 3]` in [0, 1].
            flow: their motion, `[b, h, w, 2]` in pixels.
        """
        photos, motions = jnp.asarray(blurry), jnp.asarray(flow)
        length = jnp.sqrt(jnp.sum(jnp.square(motions), axis=-1, keepdims=True) + 1e-6) / LENGTH
        sigmas, couplings = self.plan(photos, length)
        denoise = make_denoiser(self._prior(), {"params": self.prior})

        def one(photo: jax.Array, motion: jax.Array, sigmas: jax.Array, couplings: jax.Array):
            blur = LineBlur(motion)
            options = {"sigmas": sigmas, "coupling": couplings, "noise": NOISE}
            options |= {"linear_steps": self.linear_steps, "margin": self.margin, "unroll": True}
            restored, _ = plug_and_play(blur, photo, denoise, **options)
            return restored, blur(restored) - photo

        restored, left = jax.vmap(one)(photos, motions, sigmas, couplings)
        hints = jnp.concatenate([photos, left, length], axis=-1)
        return self.finish(restored, sigmas[:, -1], hints)

    def _prior(self, **fields: Any) -> DenoiserNet:
        shape = {"widths": self.prior_widths, "blocks": self.prior_blocks, "fold": 2}
        return DenoiserNet(**shape, residual=True, parent=None, **fields)


class _Plan(nn.Module):
    """The schedule for each photo, from how loud and how sparse its finest details are."""

    denoisings: int
    rate: float
    filters: int = 16

    @nn.compact
    def __call__(self, photos: jax.Array, length: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the noise levels and the couplings, `[b, denoisings]` each."""
        gray = jnp.mean(photos, axis=-1, keepdims=True)
        shape = {"padding": "VALID", "use_bias": False, "kernel_init": edge_filters}
        seen = jnp.abs(nn.Conv(self.filters, (3, 3), **shape)(gray))
        over = (1, 2)
        # JPEG leaves nothing in most places: a typical size far below the mean tells it from noise.
        features = [
            jnp.log(jnp.mean(seen, axis=over) + FAINTEST),
            jnp.mean(jnp.log(seen + FAINTEST), axis=over),
            jnp.mean(length, axis=over),
        ]
        x = nn.gelu(nn.Dense(32)(jnp.concatenate(features, axis=-1)))
        x = nn.Dense(2 * self.denoisings, kernel_init=nn.initializers.zeros_init())(x)
        sigma, coupling = jnp.split(self.rate * x, 2, axis=-1)
        fixed = jnp.log(log_spaced(*SIGMAS, self.denoisings, photos.dtype))
        return jnp.minimum(jnp.exp(fixed + sigma), 1), COUPLING * jnp.exp(coupling)
