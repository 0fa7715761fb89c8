"""Public functions give the same numbers without jit, in strict modes and in half precision.

Every case is a function and its arguments. The reference is its result under `jit`.
"""

import contextlib
import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

import deblur_jax
from deblur_jax import metrics
from deblur_jax.models.gmm import PatchMixture
from deblur_jax.ops import flow as flows
from deblur_jax.ops import resample, sensor, warp
from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.cost_volume import cost_volume
from deblur_jax.ops.dense_blur import dense_blur
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.linear import adjoint, inner, normal, operator_norm
from deblur_jax.ops.low_rank import factor_grid, factor_kernels
from deblur_jax.ops.operators import BasisBlur, LineBlur, UniformBlur, WindowedBlur
from deblur_jax.ops.sharded import sharded_basis_blur
from deblur_jax.ops.spatial_rnn import spatial_rnn
from deblur_jax.simulate.averaging import average_frames
from deblur_jax.simulate.camera_flow import MILD, camera_flow
from deblur_jax.simulate.develop import Camera, develop
from deblur_jax.simulate.jpeg import jpeg
from deblur_jax.simulate.scenes import draw_scene
from deblur_jax.simulate.segments import draw_segment_blur
from deblur_jax.simulate.shake_kernels import Tremor, Wander, shake_kernel
from deblur_jax.solvers import total_variation
from deblur_jax.solvers.conjugate_gradient import conjugate_gradient
from deblur_jax.solvers.diagnosis import diagnose
from deblur_jax.solvers.epll import epll
from deblur_jax.solvers.frame import saturation_weights
from deblur_jax.solvers.learned_steepest_descent import (
    initial_parameters,
    learned_steepest_descent,
)
from deblur_jax.solvers.motion_spectra import View, refine_motion
from deblur_jax.solvers.plug_and_play import plug_and_play
from deblur_jax.solvers.proximal_gradient import proximal_gradient
from deblur_jax.solvers.richardson_lucy import richardson_lucy
from deblur_jax.solvers.schedules import carbajal_sigmas, gong_penalties, zhang_sigmas
from deblur_jax.solvers.steepest_descent import steepest_descent


RANDOM = np.random.default_rng(0)


def uniform(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.2, 0.8, shape).astype(np.float32)


def shrink(image, sigma):
    return image * (1 - sigma)


def mixture() -> PatchMixture:
    """Two Gaussians over patches of 2x2 pixels."""
    basis = np.asarray([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], np.float32).T / 2
    weights = np.log(np.asarray([0.4, 0.6], np.float32))
    return PatchMixture(weights, uniform(2, 3) / 10, np.stack([basis, basis]))


KEY = jax.random.key(0)
IMAGE, OTHER = uniform(6, 7, 2), uniform(6, 7, 2)
FLOW, OTHER_FLOW = 4 * uniform(6, 7, 2) - 1, 4 * uniform(6, 7, 2) - 1
KERNELS = np.full((2, 3, 3), 1 / 9, np.float32) + uniform(2, 1, 1) / 100
MIXING = np.full((6, 7, 2), 0.5, np.float32)
DENSE = uniform(6, 7, 3, 3) / 5
PHOTO = uniform(12, 13, 3)
FRAMES = uniform(3, 4, 4, 3)
LINE, BASIS = LineBlur(FLOW), BasisBlur(KERNELS, MIXING)
WINDOWED = WindowedBlur(KERNELS[None], np.zeros(1, np.float32), np.asarray([0, 9], np.float32))
UNIFORM = UniformBlur(KERNELS[0])
SIGMAS = np.asarray([0.05, 0.02], np.float32)
WEIGHT = np.asarray(1e-3, np.float32)
CAMERA = Camera(transfer=2.2, sigma=(0.01, 0.02), shot=(0.01, 0.02), levels=256, quality=(60, 90))
MESH = jax.make_mesh((1,), ("rows",))

# name: (function, its arguments). Options are bound, arrays and pytrees of arrays are arguments.
LINEAR = {
    "UniformBlur": (lambda blur, x: blur.adjoint(blur(x)), UNIFORM, IMAGE),
    "WindowedBlur": (lambda blur, x: blur(x), WINDOWED, IMAGE),
    "adjoint": (lambda blur, y: adjoint(blur, y)(y), LINE, IMAGE),
    "basis_blur fft": (functools.partial(basis_blur, method="fft"), IMAGE, KERNELS, MIXING),
    "basis_blur pixelwise": (
        functools.partial(basis_blur, method="pixelwise", order="scatter"), IMAGE, KERNELS, MIXING,
    ),
    "dense_blur": (dense_blur, IMAGE, DENSE),
    "inner": (inner, IMAGE, OTHER),
    "line_blur": (line_blur, IMAGE, FLOW),
    "normal": (lambda blur, x: normal(blur, x)(x), BASIS, IMAGE),
    "operator_norm": (functools.partial(operator_norm, steps=4), LINE, IMAGE),
    "sharded_basis_blur": (
        functools.partial(sharded_basis_blur, mesh=MESH), IMAGE, KERNELS, MIXING,
    ),
}  # fmt: skip
OPERATORS = {
    "average_frames": (functools.partial(average_frames, transfer=2.2, size=(2, 3)), FRAMES),
    "canonical": (flows.canonical, FLOW),
    "cost_volume": (functools.partial(cost_volume, reach=1), IMAGE, OTHER),
    "double_angle": (flows.double_angle, FLOW),
    "factor_grid": (functools.partial(factor_grid, height=12, width=14, basis=3), DENSE),
    "factor_kernels": (functools.partial(factor_kernels, basis=3), DENSE),
    "fit_plane": (functools.partial(flows.fit_plane, points=3, steps=4), FLOW),
    "halve_angle": (flows.halve_angle, FLOW),
    "jpeg": (jpeg, PHOTO),
    "plane_flow": (functools.partial(flows.plane_flow, height=6, width=7), uniform(3, 2)),
    "quantize": (sensor.quantize, IMAGE),
    "resize_area": (functools.partial(resample.resize_area, height=3, width=4), IMAGE),
    "resize_bilinear": (functools.partial(resample.resize_bilinear, height=9, width=4), IMAGE),
    "saturate": (sensor.saturate, IMAGE),
    "spatial_rnn": (spatial_rnn, IMAGE, np.tile(OTHER, 4)),
    "to_display": (functools.partial(sensor.to_display, transfer="srgb"), IMAGE),
    "to_light": (functools.partial(sensor.to_light, transfer="srgb"), IMAGE),
    "warp_affine": (warp.warp_affine, IMAGE, np.eye(2, 3, dtype=np.float32)),
    "warp_flow": (functools.partial(warp.warp_flow, padding="reflect"), IMAGE, FLOW),
    "warp_homography": (warp.warp_homography, IMAGE, np.eye(3, dtype=np.float32)),
}
SOLVERS = {
    "denoise_total_variation": (
        functools.partial(total_variation.denoise_total_variation, steps=3), IMAGE, WEIGHT,
    ),
    "diagnose": (diagnose, BASIS, IMAGE, OTHER),
    "epll": (
        lambda *arguments: epll(*arguments[:3], penalties=arguments[3], linear_steps=2, margin=1),
        BASIS, IMAGE, mixture(), np.asarray([50, 200], np.float32),
    ),
    "learned_steepest_descent": (
        lambda blur, y, params: learned_steepest_descent(blur, y, shrink, params=params, margin=2),
        BASIS, IMAGE, initial_parameters(denoising_steps=2),
    ),
    "plug_and_play": (
        lambda blur, y, sigmas: plug_and_play(
            blur, y, shrink, sigmas=sigmas, linear_steps=2, margin=2
        ), BASIS, IMAGE, SIGMAS,
    ),
    "proximal_gradient": (
        functools.partial(proximal_gradient, steps=2, denoising_steps=2, margin=2),
        BASIS, IMAGE, WEIGHT,
    ),
    "refine_motion": (
        functools.partial(
            refine_motion, views=(View(16, 8, 0.05, 0.35),), lengths=(0.8, 1.0), steps=3
        ), 4 * uniform(24, 25, 2), uniform(24, 25, 3),
    ),
    "restore": (functools.partial(deblur_jax.restore, steps=2, margin=2), BASIS, IMAGE),
    "richardson_lucy": (
        functools.partial(richardson_lucy, steps=2, limit=0.7, margin=2), BASIS, IMAGE, WEIGHT,
    ),
    "saturation_weights": (functools.partial(saturation_weights, limit=0.7), IMAGE),
    "steepest_descent": (
        lambda blur, y, sigmas: steepest_descent(
            blur, y, shrink, sigmas=sigmas, step_size=None, margin=2
        ), BASIS, IMAGE, SIGMAS,
    ),
    "total_variation": (total_variation.total_variation, IMAGE),
}  # fmt: skip
METRICS = {
    "end_point_error": (metrics.end_point_error, FLOW, OTHER_FLOW),
    "end_point_error_either_way": (
        metrics.end_point_error_either_way, FLOW, OTHER_FLOW, -OTHER_FLOW,
    ),
    "flow_mse": (metrics.flow_mse, FLOW, OTHER_FLOW),
    "flow_mse_sign_invariant": (metrics.flow_mse_sign_invariant, FLOW, OTHER_FLOW),
    "psnr": (metrics.psnr, IMAGE, OTHER),
    "ssim": (metrics.ssim, PHOTO, uniform(12, 13, 3)),
}  # fmt: skip
OTHERS = {  # draws, and what has no floating-point input or keeps its vectors in half precision
    "add_noise": (functools.partial(sensor.add_noise, sigma=0.1, shot=0.1), KEY, IMAGE),
    "average_precision": (metrics.average_precision, uniform(6, 7), uniform(6, 7) > 0.5),
    "camera_flow": (functools.partial(camera_flow, height=6, width=7, attempts=3), KEY),
    "camera_flow released_code": (
        functools.partial(
            camera_flow, height=6, width=7, motion=MILD, law="released_code", rounded=True,
            attempts=3,
        ), KEY,
    ),
    "carbajal_sigmas": (carbajal_sigmas,),
    "conjugate_gradient": (
        lambda blur, y: conjugate_gradient(normal(blur, y), y, y, steps=2), BASIS, IMAGE,
    ),
    "develop": (functools.partial(develop, camera=CAMERA), KEY, PHOTO),
    "draw_scene": (
        functools.partial(draw_scene, margin=3, subframes=3, camera=CAMERA),
        KEY, uniform(2, 14, 15, 3),
    ),
    "draw_segment_blur": (
        functools.partial(
            draw_segment_blur, side=5, brighten=1.0, lights=0.5, camera=CAMERA,
            draw_kernel=functools.partial(
                shake_kernel, tremor=Tremor().scaled(0.1), wander=Wander(steps=10)
            ),
        ), KEY, PHOTO,
    ),
    "gong_penalties": (gong_penalties,),
    "shake_kernel": (functools.partial(shake_kernel, side=9, wander=Wander(steps=10)), KEY),
    "zhang_sigmas": (functools.partial(zhang_sigmas, 0.01),),
}  # fmt: skip
CASES: dict[str, tuple[Any, ...]] = {**LINEAR, **OPERATORS, **SOLVERS, **METRICS, **OTHERS}
LONG = ("draw_scene", "draw_segment_blur", "epll", "refine_motion")  # to compile
LONG_IN_HALF = (  # to compile, and not sums over a photo
    "adjoint", "factor_grid", "fit_plane", "jpeg", "learned_steepest_descent", "normal",
    "richardson_lucy", "sharded_basis_blur", "spatial_rnn",
)  # fmt: skip
LONG_WITHOUT_JIT = (  # each operation is compiled on its own
    "UniformBlur", "WindowedBlur", "adjoint", "basis_blur fft", "basis_blur pixelwise",
    "camera_flow", "camera_flow released_code", "dense_blur", "develop", "diagnose", "factor_grid",
    "fit_plane", "jpeg", "learned_steepest_descent", "normal", "operator_norm", "plug_and_play",
    "proximal_gradient", "shake_kernel", "sharded_basis_blur", "spatial_rnn", "warp_affine",
    "warp_homography",
)  # fmt: skip


def each(*groups: dict[str, tuple[Any, ...]], slow: tuple[str, ...] = LONG) -> pytest.MarkDecorator:
    """Parametrise a test by the names of cases, of which some are slow."""
    names = [name for group in groups for name in group]
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in slow)) for name in names]
    )


@contextlib.contextmanager
def strict():
    """Forbid implicit promotion, NaN and leaked tracers, and make double precision the default."""
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
        jax.debug_nans(True),
        jax.checking_leaks(),
    ):
        yield


@functools.cache
def compiled(name: str) -> Any:
    """Return the compiled function of a case, one for all tests."""
    return jax.jit(CASES[name][0])


@functools.cache
def reference(name: str) -> Any:
    with jax.debug_nans(True):
        return compiled(name)(*CASES[name][1:])


def check(actual: Any, expected: Any) -> None:
    chex.assert_trees_all_equal_dtypes(actual, expected)
    chex.assert_trees_all_close(actual, expected, rtol=1e-3, atol=2e-5)


@each(CASES)
def test_strict_modes_change_no_dtype_under_jit(name):
    """Nothing is compiled: a forbidden promotion and a leaked tracer are errors while tracing."""
    function, *arguments = CASES[name]
    expected = jax.eval_shape(function, *arguments)
    with strict():
        actual = jax.eval_shape(lambda *arrays: function(*arrays), *arguments)  # traced again
    chex.assert_trees_all_equal_shapes_and_dtypes(actual, expected)


@pytest.mark.slow  # to compile; the test above finds forbidden operations without compiling
@pytest.mark.parametrize("name", CASES)
def test_strict_modes_and_double_precision_change_no_number_and_no_dtype(name):
    function, *arguments = CASES[name]
    expected = reference(name)
    with strict():
        check(jax.jit(lambda *arrays: function(*arrays))(*arguments), expected)


@each(CASES, slow=(*LONG, *LONG_WITHOUT_JIT))
def test_without_jit_the_numbers_are_the_same(name):
    function, *arguments = CASES[name]
    expected = reference(name)
    with jax.disable_jit():
        check(function(*arguments), expected)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
@each(LINEAR, OPERATORS, SOLVERS, METRICS, slow=(*LONG, *LONG_IN_HALF))
def test_half_precision_is_computed_in_single_precision(name, dtype):
    arguments = CASES[name][1:]

    def convert(tree, target):
        return jax.tree.map(
            lambda x: jnp.asarray(x, target) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree
        )

    half = convert(arguments, dtype)
    actual, expected = (compiled(name)(*each) for each in (half, convert(half, jnp.float32)))
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        scale = float(jnp.max(jnp.abs(other)))
        bound = float(jnp.finfo(dtype).eps) * scale
        np.testing.assert_allclose(one.astype(other.dtype), other, rtol=0, atol=bound)
        assert one.ndim == 0 or one.dtype == dtype or one.shape == (2,)  # a trace


def test_sums_over_a_photo_do_not_overflow_in_half_precision():
    ones = jnp.ones((256, 256, 3), jnp.float16)
    assert inner(ones, ones) == ones.size
    assert operator_norm(lambda x: 0.5 * x, ones) == 0.5
    stripes = ones.at[:, ::2].set(0)
    expected = 256 * 255 * 3**0.5
    np.testing.assert_allclose(total_variation.total_variation(stripes), expected, rtol=1e-3)


@pytest.fixture(scope="module")
def deblurred():
    """Return a function that deblurs a small photo by a model, and once for all tests."""
    kernel = np.zeros((5, 5), np.float32)
    kernel[[0, 1, 2, 2, 3], [1, 1, 2, 3, 3]] = 0.2
    sharp = data.astronaut()[60:124, 150:214].astype(np.float32) / 255
    photo = np.clip(np.asarray(UniformBlur(jnp.asarray(kernel))(jnp.asarray(sharp))), 0, 1)

    def run(model):
        return deblur_jax.deblur(photo, model, steps=2)

    return run, functools.cache(run)


def same_result(actual: Any, expected: Any) -> None:
    check(jax.tree.leaves(actual.blur), jax.tree.leaves(expected.blur))
    check((actual.image, actual.residual), (expected.image, expected.residual))
    np.testing.assert_allclose(actual.explained, expected.explained, atol=0.01)


@pytest.mark.slow  # to compile in both modes
@pytest.mark.parametrize("model", ["motion-context", "blind"])
def test_deblur_gives_the_same_numbers_and_dtypes_in_strict_modes(deblurred, model):
    run, cached = deblurred
    expected = cached(model)
    with strict():
        same_result(run(model), expected)


@pytest.mark.slow  # each operation is compiled on its own
def test_deblur_gives_the_same_numbers_without_jit(deblurred):
    run, cached = deblurred
    expected = cached("motion-context")
    with jax.disable_jit():
        same_result(run("motion-context"), expected)


def test_every_public_function_has_a_case():
    elsewhere = {  # tested with the files and networks that they need
        "BasisBlur", "LineBlur", "Result", "deblur", "deblur_video", "estimate_blur",
        "load", "load_denoiser", "load_mixture", "restore_tiled", "__version__",
    }  # fmt: skip
    named = {name.split()[0] for name in CASES}
    assert set(deblur_jax.__all__) - elsewhere <= named
