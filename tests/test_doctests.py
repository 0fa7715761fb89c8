"""The examples in the documentation of the public names are true, and the main names have one."""

import doctest
import importlib
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import deblur_jax


NAMES = sorted(set(deblur_jax.__all__) - {"__version__"})
# Names below the top level whose documentation has examples.
BELOW = {
    "compose": "ops.linear", "cost_volume": "ops.cost_volume", "dense_blur": "ops.dense_blur",
    "diagnose": "solvers.diagnosis", "draw_scene": "simulate.scenes",
    "draw_segment_blur": "simulate.segments", "factor_grid": "ops.low_rank",
    "factor_kernels": "ops.low_rank", "inner": "ops.linear", "jpeg": "simulate.jpeg",
    "learned_steepest_descent": "solvers.learned_steepest_descent", "normal": "ops.linear",
    "operator_norm": "ops.linear", "proximal_gradient": "solvers.proximal_gradient",
    "average_frames": "simulate.averaging", "refine_motion": "solvers.motion_spectra",
    "saturation_weights": "solvers.frame", "spatial_rnn": "ops.spatial_rnn",
}  # fmt: skip
SHOWN = {
    "BasisBlur", "LineBlur", "WindowedBlur", "adjoint", "basis_blur", "camera_flow", "deblur",
    "dense_blur",
    "diagnose", "epll", "line_blur", "load", "proximal_gradient", "psnr", "restore_tiled",
    "richardson_lucy", "shake_kernel", "ssim", "steepest_descent",
    "learned_steepest_descent",
}  # fmt: skip
SLOW = {
    "WindowedBlur", "camera_flow", "deblur", "diagnose", "epll", "estimate_blur", "factor_grid",
    "factor_kernels", "jpeg",
    "load_denoiser", "proximal_gradient", "restore", "richardson_lucy", "shake_kernel",
    "sharded_basis_blur", "steepest_descent", "learned_steepest_descent",
}  # fmt: skip  # to compile
# The names that the examples use without importing them.
KNOWN = {name: getattr(deblur_jax, name) for name in NAMES}
KNOWN |= {
    name: getattr(importlib.import_module(f"deblur_jax.{module}"), name)
    for name, module in BELOW.items()
}
NAMES = sorted(KNOWN)
KNOWN |= {"jax": jax, "jnp": jnp, "np": np}


def examples(name):
    thing = KNOWN[name]
    finder = doctest.DocTestFinder(recurse=False)
    return [test for test in finder.find(thing, name, globs=dict(KNOWN)) if test.examples]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in NAMES
        if examples(name)
    ],
)
def test_the_examples_are_true(name):
    for test in examples(name):
        said = []
        doctest.DocTestRunner().run(test, out=said.append)
        assert not said, "".join(said)


def test_the_main_names_have_examples():
    assert {name for name in SHOWN if not examples(name)} == set()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_taken_given_back_and_raised_is_documented(name):
    thing = KNOWN[name]
    document = inspect.getdoc(thing)
    assert document
    if not inspect.isfunction(thing):
        return
    for argument in inspect.signature(thing).parameters:
        assert f"{argument}: " in document or f"`{argument}`" in document, argument
    if "raise ValueError" in inspect.getsource(inspect.unwrap(thing)):
        assert "Raises:" in document
