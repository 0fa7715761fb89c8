"""The page for users of other libraries: its blocks run, and the same task gives the same."""

import importlib.util
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import psnr


PAGE = Path(__file__).parents[1] / "deblur_jax" / "MIGRATION.md"
# The package of each library; its blocks run in order after the first block of the page.
LIBRARIES = {"scikit-image": "skimage", "SCICO": "scico", "DeepInverse": "deepinv"}


def blocks(library):
    found = re.findall(r"```python\n# (.*?)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert {name for name, _ in found} == {"all", "deblur_jax", *LIBRARIES}
    return [code for name, code in found if name in ("all", library)]


def run(codes):
    """Run blocks in one namespace and return it after each."""
    names, states = {}, []
    for code in codes:
        exec(compile(code, PAGE.name, "exec"), names)
        states.append(dict(names))
    return states


def gain(state, inside=12):
    part = (slice(inside, -inside), slice(inside, -inside))
    images = [np.asarray(state[name], np.float32)[part] for name in ("restored", "photo", "sharp")]
    return float(psnr(images[0].clip(0, 1), images[2]) - psnr(images[1], images[2]))


def test_the_kernel_is_turned_to_the_convention_of_the_others():
    photo = run(blocks("deblur_jax")[:2])[-1]
    blurred = photo["blur"](photo["sharp"])
    np.testing.assert_allclose(blurred, photo["photo"], atol=0.5 / 255 + 1e-5)


@pytest.mark.slow  # to compile
def test_each_of_our_restorations_is_sharper():
    states = run(blocks("deblur_jax"))
    assert len(states) == 6
    total_variation, plug_and_play, richardson_lucy, blind = (gain(state) for state in states[2:])
    assert total_variation > 4
    assert plug_and_play > 6
    assert richardson_lucy > 2
    assert np.isfinite(blind)
    motion = states[-1]["motion"]
    assert motion.shape == (*states[-1]["photo"].shape[:2], 2)
    inner = float(jnp.vdot(states[1]["blurred"], states[1]["photo"]))
    np.testing.assert_allclose(
        jnp.vdot(states[1]["photo"], states[1]["transposed"]), inner, rtol=1e-4
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_blocks_of_other_libraries_are_python(library):
    for number, code in enumerate(blocks(library)):
        compile(code, f"{library}, block {number}", "exec")


def test_the_restoration_of_scikit_image_is_sharper():
    assert gain(run(blocks("scikit-image"))[-1]) > 1


@pytest.mark.parametrize("library", ["SCICO", "DeepInverse"])
def test_the_blur_of_another_library_is_the_same(library):
    if importlib.util.find_spec(LIBRARIES[library]) is None:
        pytest.skip(f"needs {LIBRARIES[library]}")
    state = run(blocks(library)[:2])[-1]
    blurred = np.asarray(state["blurred"])
    ours = run(blocks("deblur_jax")[:2])[-1]["blurred"]
    expected = np.asarray(ours.mean(-1) if blurred.ndim == 2 else ours.transpose(2, 0, 1)[None])
    inside = (..., slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(blurred[inside], expected[inside], atol=1e-5)
