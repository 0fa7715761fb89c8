"""A net that sees the motion in a blurred photo and takes it out, trained as one.

`MotionContextNet` estimates the motion of every pixel, and `solvers.unrolled` takes it out by a
fixed number of steps with total variation as prior. The gradient of the restored photo passes
through all steps into the schedule of the solver and, by the derivative of the blur with respect to
the motion, into the estimator. Before training the schedule is the fixed one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from deblur_jax.models.motion_context import MotionContextNet
from deblur_jax.ops.flow import halve_angle
from deblur_jax.ops.operators import LineBlur
from deblur_jax.solvers.total_variation import denoise_total_variation
from deblur_jax.solvers.unrolled import Parameters, initial_parameters, unrolled
from deblur_jax.typing import Array, Flows, Images, typechecked


class Restored(NamedTuple):
    """What `UnrolledNet` makes of photos.

    Attributes:
        photos: restored, `[b, h, w, c]`, not clipped.
        doubled: the motion with doubled angles, `[b, h, w, 2]` in pixels.
    """

    photos: jax.Array
    doubled: jax.Array


class UnrolledNet(nn.Module):
    """Estimates the motion of every pixel, and restores the photo by learned steps.

    Attributes:
        widths: of the estimator, as are `blocks`, `scale` and `reach`; see `MotionContextNet`.
        blocks: see there.
        scale: see there.
        reach: see there.
        denoisings: how many times the photo is denoised.
        descents: gradient steps before each denoising.
        margin: width of the unknown frame around the photo in pixels.
        strength: of the total variation before training, in units of the noise level.
        denoising_steps: iterations inside each denoising.
        schedule_rate: how many times faster than the net's other parameters the schedule learns.
    """

    widths: Sequence[int] = (32, 64, 96)
    blocks: int = 2
    scale: float = 4.0
    reach: float = 2.5
    denoisings: int = 8
    descents: int = 2
    margin: int = 8
    strength: float = 0.25
    denoising_steps: int = 5
    schedule_rate: float = 10.0

    def setup(self):
        """Makes the estimator, and the schedule's offsets from the fixed one."""
        self.estimator = MotionContextNet(self.widths, self.blocks, self.scale, self.reach)
        self.offsets = {
            name: self.param(name, nn.initializers.zeros_init(), value.shape)
            for name, value in self._fixed().items()
        }

    @typechecked
    def __call__(self, blurry: Images) -> Restored:
        """Returns the restored photos and their motion.

        Args:
            blurry: photos `[b, h, w, c]` in [0, 1].
        """
        doubled = jnp.asarray(self.estimator(blurry))
        return Restored(self.restore(blurry, jax.vmap(halve_angle)(doubled)), doubled)

    def restore(self, blurry: Images, flow: Flows, *, learned: bool = True) -> jax.Array:
        """Returns photos restored with a given motion, `[b, h, w, c]`, not clipped.

        Args:
            blurry: photos `[b, h, w, c]` in [0, 1].
            flow: their motion, `[b, h, w, 2]` in pixels.
            learned: whether to take the learned schedule, or that before training.
        """
        params = self._fixed()
        if learned:
            params = {k: x + self.schedule_rate * self.offsets[k] for k, x in params.items()}

        def denoise(image: Array, sigma: Array) -> jax.Array:
            amount = self.strength * sigma
            return denoise_total_variation(image, amount, num_steps=self.denoising_steps)

        def one(photo: jax.Array, motion: jax.Array) -> jax.Array:
            return unrolled(LineBlur(motion), photo, denoise, params=params, margin=self.margin)[0]

        return jax.vmap(one)(jnp.asarray(blurry), jnp.asarray(flow))

    def flow(self, restored: Restored) -> jax.Array:
        """Returns the canonical flow of the net's output, in pixels `[b, h, w, 2]`."""
        return jax.vmap(halve_angle)(restored.doubled)

    def _fixed(self) -> Parameters:
        return initial_parameters(denoisings=self.denoisings, descents=self.descents)
