"""From light on the sensor to the values of a file: saturation, transfer, noise, rounding, JPEG.

The last step of every simulation, in the order in which a camera takes it: light beyond the
sensor's range is clipped, the transfer curve makes display values of it, noise is added, the
result is rounded and compressed. Each of the last three can be left out.
(Noise is added to display values, as in the papers; the variance of `shot` noise is proportional
to them.)
"""

import dataclasses

import jax
import jax.numpy as jnp

from deblur_jax.ops.sensor import Transfer, add_noise, quantize, to_display
from deblur_jax.simulate.jpeg import jpeg
from deblur_jax.typing import Image, typechecked


@dataclasses.dataclass(frozen=True)
class Camera:
    """How a camera turns light into a file; each pair bounds a uniform draw for every picture.

    Attributes:
        transfer: between light and display values, see `deblur_jax.ops.sensor`.
        sigma: standard deviation of the noise that does not depend on the signal.
        shot: variance of the photon noise at full signal.
        levels: of the file, such as 256, or None for no rounding.
        quality: of the JPEG file, from 1 to 100, or None for no compression. Only of pictures
            with three channels.
    """

    transfer: Transfer = "linear"
    sigma: tuple[float, float] = (0.0, 0.01)
    shot: tuple[float, float] = (0.0, 0.0)
    levels: int | None = None
    quality: tuple[float, float] | None = None

    def still(self) -> "Camera":
        """Returns the camera without what it does after the transfer: for sharp pictures."""
        return Camera(self.transfer, sigma=(0.0, 0.0), shot=(0.0, 0.0))


CAMERA = Camera()  # what simulations take unless told otherwise


@typechecked
def develop(key: jax.Array, light: Image, camera: Camera = CAMERA) -> jax.Array:
    """Returns the display values, in [0, 1], that `camera` records of `light`.

    Args:
        key: a JAX random key, for the strengths of the noise and the noise.
        light: `[h, w, c]`; one is the brightest that the sensor can tell from brighter ones.
        camera: what it does.
    """
    drawing, noise = jax.random.split(key)
    low, high = jnp.asarray([camera.sigma, camera.shot], light.dtype).T
    sigma, shot = jax.random.uniform(drawing, (2,), light.dtype, minval=low, maxval=high)
    display = to_display(jnp.clip(light, 0, 1), camera.transfer)
    picture = jnp.clip(add_noise(noise, display, sigma=sigma, shot=shot), 0, 1)
    if camera.levels is not None:
        picture = quantize(picture, levels=camera.levels)
    if camera.quality is not None:
        # Its own key, so that compression does not change the noise.
        low, high = camera.quality
        draw = jax.random.uniform(
            jax.random.fold_in(key, 2), (), jnp.float32, minval=low, maxval=high
        )
        picture = jpeg(picture, quality=draw)
    return picture
