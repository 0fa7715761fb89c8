"""The parts of blind estimation: planes, latent images, least squares, shapes, energies, choice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from deblur_jax.blind.choice import Candidate, choose, settled
from deblur_jax.blind.judge import WEIGHT, Judgement, judge
from deblur_jax.blind.kernel_fit import fit_kernel, normal_equations
from deblur_jax.blind.kernel_shape import (
    border_mass,
    centred,
    centred_exactly,
    clean,
    label_pieces,
    normalised,
    resized,
    support_mask,
)
from deblur_jax.blind.latent import divergence, gradient_response, gradients, sparse_latent
from deblur_jax.ops.operators import BasisBlur
from deblur_jax.ops.periodic import (
    bridge,
    canvas_side,
    inside_photo,
    kernel_spectrum,
    lay_on_canvas,
    scale_sizes,
    shrink,
)
from deblur_jax.ops.windows import windows_of
from tests.blind.scenes import hook, sharp_photo


def correlate(plane, kernel):
    """Return `out[p] = sum_d kernel[d] plane[p + d]`, periodic."""
    return ndimage.correlate(np.asarray(plane), np.asarray(kernel), mode="wrap")


def test_sides_of_canvases_come_from_a_short_list():
    sides = {canvas_side(length) for length in range(16, 2000)}
    assert len(sides) < 60
    assert all(canvas_side(side) == side for side in sides)
    assert all(length <= canvas_side(length) < 1.16 * length + 1 for length in range(16, 2000))


def test_a_bridge_keeps_the_photo_and_closes_the_plane():
    photo = np.asarray(sharp_photo(40, 50)[..., 0])
    filled = np.asarray(bridge(jnp.asarray(lay_on_canvas(photo, (60, 72))), np.asarray([40, 50])))
    np.testing.assert_array_equal(filled[:40, :50], photo)
    assert np.abs(np.roll(filled, 1, 0) - filled)[40:].max() < 0.2
    assert np.abs(np.roll(filled, 1, 1) - filled)[:, 50:].max() < 0.2
    assert int(inside_photo((60, 72), np.asarray([40, 50])).sum()) == 2000


def test_a_shrunk_plane_keeps_its_mean_and_smooth_waves():
    rows, columns = np.mgrid[:64, :96]
    wave = np.float32(np.cos(2 * np.pi * (rows / 64 + 2 * columns / 96)))
    small, same = shrink(wave, [(45, 70), (64, 96)])
    assert same is wave
    assert small.dtype == np.float32
    rows, columns = np.mgrid[:45, :70]
    expected = np.cos(2 * np.pi * (rows / 45 + 2 * columns / 70))
    expected *= np.sinc(1 / 45) * np.sinc(2 / 70)
    np.testing.assert_allclose(small, expected, atol=1e-4)
    assert scale_sizes((864, 960), 3) == [(864, 960), (625, 686), (432, 480)]


def test_the_spectrum_of_a_kernel_correlates():
    plane = np.random.default_rng(0).uniform(size=(24, 30)).astype(np.float32)
    response = kernel_spectrum(jnp.asarray(hook()), plane.shape)
    again = np.fft.irfft2(np.asarray(response) * np.fft.rfft2(plane), plane.shape)
    np.testing.assert_allclose(again, correlate(plane, hook()), atol=1e-5)


def test_divergence_is_the_adjoint_of_gradients():
    draw = np.random.default_rng(0)
    plane, right, down = draw.uniform(size=(3, 12, 14)).astype(np.float32)
    x, y = gradients(jnp.asarray(plane))
    adjoint = divergence(jnp.asarray(right), jnp.asarray(down))
    np.testing.assert_allclose((x * right + y * down).sum(), (plane * adjoint).sum(), rtol=1e-4)


def spectra(plane):
    return tuple(map(jnp.fft.rfft2, gradients(jnp.asarray(plane))))


def test_the_response_of_gradients_is_that_of_the_differences():
    plane = np.random.default_rng(0).uniform(size=(12, 15)).astype(np.float32)
    for response, expected in zip(gradient_response(plane.shape), spectra(plane), strict=True):
        np.testing.assert_allclose(response * jnp.fft.rfft2(plane), expected, atol=1e-4)


def test_the_latent_image_of_a_blurred_step_is_the_step():
    step = np.zeros((48, 48), np.float32)
    step[10:30, 12:36] = 0.7
    blurry = correlate(step, hook())
    response = kernel_spectrum(jnp.asarray(hook()), step.shape)
    latent = sparse_latent(jnp.fft.rfft2(blurry), response, step.shape, 1e-3)
    assert float(jnp.abs(latent - step).max()) < 0.05


def test_least_squares_give_the_kernel_back_and_nothing_outside_the_support():
    plane = np.random.default_rng(0).uniform(size=(40, 44)).astype(np.float32)
    x, y = spectra(plane), spectra(correlate(plane, hook()))
    matrix, right = normal_equations(x, y, plane.shape, 15)
    kernel = fit_kernel(matrix, right, support_mask(15, 11), jnp.asarray(1e-4), steps=60)
    np.testing.assert_allclose(kernel[2:-2, 2:-2], hook(), atol=1e-3)
    outside = np.asarray(kernel) * (1 - np.asarray(support_mask(15, 11)))
    assert np.abs(outside).max() == 0


def test_least_squares_solve_the_regularised_normal_equations():
    draw = np.random.default_rng(1)
    plane, target = draw.uniform(size=(2, 20, 22)).astype(np.float32)
    side, ridge = 5, 3.0
    matrix, right = normal_equations(spectra(plane), spectra(target), plane.shape, side)
    kernel = fit_kernel(matrix, right, jnp.ones((side, side)), jnp.asarray(ridge), steps=100)
    units = np.eye(side * side).reshape(-1, side, side)
    x, y = gradients(jnp.asarray(plane)), gradients(jnp.asarray(target))
    columns = [np.concatenate([correlate(g, unit).ravel() for g in x]) for unit in units]
    stacked = np.stack(columns, -1)
    given = np.concatenate([np.ravel(g) for g in y])
    left = stacked.T @ stacked + ridge * np.eye(side * side)
    expected = np.linalg.solve(left, stacked.T @ given)
    np.testing.assert_allclose(np.ravel(kernel), expected, atol=1e-4)


@pytest.mark.parametrize("offset", [(0, 0), (0.5, -0.25), (-0.4, 0.1)])
def test_a_kernel_is_centred_between_the_pixels(offset):
    rows, columns = np.mgrid[-7:8, -7:8]
    blob = np.exp(-((rows - offset[0]) ** 2 / 8 + (columns - offset[1]) ** 2 / 5))
    expected = np.exp(-(rows**2 / 8 + columns**2 / 5))
    moved = centred_exactly(blob / blob.sum())
    assert moved.shape == (17, 17)
    np.testing.assert_allclose(moved.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(moved[1:-1, 1:-1], expected / expected.sum(), atol=2e-3)


def test_pieces_are_those_of_scipy():
    mask = np.random.default_rng(0).uniform(size=(25, 25)) < 0.3
    labels = np.asarray(label_pieces(jnp.asarray(mask)))
    expected, count = ndimage.label(mask, structure=np.ones((3, 3)))
    assert len(np.unique(labels[mask])) == count
    pairs = {(a, b) for a, b in zip(labels[mask], expected[mask], strict=True)}
    assert len(pairs) == count


def test_a_spiral_is_one_piece():
    mask = np.zeros((15, 15), bool)
    mask[1, 1:14] = mask[1:14, 13] = mask[13, 3:14] = mask[3:14, 3] = mask[3, 3:11] = True
    mask[3:11, 11] = mask[11, 5:12] = mask[5:12, 5] = True
    mask[4, 11] = True
    assert len(np.unique(np.asarray(label_pieces(jnp.asarray(mask))))) == 2


def test_cleaning_drops_what_is_negative_faint_or_small():
    kernel = np.zeros((11, 11), np.float32)
    kernel[5, 3:8] = 1.0
    kernel[0, 0] = 0.2  # a small piece
    kernel[4, 4] = 0.04  # faint
    kernel[9, 9] = -0.5
    cleaned = np.asarray(clean(jnp.asarray(kernel), smallest=0.1))
    expected = np.zeros((11, 11))
    expected[5, 3:8] = 0.2
    np.testing.assert_allclose(cleaned, expected, atol=1e-6)


def test_the_largest_piece_stays_even_if_small_and_an_empty_kernel_becomes_a_point():
    scattered = np.zeros((9, 9), np.float32)
    scattered[::2, ::2] = 1
    scattered[0, 0] = 1.5
    cleaned = np.asarray(clean(jnp.asarray(scattered), smallest=0.5))
    assert cleaned[0, 0] == pytest.approx(1)
    point = np.asarray(normalised(jnp.zeros((5, 5))))
    assert (point[2, 2], point.sum()) == (1, 1)


def test_centring_moves_whole_pixels_and_loses_nothing():
    kernel = np.zeros((11, 11), np.float32)
    kernel[1:4, 2:5] = hook()[2:5, 2:5] + 0.1
    kernel /= kernel.sum()
    moved = np.asarray(centred(jnp.asarray(kernel)))
    down, right = (round(5 - c) for c in ndimage.center_of_mass(kernel))
    np.testing.assert_allclose(moved, np.roll(kernel, (down, right), (0, 1)), atol=1e-6)


def test_a_kernel_drawn_larger_keeps_its_sum_and_grows_in_spread():
    large = np.asarray(resized(jnp.asarray(hook()), 31, 2.0))
    np.testing.assert_allclose(large.sum(), 1, rtol=1e-5)
    old, new = ndimage.center_of_mass(hook()), ndimage.center_of_mass(large)
    np.testing.assert_allclose(np.subtract(new, 15), 2 * np.subtract(old, 5), atol=0.1)


def test_the_mass_on_the_border_of_a_support_is_measured():
    kernel = np.zeros((15, 15), np.float32)
    kernel[7, 7], kernel[7, 11] = 0.7, 0.3
    assert border_mass(kernel, 9) == pytest.approx(0.3)
    assert border_mass(kernel, 13) == 0


def energy(plane, kernel, trusted=None):
    trusted = np.ones_like(plane) if trusted is None else trusted
    windows = windows_of(plane.shape, 1)
    whole, _ = judge(
        jnp.asarray(plane), jnp.asarray(trusted), np.asarray(plane.shape), kernel, windows=windows
    )
    return whole


def test_the_energy_is_the_misfit_and_the_counted_gradients():
    step = np.zeros((96, 96), np.float32)
    step[30:60, 30:70] = 0.6
    delta = np.zeros((11, 11), np.float32)
    delta[5, 5] = 1
    found = energy(step, delta)
    edge = 2 * 30 + 2 * 40 + 0  # pixels whose forward differences cross the rectangle's outline
    assert float(found.misfit) < 1e-6
    share = (float(found.energy) - float(found.misfit)) / WEIGHT
    assert share == pytest.approx(edge / (96 - 24) ** 2, abs=3 / 72**2)


def test_the_true_kernel_has_less_energy_than_no_blur_or_its_mirror_image():
    sharp = np.float32(sharp_photo()[..., 1])
    blurry = correlate(sharp, hook())
    delta = np.zeros((11, 11), np.float32)
    delta[5, 5] = 1
    true, still, mirrored = (energy(blurry, k) for k in (hook(), delta, hook()[::-1].copy()))
    assert float(true.energy) < 0.95 * float(still.energy)
    assert float(true.energy) < float(mirrored.energy)
    assert float(true.ratio) < float(still.ratio)


def test_pixels_that_are_not_trusted_do_not_count():
    plane = np.float32(sharp_photo()[..., 1])
    spoilt, trusted = plane.copy(), np.ones_like(plane)
    trusted[50:56, 60:66] = 0
    spoilt[52:54, 62:64] += 3.0
    delta = np.zeros((11, 11), np.float32)
    delta[5, 5] = 1
    clean_, masked = energy(plane, delta, trusted), energy(spoilt, delta, trusted)
    np.testing.assert_allclose(masked.energy, clean_.energy, rtol=0.02)


def candidate(support, energy, ratio, border=0.0):
    whole = Judgement(*map(jnp.asarray, (energy, 0.0, ratio, 1.0)))
    return Candidate(support, np.ones((support, support)), border, whole, whole)


STILL = candidate(1, 1.0, 0.40)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([candidate(15, 1.1, 0.3)], 1),  # explains less than no blur
        ([candidate(15, 0.86, 0.33), candidate(21, 0.75, 0.32), candidate(41, 0.92, 0.3)], 21),
        ([candidate(15, 0.99, 0.34), candidate(21, 1.01, 0.262), candidate(41, 1.01, 0.26)], 21),
        ([candidate(15, 0.90, 0.40), candidate(21, 0.90, 0.395)], 15),  # equal: the smaller
        ([candidate(15, 0.90, 0.30, border=0.1), candidate(21, 0.92, 0.30)], 21),  # truncated
        ([candidate(15, 0.80, 0.30, border=0.1), candidate(21, 0.95, 0.30)], 15),
        ([], 1),
    ],
)
def test_the_choice_is_by_energy_then_ratio_then_size(others, expected):
    assert choose([STILL, *others]).support == expected


def test_two_supports_that_gain_nothing_end_the_search():
    good, bad, worse = candidate(11, 0.8, 0.3), candidate(15, 0.9, 0.3), candidate(21, 0.95, 0.3)
    assert not settled([STILL])
    assert not settled([STILL, good, bad])
    assert settled([STILL, good, bad, worse])
    assert not settled([STILL, good, bad, candidate(21, 0.7, 0.3)])
    assert not settled([STILL, good, bad, candidate(21, 0.799, 0.3)])
    assert not settled([STILL, good, bad, candidate(21, 0.95, 0.3, border=0.1)])


def test_the_operator_of_the_package_blurs_by_the_same_convention():
    plane = np.float32(sharp_photo(40, 44))
    blur = BasisBlur(jnp.asarray(hook())[None], jnp.ones((40, 44, 1)))
    expected = correlate(plane[..., 0], hook())
    inner = slice(6, -6), slice(6, -6)
    np.testing.assert_allclose(blur(jnp.asarray(plane))[..., 0][inner], expected[inner], atol=1e-4)
    assert jax.tree.leaves(blur)
