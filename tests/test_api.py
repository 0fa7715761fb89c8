"""The public names: what importing the package loads, and that every name is explained."""

import ast
import inspect
import subprocess
import sys

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
