"""What all solvers have in common: one call, one frame, one loop."""

import functools
from types import SimpleNamespace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.operators import BasisBlur, LineBlur
from deblur_jax.ops.sensor import saturate
from deblur_jax.solvers.epll import epll
from deblur_jax.solvers.frame import put_in_frame, safe_step_size, saturation_weights
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.proximal_gradient import proximal_gradient
from deblur_jax.solvers.richardson_lucy import richardson_lucy
from deblur_jax.solvers.steepest_descent import steepest_descent
from deblur_jax.solvers.total_variation import denoise_total_variation
from tests.solvers.mixtures import small_mixture


def denoise(image, sigma):
    return denoise_total_variation(image, 0.1 * sigma, steps=3)


def hsd(blur, observed, **options):
    sigmas = jnp.asarray([0.05, 0.02])
    return steepest_descent(blur, observed, denoise, sigmas=sigmas, **options)


def split(blur, observed, **options):
    options = {"sigmas": jnp.asarray([0.05, 0.02]), "linear_steps": 3, **options}
    return plug_and_play(blur, observed, denoise, noise=0.01, **options)


def patches(blur, observed, **options):
    penalties = jnp.asarray([50.0, 200.0])
    options = {"linear_steps": 3, "rank": 8, **options}
    return epll(blur, observed, small_mixture(), penalties=penalties, **options)


def counted(blur, observed, **options):
    return richardson_lucy(blur, observed, jnp.asarray(1e-3), **{"steps": 3, **options})


def flattened(blur, observed, **options):
    options = {"steps": 3, "denoising_steps": 3, **options}
    return proximal_gradient(blur, observed, jnp.asarray(1e-3), **options)


SOLVERS = {
    "hsd": hsd, "plug_and_play": split, "epll": patches, "richardson_lucy": counted,
    "tv": flattened,
}  # fmt: skip
EACH = pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)


def each_but(*slow):
    """Parametrise a test by the solvers, of which these are slow to compile."""
    params = [
        pytest.param(solve, id=name, marks=[pytest.mark.slow] * (name in slow))
        for name, solve in SOLVERS.items()
    ]
    return pytest.mark.parametrize("solve", params)


def problem(key, height=12, width=13, channels=2):
    keys = jax.random.split(key, 3)
    image = 0.1 + 0.8 * jax.random.uniform(keys[0], (height, width, channels))
    kernels = jax.nn.softmax(2 * jax.random.normal(keys[1], (2, 9))).reshape(2, 3, 3)
    mixing = jax.nn.softmax(jax.random.normal(keys[2], (height, width, 2)))
    blur = BasisBlur(kernels, mixing)
    return blur, blur(image), image


@each_but("epll", "hsd")
def test_jit_and_vmap_change_nothing(key, solve):
    problems = [problem(k) for k in jax.random.split(key, 2)]
    short = functools.partial(solve, margin=3)
    one = jax.jit(short)
    looped = [one(blur, observed) for blur, observed, _ in problems]
    blurs = jax.tree.map(lambda *x: jnp.stack(x), *(blur for blur, _, _ in problems))
    batched = jax.jit(jax.vmap(short))(blurs, jnp.stack([y for _, y, _ in problems]))
    expected = jax.tree.map(lambda *x: jnp.stack(x), *looped)
    chex.assert_trees_all_close(batched, expected, rtol=1e-8, atol=1e-11)


@each_but("epll", "hsd", "tv")
def test_the_gradient_through_a_solve_is_that_of_finite_differences(key, solve):
    blur, observed, image = problem(key, 9, 8, 1)
    way = jax.random.normal(key, observed.shape) * 1e-2

    def error(amount, bend, remat):
        turned = BasisBlur(blur.kernels * (1 + bend), blur.mixing)
        restored, _ = solve(turned, observed + amount * way, margin=2, remat=remat)
        return jnp.mean(jnp.square(restored - image))

    # The value comes from the same program, so that only one is compiled.
    both, step = jax.jit(jax.value_and_grad(functools.partial(error, remat=True), (0, 1))), 1e-5
    slopes = both(0.0, 0.0)[1]
    by_photo = (both(step, 0.0)[0] - both(-step, 0.0)[0]) / (2 * step)
    by_blur = (both(0.0, step)[0] - both(0.0, -step)[0]) / (2 * step)
    np.testing.assert_allclose(slopes, (by_photo, by_blur), rtol=1e-4)


@each_but("epll", "hsd", "plug_and_play")  # tested in their own files as well
def test_no_blur_and_no_noise_return_the_photo(key, solve):
    rows, columns = jnp.meshgrid(jnp.linspace(0.2, 0.8, 12), jnp.linspace(0.3, 0.6, 13))
    image = (rows + columns)[..., None] / 2
    restored, trace = jax.jit(functools.partial(solve, margin=2))(
        LineBlur(jnp.zeros((*image.shape[:2], 2))), image
    )
    np.testing.assert_allclose(restored, image, atol=8e-3)
    assert trace["misfit"][-1] < 1e-5


def test_pixels_of_weight_zero_do_not_matter(key):
    blur, observed, _ = problem(key)
    weights = jnp.ones((12, 13, 1)).at[4:6, 5:7].set(0)
    spoilt = jnp.where(weights > 0, observed, 1 - observed)
    framed = [put_in_frame("", blur, y, margin=0, weights=weights) for y in (observed, spoilt)]
    light = blur(observed)
    np.testing.assert_array_equal(*(f.slope(light) for f in framed))
    np.testing.assert_array_equal(*(f.misfit(light) for f in framed))


@EACH
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (jnp.nan, r"observed must be finite and in \[0, 1\], got values from nan to nan"),
        (jnp.inf, r"observed must be finite and in \[0, 1\], got .* to inf"),
        (-0.1, r"observed must be finite and in \[0, 1\], got values from -0\.1"),
        (1.1, r"observed must be finite and in \[0, 1\], got .* to 1\.1"),
    ],
)
def test_values_that_no_photo_has_are_refused(key, solve, spoil, message):
    blur, observed, _ = problem(key)
    with pytest.raises(ValueError, match=message):
        solve(blur, observed.at[3, 4, 0].set(spoil), margin=2)


@EACH
def test_arguments_that_do_not_fit_are_refused(key, solve):
    blur, observed, _ = problem(key)
    with pytest.raises(ValueError, match="margin must be from 0 .* got 12 for 12x13"):
        solve(blur, observed, margin=12)
    with pytest.raises(ValueError, match=r"weights must be \[12, 13, 1\] .* got \[12, 12, 1\]"):
        solve(blur, observed, margin=2, weights=jnp.ones((12, 12, 1)))
    with pytest.raises(ValueError, match="weights must be finite and at least 0, got .* -1"):
        solve(blur, observed, margin=2, weights=-jnp.ones((12, 13, 1)))
    with pytest.raises(TypeError, match=r"observed must be a float array of shape \[h, w, c\]"):
        solve(blur, observed[..., 0], margin=2)


def test_the_frame_is_estimated_and_not_mirrored(key):
    blur, observed, _ = problem(key)
    framed = put_in_frame("", blur, observed, margin=3)
    canvas = jax.random.normal(key, framed.canvas().shape)
    np.testing.assert_allclose(framed.expose(canvas), blur.extended(3)(canvas)[3:-3, 3:-3])
    assert framed.crop(canvas).shape == observed.shape
    assert jnp.any(framed.transpose()(observed)[:3] != 0)


@pytest.mark.slow
def test_the_safe_step_size_is_just_below_the_inverse_of_the_squared_norm(key):
    blur, observed, _ = problem(key, 6, 5, 1)
    framed = put_in_frame("", blur, observed, margin=1)
    matrix = jax.jacobian(framed.expose)(framed.canvas()).reshape(30, -1)
    expected = np.linalg.norm(matrix, 2) ** 2
    measured = float(jax.jit(safe_step_size)(framed))
    assert 1 / 1.03 <= measured * expected <= 1


def test_saturated_pixels_and_their_neighbours_have_no_weight():
    photo = jnp.full((6, 7, 3), 0.5).at[2, 3, 1].set(1.0)
    weights = np.asarray(saturation_weights(photo))[..., 0]
    assert np.all(weights[1:4, 2:5] == 0)
    assert weights.sum() == 42 - 9


@pytest.mark.parametrize("solve", [hsd, counted])
def test_a_saturating_sensor_is_no_misfit(key, solve):
    blur, _, image = problem(key)
    bright = blur(image + 0.4)
    respond = functools.partial(saturate, sharpness=20.0)
    observed = respond(bright)
    _, fitted = jax.jit(lambda y: solve(blur, y, margin=0, respond=respond))(observed)
    known = put_in_frame("", blur, observed, margin=0, respond=respond)
    assert known.misfit(bright) < 1e-12
    assert fitted["misfit"][-1] < known.misfit(blur(observed))


def test_any_mixture_with_the_three_fields_will_do(key):
    blur, observed, _ = problem(key)
    fields = {k: getattr(small_mixture(), k) for k in ("log_weights", "eigenvalues", "directions")}
    options = {"penalties": jnp.ones(1), "linear_steps": 1, "margin": 2}
    shape = jax.eval_shape(lambda y: epll(blur, y, SimpleNamespace(**fields), **options), observed)
    assert shape[0].shape == observed.shape
