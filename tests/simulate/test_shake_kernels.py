from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.simulate.shake_kernels import (
    Tremor,
    Wander,
    draw_tremor,
    draw_wander,
    path_kernel,
    shake_kernel,
    tremor_path,
    wander_path,
)
from tests.reference import path_kernel as reference
from tests.reference import wander as wander_reference


def batch(function, key, count):
    return np.asarray(jax.jit(jax.vmap(function))(jax.random.split(key, count)))


def centroids(kernels):
    cells = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    return np.stack([np.einsum("nij,j->n", kernels, cells), np.einsum("nij,i->n", kernels, cells)])


@pytest.mark.parametrize("smooth", [0.0, 0.3, 1.0])
def test_path_kernel_is_the_time_that_the_path_spends_in_each_pixel(key, smooth):
    path = 1.5 * jax.random.normal(key, (9, 2))
    kernel = path_kernel(path, 7, smooth=smooth)
    np.testing.assert_allclose(kernel, reference.path_kernel(path, 7, smooth), atol=1e-6)


def test_a_path_to_the_right_marks_the_right_columns():
    kernel = path_kernel(jnp.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), 5)
    np.testing.assert_allclose(kernel[2], [0, 0, 1 / 3, 0, 1 / 3], atol=1e-6)
    np.testing.assert_allclose(kernel[3, 2], 1 / 3, atol=1e-6)


def shake(key, focal, wander, still, smooth):
    shares = {"wander_share": wander, "still_share": still, "smooth_share": smooth}
    return shake_kernel(key, 33, tremor=Tremor(focal=(focal, focal)), **shares)


drawn = jax.jit(jax.vmap(shake, in_axes=(0, None, None, None, None)))


def many(key, focal=500.0, wander=0.5, still=0.01, smooth=0.5):
    return np.asarray(drawn(jax.random.split(key, 200), focal, wander, still, smooth))


@pytest.mark.parametrize("wander", [0.0, 1.0])
def test_kernels_of_both_kinds_are_non_negative_sum_to_one_and_are_centred(key, wander):
    kernels = many(key, wander=wander)
    assert kernels.shape == (200, 33, 33)
    assert kernels.min() >= 0
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-5)
    # Smoothing at the edge of the support moves the centre a little; nothing else does.
    assert np.abs(centroids(kernels)).max() < 0.25
    assert np.abs(centroids(many(key, wander=wander, smooth=0.0))).max() < 1e-4


@pytest.mark.parametrize("share", [0.3, pytest.param(1.0, marks=pytest.mark.slow)])
def test_the_shares_of_both_kinds_are_those_requested(key, share):
    def is_still(kernels):
        return np.mean(np.max(kernels, axis=(1, 2)) > 0.9999)

    error = 4 * np.sqrt(share * (1 - share) / 200)
    assert abs(is_still(many(key, wander=0.0, still=share)) - share) <= error
    # A tremor without blur makes the two kinds distinguishable.
    kernels = many(key, focal=1e-4, wander=share, still=0.0, smooth=0.0)
    assert abs(1 - is_still(kernels) - share) <= error


def test_tremor_has_the_drift_and_the_residual_of_measured_paths(key):
    """Ten measured paths of half a second: drift 0.019 rad rms, residual 0.001 rad."""
    angles = batch(partial(draw_tremor, tremor=Tremor(exposure=0.5)), key, 2000)
    paths = angles.transpose(1, 0, 2).reshape(angles.shape[1], -1)
    line = np.stack([np.ones(len(paths)), np.linspace(0, 1, len(paths))], axis=1)
    fit = np.linalg.lstsq(line, paths, rcond=None)[0]
    np.testing.assert_allclose(np.sqrt(np.mean(fit[1] ** 2)), 0.017, rtol=0.05)
    np.testing.assert_allclose(np.median((paths - line @ fit).std(axis=0)), 0.0008, rtol=0.1)


def test_longer_lenses_draw_longer_kernels_and_fit_less_often(key):
    angles = batch(draw_tremor, key, 2000)
    extents = {focal: np.abs(focal * angles).max(axis=(1, 2)) for focal in (300, 500, 800)}
    accepted = [np.mean(extents[focal] <= 16) for focal in extents]
    np.testing.assert_allclose(accepted, [1.0, 0.9, 0.52], atol=0.05)
    medians = [np.median(extents[focal]) for focal in extents]
    np.testing.assert_allclose(medians, [5.9, 9.8, 15.6], rtol=0.06)


def test_tremor_is_confined_to_its_band(key):
    tremor = Tremor(drift_speed=0.0, exposure=4.0)
    angles = batch(partial(draw_tremor, tremor=tremor), key, 50)
    np.testing.assert_allclose(np.sqrt(np.mean(angles**2)), tremor.tremor_angle, rtol=0.1)
    power = np.mean(np.abs(np.fft.rfft(angles, axis=1)) ** 2, axis=(0, 2))
    frequencies = np.fft.rfftfreq(angles.shape[1], 1 / 128)
    inside = (frequencies > 6.5) & (frequencies < 12.5)
    assert power[inside].sum() > 0.95 * power.sum()


@pytest.mark.parametrize(
    ("draw", "extents", "shrunk"),
    # Half the side of the box around a path, at three quantiles.
    [(tremor_path, [5.37, 7.95, 10.9], 0.002), (wander_path, [1.52, 2.28, 3.43], 0.007)],
)
def test_paths_are_centred_and_fit_a_kernel_of_thirty_three_nearly_always(
    key, draw, extents, shrunk
):
    paths = batch(partial(draw, side=33), key, 2000)
    half = np.abs(paths).max(axis=(1, 2))
    assert half.max() <= 16 * (1 + 1e-6)
    assert np.abs(paths.mean(axis=1)).max() < 1e-4
    np.testing.assert_allclose(np.quantile(half, [0.25, 0.5, 0.75]), extents, rtol=0.08)
    # Shrinking, the last resort, leaves the peak exactly on the kernel's edge.
    assert np.mean(half > 16 - 1e-3) < shrunk + 4 * np.sqrt(shrunk / 2000)


def test_wander_has_constant_speed_and_the_requested_length(key):
    paths = batch(partial(draw_wander, wander=Wander(length=40.0, steps=50)), key, 20)
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=-1)
    np.testing.assert_allclose(steps, 40 / 49, rtol=1e-4)
    np.testing.assert_array_equal(paths[:, 0], 0)


def test_wander_is_boracchi_and_fois_walk(key):
    """Five hundred steps here against two thousand there: extents and how many fit 33 pixels."""
    rng = np.random.default_rng(0)
    walks = np.stack([wander_reference.wander(rng) for _ in range(300)])
    ours = batch(draw_wander, key, 2000)
    for share, fitting in ((0.5, 1.0), (1.0, 0.972)):
        half = [
            np.abs(part - part.mean(axis=1, keepdims=True)).max(axis=(1, 2))
            for part in (
                ours[:, : int(500 * share)],
                np.stack([walks.real, walks.imag], axis=-1)[:, : int(2000 * share)],
            )
        ]
        quantiles = [np.quantile(each, [0.25, 0.5, 0.75]) for each in half]
        np.testing.assert_allclose(*quantiles, rtol=0.2)
        assert abs(np.mean(half[0] <= 16) - fitting) < 0.016


def test_scaled_generators_scale_their_paths(key):
    draw = jax.jit(lambda ratio: draw_wander(key, Wander(steps=40).scaled(ratio)))
    small, large = draw(1.0), draw(3.0)
    np.testing.assert_allclose(large, 3 * small, rtol=1e-3, atol=1e-3)
    assert Tremor(focal=(2.0, 4.0)).scaled(3.0).focal == (6.0, 12.0)


@pytest.mark.slow  # most tests of this file draw many kernels by vmap
def test_vmap_equals_a_loop(key):
    single = jax.jit(shake)
    looped = [single(k, 500.0, 0.5, 0.01, 0.5) for k in jax.random.split(key, 200)[:3]]
    np.testing.assert_allclose(many(key)[:3], np.stack(looped), atol=2e-5)


def test_jit_changes_nothing(key):
    path = jax.random.normal(key, (5, 2))
    jitted = jax.jit(path_kernel, static_argnums=1)
    np.testing.assert_allclose(jitted(path, 5), path_kernel(path, 5), atol=1e-6)


@pytest.mark.parametrize("side", [8, 0, -3])
def test_a_kernel_without_a_centre_is_refused(key, side):
    with pytest.raises(ValueError, match="side must be odd so that a kernel has a centre, got"):
        shake_kernel(key, side)


def test_a_path_of_the_wrong_shape_is_refused():
    with pytest.raises(TypeError, match=r"path_kernel: path must be a float array of shape"):
        path_kernel(jnp.zeros((2, 5)), 9)
