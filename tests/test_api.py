"""The public names: what importing the package loads, and that every name is explained."""

import ast
import inspect
import subprocess
import sys

import jax
import numpy as np
import pytest

import deblur_jax


HEAVY = (
    "flax",
    "optax",
    "orbax",
    "grain",
    "tensorflow",
    "tensorflow_datasets",
    "matplotlib",
    "PIL",
)


def test_importing_the_package_loads_jax_and_numpy_only():
    code = f"import sys, deblur_jax; print([m for m in {HEAVY!r} if m in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert shown.stdout.strip() == "[]"


def test_importing_the_package_adds_nothing_to_jax_and_numpy():
    code = (
        "import sys, jax, numpy; before = set(sys.modules); import deblur_jax;"
        "print({m.split('.')[0] for m in set(sys.modules) - before})"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert shown.stdout.strip() == "{'deblur_jax'}"


@pytest.mark.parametrize("name", sorted(set(deblur_jax.__all__) - {"__version__"}))
def test_every_public_name_is_there_and_explained(name):
    thing = getattr(deblur_jax, name)
    if callable(thing):
        assert inspect.getdoc(thing), f"{name} has no docstring"


@pytest.mark.parametrize("name", sorted(set(deblur_jax.__all__) - {"__version__"}))
def test_options_are_given_by_keyword(name):
    thing = getattr(deblur_jax, name)
    if not inspect.isfunction(thing):
        return
    for parameter in inspect.signature(thing).parameters.values():
        if isinstance(parameter.default, bool | int | float) and parameter.default is not None:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{name}: {parameter.name}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'blurr'"):
        deblur_jax.blurr  # noqa: B018


def test_the_names_for_type_checkers_are_the_public_ones():
    tree = ast.parse(inspect.getsource(deblur_jax))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {
        (alias.name, node.module.removeprefix("deblur_jax."))
        for node in block.body
        for alias in node.names
    }
    assert imported == set(deblur_jax._MODULES.items())


PHOTOS = ("blurry", "observed", "photo", "restored")


@pytest.mark.parametrize("name", sorted(set(deblur_jax.__all__) - {"__version__"}))
def test_keys_and_blurs_come_before_photos(name):
    thing = getattr(deblur_jax, name)
    if not inspect.isfunction(inspect.unwrap(thing)):
        return
    names = [
        parameter.name
        for parameter in inspect.signature(thing).parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    if "key" in names:
        assert names[0] == "key"
    if "blur" in names:
        photos = [names.index(photo) for photo in PHOTOS if photo in names]
        assert all(names.index("blur") < place for place in photos)


IMAGE = np.random.default_rng(0).uniform(0.2, 0.8, (12, 14, 3)).astype(np.float32)
KERNELS, MIXING = np.full((2, 3, 3), 1 / 9, np.float32), np.full((12, 14, 2), 0.5, np.float32)
FLOW = np.full((12, 14, 2), 2.0, np.float32)
BLUR = deblur_jax.BasisBlur(KERNELS, MIXING)
SIGMAS = deblur_jax.zhang_sigmas(0.01, steps=2)
NO_DENOISING = {"sigmas": SIGMAS, "denoise": lambda image, sigma: image}
# Every public function of an image: a function of the image alone.
OF_IMAGES = {
    "BasisBlur": BLUR,
    "LineBlur": deblur_jax.LineBlur(FLOW),
    "WindowedBlur": deblur_jax.WindowedBlur(KERNELS[None], np.zeros(1), np.asarray([2.0, 9.0])),
    "adjoint": lambda image: deblur_jax.adjoint(BLUR, image)(image),
    "basis_blur": lambda image: deblur_jax.basis_blur(image, KERNELS, MIXING),
    "denoise_total_variation": lambda image: deblur_jax.denoise_total_variation(
        image, np.float32(0.1), steps=2
    ),
    "line_blur": lambda image: deblur_jax.line_blur(image, FLOW),
    "plug_and_play": lambda image: deblur_jax.plug_and_play(
        BLUR, image, margin=2, linear_steps=1, **NO_DENOISING
    )[0],
    "restore": lambda image: deblur_jax.restore(BLUR, image, steps=1, margin=2)[0],
    "richardson_lucy": lambda image: deblur_jax.richardson_lucy(
        BLUR, image, np.float32(1e-3), steps=1, margin=2
    )[0],
    "sharded_basis_blur": lambda image: deblur_jax.sharded_basis_blur(
        image, KERNELS, MIXING, mesh=jax.make_mesh((1,), ("rows",))
    ),
    "steepest_descent": lambda image: deblur_jax.steepest_descent(
        BLUR, image, margin=2, step_size=0.5, **NO_DENOISING
    )[0],
    "to_display": lambda image: deblur_jax.to_display(image, "srgb"),
    "to_light": lambda image: deblur_jax.to_light(image, "srgb"),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_keeps_its_shape_and_dtype(name, channels):
    image = jax.ShapeDtypeStruct((12, 14, channels), np.float32)
    result = jax.eval_shape(OF_IMAGES[name], image)
    assert (result.shape, result.dtype) == (image.shape, image.dtype)


def test_every_public_function_of_an_image_is_among_them():
    # These return no image, or need weights or a function.
    elsewhere = {"deblur", "epll", "estimate_blur", "psnr", "restore_tiled", "ssim"}
    images = {"image", "blurry", "observed", "photo"}
    for name in set(deblur_jax.__all__) - elsewhere:
        thing = inspect.unwrap(getattr(deblur_jax, name))
        if inspect.isfunction(thing) and images & inspect.signature(thing).parameters.keys():
            assert name in OF_IMAGES
