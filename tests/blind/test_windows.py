"""Kernels of windows: drawn by any blur, judged like one kernel, refined, and undone together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.blind.hypotheses import blur_of
from deblur_jax.blind.judge import judge, judge_windows
from deblur_jax.blind.kernel_shape import centred_exactly
from deblur_jax.blind.local_kernels import window_kernels
from deblur_jax.blind.restoration import restore_closed
from deblur_jax.blind.verdict import Hypothesis
from deblur_jax.blind.window_fit import nearness, refine_windows
from deblur_jax.blind.working_photo import working_photo
from deblur_jax.ops.operators import LineBlur, UniformBlur, WindowedBlur
from deblur_jax.ops.periodic import bridge, canvas_side, lay_on_canvas
from deblur_jax.ops.windows import centres, windows_of
from deblur_jax.solvers.total_variation import denoise_total_variation
from experiments.shared import best_shift
from tests.blind.scenes import blurred, hook, likeness, sharp_photo


HEIGHT, WIDTH, SIDE = 186, 120, 11
SIZE = (canvas_side(HEIGHT + SIDE), canvas_side(WIDTH + SIDE))


def denoise(image, sigma):
    return denoise_total_variation(image, sigma)


def draw(vector, side):
    """Returns the correlation kernel of a straight motion."""
    flow = jnp.broadcast_to(jnp.asarray(vector, jnp.float32), (side, side, 2))
    point = jnp.zeros((side, side, 1)).at[side // 2, side // 2].set(1)
    return np.asarray(LineBlur(flow)(point))[::-1, ::-1, 0]


def on_canvas(photo, kernel):
    """Returns a grey photo that was blurred by a kernel on a canvas, and the trust in its pixels.

    Args:
        photo: sharp, `[h, w, 3]`.
        kernel: `[s, s]`.
    """
    grey = blurred(photo, kernel).mean(-1)
    plane = bridge(jnp.asarray(lay_on_canvas(grey, SIZE)), np.asarray(grey.shape))
    return plane, jnp.ones(SIZE), np.asarray(grey.shape)


@pytest.fixture(scope="module")
def scene():
    return on_canvas(sharp_photo(HEIGHT, WIDTH), hook())


def test_the_kernels_of_a_uniform_blur_are_its_own():
    windows = windows_of(SIZE, SIDE)
    assert windows.counts == (2, 1)
    kernels = window_kernels(UniformBlur(jnp.asarray(hook())), (HEIGHT, WIDTH), windows, 15)
    assert kernels.shape == (2, 15, 15)
    for kernel in kernels:
        np.testing.assert_allclose(kernel, np.pad(hook(), 2), atol=1e-5)


def test_the_kernels_of_a_constant_motion_are_its_line():
    windows = windows_of(SIZE, SIDE)
    flow = jnp.broadcast_to(jnp.asarray([6.0, 3.0]), (HEIGHT, WIDTH, 2))
    for kernel in window_kernels(LineBlur(flow), (HEIGHT, WIDTH), windows, SIDE):
        np.testing.assert_allclose(kernel, draw([6.0, 3.0], SIDE), atol=1e-4)


def test_each_window_has_the_kernel_of_the_motion_there():
    windows = windows_of(SIZE, SIDE)
    rows = np.arange(HEIGHT)[:, None, None] < HEIGHT / 2
    flow = jnp.broadcast_to(
        jnp.where(rows, jnp.asarray([6.0, 0.0]), jnp.asarray([0.0, 6.0])), (HEIGHT, WIDTH, 2)
    )
    upper, lower = window_kernels(LineBlur(flow), (HEIGHT, WIDTH), windows, SIDE)
    across, down = draw([6.0, 0.0], SIDE), draw([0.0, 6.0], SIDE)
    assert likeness(upper, across) > 0.9 > likeness(upper, down)
    assert likeness(lower, down) > 0.9 > likeness(lower, across)


def test_the_energy_by_windows_is_that_of_the_whole(scene):
    windows = windows_of(SIZE, SIDE, ramp=0)
    kernels = np.broadcast_to(hook(), (windows.number, SIDE, SIDE))
    whole, parts = judge(*scene, hook(), windows=windows)
    by_windows, cells = judge_windows(*scene, kernels, windows=windows)
    np.testing.assert_allclose(by_windows.energy, whole.energy, rtol=0.03)
    np.testing.assert_allclose(by_windows.ratio, whole.ratio, rtol=0.03)
    np.testing.assert_array_equal(cells.pixels, parts.pixels)
    assert float(whole.pixels) == float(parts.pixels.sum())
    np.testing.assert_allclose(cells.energy, parts.energy, rtol=0.1)
    share = parts.pixels / parts.pixels.sum()
    np.testing.assert_allclose((share * parts.energy).sum(), whole.energy, rtol=1e-4)


def test_nearness_is_one_at_the_window_itself_and_falls():
    near = nearness(windows_of((384, 400), SIDE))
    np.testing.assert_array_equal(np.diag(near), 1)
    np.testing.assert_array_equal(near, near.T)
    assert near[0, 1] > near[0, 2] > 0
    np.testing.assert_allclose(near[0, 1], np.exp(-0.5), rtol=1e-6)


def test_refinement_moves_a_wrong_kernel_nearer_to_the_true_one(scene):
    windows = windows_of(SIZE, SIDE)
    wrong = 0.5 * hook() + 0.5 * draw([5.0, -3.0], SIDE)
    start = np.broadcast_to(wrong, (windows.number, SIDE, SIDE))
    weights = np.float32([4e-4, 3.6e-4, 3.3e-4, 3e-4])
    refined = np.asarray(
        refine_windows(
            *scene[:2], start, np.int32(SIDE), weights, np.float32(1), np.float32(0.05), 0.3,
            windows=windows,
        )
    )  # fmt: skip
    assert refined.shape == start.shape
    assert refined.min() >= 0
    np.testing.assert_allclose(refined.sum((1, 2)), 1, rtol=1e-5)
    for kernel in refined:
        assert likeness(kernel, hook()) > likeness(wrong, hook()) + 0.02


def lattice(kernels):
    return WindowedBlur(jnp.asarray(kernels), jnp.asarray([40.0, 140.0]), jnp.asarray([60.0]))


def psnr(image, sharp, border=12):
    inner = slice(border, -border), slice(border, -border)
    return -10 * np.log10(np.mean(np.square(image - sharp)[inner]))


@pytest.mark.slow  # the solver's own test asserts the same
def test_windows_of_equal_kernels_restore_as_one_kernel_does():
    sharp = sharp_photo(HEIGHT, WIDTH)
    photo = blurred(sharp, hook())
    one, residual = restore_closed(
        photo, UniformBlur(jnp.asarray(hook())), denoise=denoise, noise=0.005
    )
    several, other = restore_closed(
        photo, lattice(np.broadcast_to(hook(), (2, 1, 11, 11))), denoise=denoise, noise=0.005
    )
    inner = slice(12, -12), slice(12, -12)
    for found, expected in ((several, one), (other, residual)):
        apart = np.abs(found - expected)[inner]
        assert np.quantile(apart, 0.99) < 0.01
        assert np.sqrt(np.mean(np.square(apart))) < 2e-3
    assert psnr(several, sharp) > psnr(photo, sharp) + 3


def test_each_half_is_restored_by_its_kernel_up_to_the_border():
    sharp = sharp_photo(HEIGHT, WIDTH)
    pair = np.stack([hook(), np.rot90(hook())])
    photos = [blurred(sharp, kernel) for kernel in pair]
    rows = np.arange(HEIGHT)[:, None, None]
    photo = np.where(rows < HEIGHT // 2, *photos)
    blur = WindowedBlur(jnp.asarray(pair[:, None]), jnp.asarray([92.0, 93.0]), jnp.asarray([0.0]))
    found, _ = restore_closed(photo, blur, denoise=denoise, noise=0.005)
    for part, kernel in zip((slice(0, 24), slice(-24, None)), pair, strict=True):
        alone, _ = restore_closed(
            photo, UniformBlur(jnp.asarray(kernel)), denoise=denoise, noise=0.005
        )
        expected = psnr(alone[part], sharp[part], 1)
        assert expected > psnr(photo[part], sharp[part], 1) + 5
        assert psnr(found[part], sharp[part], 1) > expected - 0.6


def test_the_blur_of_a_hypothesis_is_of_the_photo_s_full_size():
    work = working_photo(blurred(sharp_photo(64, 64), hook()))
    windows = windows_of(SIZE, SIDE)
    margin = np.pad(hook(), 4)
    known = judge(jnp.ones(SIZE), jnp.ones(SIZE), np.asarray(SIZE), hook(), windows=windows)
    one = blur_of(Hypothesis("uniform", margin[None], *known, *known), windows, work)
    expected = centred_exactly(hook()[2:-2, 2:-2])  # pixels around it are zero
    np.testing.assert_array_equal(one.kernel, expected)
    two = blur_of(Hypothesis("windows", np.stack([margin] * 2), *known, *known), windows, work)
    assert two.kernels.shape == (2, 1, 9, 9)
    np.testing.assert_allclose(two.rows, centres(windows)[0], rtol=1e-6)
    assert jax.tree.structure(two) == jax.tree.structure(lattice(np.zeros((2, 1, 9, 9))))


def test_a_restoration_lies_on_its_photo():
    kernel = np.zeros((7, 7), np.float32)
    kernel[3, 2:6] = 0.25  # its centre of mass is between two pixels
    photo = blurred(sharp_photo(96, 128), kernel)
    windows, work = windows_of(SIZE, SIDE), working_photo(photo)
    known = judge(jnp.ones(SIZE), jnp.ones(SIZE), np.asarray(SIZE), kernel, windows=windows)
    centred = blur_of(Hypothesis("uniform", kernel[None], *known, *known), windows, work)
    grey = photo.mean(-1, keepdims=True)
    off = []
    for blur in (UniformBlur(jnp.asarray(kernel)), centred):
        restored, _ = restore_closed(photo, blur, denoise=denoise, noise=0.005)
        off.append(np.abs(best_shift(restored.mean(-1, keepdims=True), grey)).max())
    assert off[1] <= 0.125 < 0.375 <= off[0]
