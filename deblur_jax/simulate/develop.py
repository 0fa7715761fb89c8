"""From light on the sensor to the values of a file: saturation, transfer, noise, rounding, JPEG.

This is the last step of every simulation, in the order of a camera's pipeline: light is clipped to
the sensor's range and converted to display values, noise is added, and the result is rounded and
compressed. The last three steps are optional. Noise is added to display values, as in the papers,
and the variance of `shot` noise is proportional to them.
"""

import dataclasses

import jax
import jax.numpy as jnp

from deblur_jax.ops.sensor import Transfer, add_noise, quantize, to_display
from deblur_jax.simulate.jpeg import jpeg
from deblur_jax.typing import Image, typechecked


@dataclasses.dataclass(frozen=True)
class Camera:
    """How a camera turns light into a file; pairs are the bounds of a uniform draw per picture.

    Attributes:
        transfer: curve between light and display values, see `deblur_jax.ops.sensor`.
        sigma: standard deviation of the signal-independent noise.
        shot: variance of the photon noise at full signal.
        levels: number of levels of the file, such as 256, or None for no rounding.
        quality: JPEG quality from 1 to 100, or None for no compression; for pictures with three
            channels.
    """

    transfer: Transfer = "linear"
    sigma: tuple[float, float] = (0.0, 0.01)
    shot: tuple[float, float] = (0.0, 0.0)
    levels: int | None = None
    quality: tuple[float, float] | None = None

    def still(self) -> "Camera":
        """Returns the camera without noise, rounding and compression, for sharp pictures."""
        return Camera(self.transfer, sigma=(0.0, 0.0), shot=(0.0, 0.0))


CAMERA = Camera()  # the default of the simulations


@typechecked
def develop(key: jax.Array, light: Image, camera: Camera = CAMERA) -> jax.Array:
    """Returns the display values, in [0, 1], that `camera` records for `light`.

    Args:
        key: a JAX random key, for the noise and its level.
        light: `[h, w, c]`; the sensor saturates at one.
        camera: transfer, noise, rounding and compression.
    """
    drawing, noise = jax.random.split(key)
    low, high = jnp.asarray([camera.sigma, camera.shot], light.dtype).T
    sigma, shot = jax.random.uniform(drawing, (2,), light.dtype, minval=low, maxval=high)
    display = to_display(jnp.clip(light, 0, 1), camera.transfer)
    picture = jnp.clip(add_noise(noise, display, sigma=sigma, shot=shot), 0, 1)
    if camera.levels is not None:
        picture = quantize(picture, levels=camera.levels)
    if camera.quality is not None:
        # A separate key, so that compression does not change the noise.
        low, high = camera.quality
        draw = jax.random.uniform(
            jax.random.fold_in(key, 2), (), jnp.float32, minval=low, maxval=high
        )
        picture = jpeg(picture, quality=draw)
    return picture
