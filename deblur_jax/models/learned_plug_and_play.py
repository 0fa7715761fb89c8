"""A network that estimates a camera's motion and removes its blur, trained end to end.

`CameraMotionNet` estimates the motion of every pixel. A few steps of `solvers.plug_and_play` invert
the blur, with a learned denoiser as prior. Noise and compression of the photo are unknown, so a
small network predicts the noise levels and couplings of the steps from the photo. A last network
corrects artefacts of an inexact motion; its inputs are the restored photo, the blurry photo, the
re-blur residual and the length of the motion. Gradients flow from the restored photo into all
parts, and into the estimator by the derivative of the blur with respect to the motion. Before
training the schedule is fixed and the last network is the identity.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.blocks import edge_filters
from deblur_jax.models.blur_estimate import BlurEstimate
from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.denoiser import DenoiserNet, make_denoiser
from deblur_jax.ops.flow import halve_angle
from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.plug_and_play import COUPLING, plug_and_play
from deblur_jax.solvers.schedules import log_spaced
from deblur_jax.typing import Flows, Images, typechecked


SIGMAS = (25 / 255, 3 / 255)  # initial noise levels of the first and the last denoising
NOISE = 2 / 255  # noise level of the photo that the initial schedule assumes
HINTS = 7  # channels: the photo, the re-blur residual, and the length of the motion
LENGTH = 32.0  # pixels of motion that count as one
FAINTEST = 1e-4  # floor of the filter responses inside logarithms


class Restored(NamedTuple):
    """Output of `LearnedPlugAndPlayNet`.

    Attributes:
        photos: restored, `[b, h, w, 3]`, not clipped.
        doubled: the motion with doubled angles, `[b, h, w, 2]` in pixels.
    """

    photos: jax.Array
    doubled: jax.Array


class LearnedPlugAndPlayNet(nn.Module):
    """Estimates the motion of every pixel, and restores the photo by learned steps.

    Attributes:
        width: `CameraMotionNet.width` of the estimator.
        blocks: `CameraMotionNet.blocks` of the estimator.
        window: `CameraMotionNet.window` of the estimator.
        scale: `CameraMotionNet.scale` of the estimator.
        unit: `CameraMotionNet.unit` of the estimator.
        prior_widths: `DenoiserNet.widths` of the denoiser and of the last network.
        prior_blocks: `DenoiserNet.blocks` of the denoiser and of the last network.
        denoising_steps: number of denoising steps.
        linear_steps: conjugate gradient steps before each denoising step.
        margin: width in pixels of the unknown border that is restored around the photo.
        schedule_rate: factor on the output of the network that predicts the schedule; larger values
            make it train faster than the other parts.
    """

    width: int = 192
    blocks: int = 5
    window: int = 64
    scale: float = 8.0
    unit: float = 128.0
    prior_widths: Sequence[int] = (32, 64, 128)
    prior_blocks: int = 1
    denoising_steps: int = 3
    linear_steps: int = 6
    margin: int = 16
    schedule_rate: float = 10.0

    def setup(self) -> None:
        """Creates the parts; the parameters in `prior` are those of a `DenoiserNet`."""
        self.estimator: CameraMotionNet = self.motion_estimator()
        self.plan: _Schedule = _Schedule(self.denoising_steps, self.schedule_rate)
        self.finish: DenoiserNet = self._prior(hints=HINTS, gain=0.0)
        photo = jnp.zeros((1, 8, 8, 3))
        self.prior: Any = self.param("prior", lambda key: self._prior().init(key, photo)["params"])

    def motion_estimator(self) -> CameraMotionNet:
        """Returns the estimator as a network of its own, for the parameters in `estimator`."""
        return CameraMotionNet(
            self.width, self.blocks, self.window, self.scale, self.unit, parent=None
        )

    @nn.nowrap
    def estimate_blur(self, variables: Any, photo: jax.Array) -> BlurEstimate:
        """Returns the estimated motion of a photo `[h, w, 3]` as a `LineBlur`."""
        parameters = {"params": variables["params"]["estimator"]}
        return self.motion_estimator().estimate_blur(parameters, photo)

    @typechecked
    def __call__(self, blurry: Images) -> Restored:
        """Returns the restored photos and their motion.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1].
        """
        doubled = self.estimate_motion(blurry)
        return Restored(self.restore(blurry, self.flow(doubled)), doubled)

    def estimate_motion(self, blurry: Images) -> jax.Array:
        """Returns the motion with doubled angles, `[b, h, w, 2]` in pixels."""
        return jnp.asarray(self.estimator(blurry))

    def flow(self, doubled: Flows) -> jax.Array:
        """Returns the canonical flow of a motion with doubled angles, in pixels `[b, h, w, 2]`."""
        return jax.vmap(halve_angle)(doubled)

    @typechecked
    def restore(self, blurry: Images, flow: Flows) -> jax.Array:
        """Returns photos restored with a given motion, `[b, h, w, 3]`, not clipped.

        Args:
            blurry: photos `[b, h, w, 3]`, display values in [0, 1].
            flow: motion of every pixel, `[b, h, w, 2]` in pixels.
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

        restored, residual = jax.vmap(one)(photos, motions, sigmas, couplings)
        hints = jnp.concatenate([photos, residual, length], axis=-1)
        return self.finish(restored, sigmas[:, -1], hints)

    def _prior(self, **fields: Any) -> DenoiserNet:
        shape = {"widths": self.prior_widths, "blocks": self.prior_blocks, "fold": 2}
        return DenoiserNet(**shape, residual=True, parent=None, **fields)


class _Schedule(nn.Module):
    """Predicts the schedule of a photo from statistics of its fine details."""

    steps: int
    rate: float
    filters: int = 16

    @nn.compact
    def __call__(self, photos: jax.Array, length: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the noise levels and the couplings, `[b, steps]` each."""
        grey = jnp.mean(photos, axis=-1, keepdims=True)
        shape = {"padding": "VALID", "use_bias": False, "kernel_init": edge_filters}
        details = jnp.abs(nn.Conv(self.filters, (3, 3), **shape)(grey))
        over = (1, 2)
        # JPEG removes the details at most pixels, so their geometric mean is far below the
        # arithmetic mean; for noise the two are close.
        features = [
            jnp.log(jnp.mean(details, axis=over) + FAINTEST),
            jnp.mean(jnp.log(details + FAINTEST), axis=over),
            jnp.mean(length, axis=over),
        ]
        x = nn.gelu(nn.Dense(32)(jnp.concatenate(features, axis=-1)))
        x = nn.Dense(2 * self.steps, kernel_init=nn.initializers.zeros_init())(x)
        sigma, coupling = jnp.split(self.rate * x, 2, axis=-1)
        fixed = jnp.log(log_spaced(*SIGMAS, self.steps, photos.dtype))
        return jnp.minimum(jnp.exp(fixed + sigma), 1), COUPLING * jnp.exp(coupling)
