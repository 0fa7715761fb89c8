"""Pictures between two frames whose motion is known, and their mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.simulate.interpolation import interpolate_frames, interpolated_blur


def sliding(time, height=12, width=24):
    """A pattern that moves four pixels to the right between times 0 and 1."""
    columns = jnp.arange(width) - 4 * time
    row = 0.5 + 0.3 * jnp.sin(columns / 3)
    return jnp.broadcast_to(row[None, :, None], (height, width, 1))


FLOW = jnp.zeros((12, 24, 2)).at[..., 0].set(4.0)
INSIDE = (slice(None), slice(5, -5))


@pytest.mark.parametrize("time", [0.0, 0.25, 0.5, 1.0])
def test_a_motion_at_constant_speed_is_interpolated(time):
    found = interpolate_frames(sliding(0), sliding(1), FLOW, -FLOW, jnp.asarray(time))
    np.testing.assert_allclose(found[INSIDE], sliding(time)[INSIDE], atol=5e-3)


def test_the_blur_is_the_mean_from_one_frame_to_the_other():
    blur = jax.jit(interpolated_blur, static_argnames="subframes")
    blurry, middle = blur(sliding(0), sliding(1), FLOW, -FLOW, subframes=5)
    expected = sum(sliding(time) for time in np.linspace(0, 1, 5)) / 5
    np.testing.assert_allclose(blurry[INSIDE], expected[INSIDE], atol=5e-3)
    np.testing.assert_allclose(middle[INSIDE], sliding(0.5)[INSIDE], atol=5e-3)


def test_an_even_number_of_pictures_is_refused():
    with pytest.raises(ValueError, match="subframes must be odd and at least 3, got 4"):
        interpolated_blur(sliding(0), sliding(1), FLOW, -FLOW, subframes=4)
