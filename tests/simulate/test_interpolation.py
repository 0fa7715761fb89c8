"""Pictures between two frames whose motion is known, and their mean."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.simulate.interpolation import MOST, interpolate_frames, interpolated_blur


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


def blurred(motion, fewest):
    blur = jax.jit(interpolated_blur, static_argnames="fewest")
    flow = FLOW * motion / 4
    return blur(sliding(0), sliding(motion / 4), flow, -flow, fewest=fewest)


@pytest.mark.parametrize(("motion", "fewest", "between"), [(4, 3, 4), (4, 5, 5), (6.5, 5, 7)])
def test_the_blur_is_the_mean_of_both_frames_and_one_picture_a_pixel(motion, fewest, between):
    blurry, middle = blurred(motion, fewest)
    times = np.linspace(0, 1, between + 2)
    expected = sum(sliding(motion / 4 * time) for time in times) / len(times)
    inside = (slice(None), slice(8, -8))
    np.testing.assert_allclose(blurry[inside], expected[inside], atol=2e-3)
    np.testing.assert_allclose(middle[inside], sliding(motion / 8)[inside], atol=5e-3)


def test_each_example_of_a_batch_has_a_number_of_pictures_of_its_own():
    motions = jnp.array([4.0, 6.5])
    flows = FLOW * motions[:, None, None, None] / 4
    lasts = jnp.stack([sliding(motion / 4) for motion in motions])
    firsts = jnp.stack([sliding(0)] * 2)
    batch = jax.jit(jax.vmap(interpolated_blur))(firsts, lasts, flows, -flows)[0]
    for found, motion in zip(batch, motions, strict=True):
        np.testing.assert_allclose(found, blurred(float(motion), 5)[0], atol=1e-6)


def test_an_endless_motion_does_not_take_endless_pictures():
    flow = FLOW.at[3, 3].set(jnp.inf)
    blurry, _ = interpolated_blur(sliding(0), sliding(1), flow, -FLOW)
    assert blurry.shape == (12, 24, 1)


@pytest.mark.parametrize("fewest", [0, MOST + 1])
def test_a_number_of_pictures_out_of_range_is_refused(fewest):
    with pytest.raises(ValueError, match=f"fewest must be from 1 to 100, got {fewest}"):
        interpolated_blur(sliding(0), sliding(1), FLOW, -FLOW, fewest=fewest)
