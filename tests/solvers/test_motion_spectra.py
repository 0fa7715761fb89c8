"""Motion from the stripes in a photo's spectra: found from a poor start, or refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.flow import fit_plane, plane_flow
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.solvers.motion_spectra import VIEWS, View, refine_motion


SIZE = (112, 136)
PLANE = [[7.0, -4.0], [1.5, 1.0], [-1.0, 2.0]]
ONE_VIEW = (View(64, 24, 0.02, 0.35),)
refine = jax.jit(refine_motion, static_argnames=("views", "lengths", "steps"))


@pytest.fixture
def scene():
    """A texture whose power falls with the square of the frequency, moved by a plane."""
    noise = np.random.default_rng(0).normal(size=SIZE)
    down, right = np.meshgrid(np.fft.fftfreq(SIZE[0]), np.fft.rfftfreq(SIZE[1]), indexing="ij")
    falling = np.fft.irfft2(np.fft.rfft2(noise) / (0.01 + np.hypot(down, right)), SIZE)
    sharp = jnp.asarray(0.5 + 0.12 * falling / falling.std())[..., None]
    blurry = jax.jit(line_blur)(sharp, plane_flow(jnp.asarray(PLANE), *SIZE))
    return jnp.round(255 * jnp.repeat(blurry, 3, axis=-1)) / 255


def error(flow):
    truth = plane_flow(jnp.asarray(PLANE), *SIZE)
    apart = (jnp.linalg.norm(flow - truth, axis=-1), jnp.linalg.norm(flow + truth, axis=-1))
    return float(jnp.mean(jnp.minimum(*apart)))


def test_a_motion_is_found_from_one_that_is_poor_and_has_lost_its_signs(scene, key):
    poor = 1.25 * plane_flow(jnp.asarray(PLANE), *SIZE) + np.full((1, 1, 2), [1.0, 1.5])
    signs = jnp.where(jax.random.bernoulli(key, shape=(*SIZE, 1)), 1.0, -1.0)
    found, misfits = refine(signs * poor, scene, views=ONE_VIEW, lengths=(0.85,), steps=80)
    assert error(poor) > 2
    assert error(found) < 0.35
    assert misfits[1] < misfits[0]
    # It is a plane, with one sign.
    np.testing.assert_allclose(plane_flow(fit_plane(found), *SIZE), found, atol=1e-6)


@pytest.mark.slow  # to compile
def test_large_windows_find_what_several_lengths_begin_from(scene):
    views = (View(96, 8, 0.01, 0.25), *ONE_VIEW)
    start = 1.7 * plane_flow(jnp.asarray(PLANE), *SIZE)
    found, misfits = refine(start, scene, views=views, lengths=(0.5, 1.0), steps=80)
    assert error(found) < 0.35
    assert misfits[1] < misfits[0]


def test_the_true_motion_has_less_misfit_than_a_longer_or_a_turned_one(scene):
    truth = plane_flow(jnp.asarray(PLANE), *SIZE)
    turned = truth[..., ::-1] * np.full((1, 1, 2), [1.0, -1.0])
    misfits = [
        refine(flow, scene, views=ONE_VIEW, lengths=(1.0,), steps=40)[1][0]
        for flow in (truth, 1.4 * truth, turned)
    ]
    assert misfits[0] < min(misfits[1:])


def test_a_view_that_is_larger_than_the_photo_is_left_out(scene):
    flow = plane_flow(jnp.asarray(PLANE), *SIZE)
    options = {"lengths": (1.0,), "steps": 40}
    found, misfits = refine(flow, scene, views=(VIEWS[0], *ONE_VIEW), **options)
    expected = refine(flow, scene, views=ONE_VIEW, **options)
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(misfits, expected[1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="at least 64 pixels a side, got 40x90"):
        refine_motion(jnp.zeros((40, 90, 2)), jnp.zeros((40, 90, 3)))
    with pytest.raises(TypeError, match=r"w=90 as in flow, got float64\[70, 80, 3\]"):
        refine_motion(jnp.zeros((70, 90, 2)), jnp.zeros((70, 80, 3)))
