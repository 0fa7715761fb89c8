"""The wheel: it holds the package and nothing else, and deblurs a photo where it is installed."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from skimage import data

from deblur_jax.io.images import Photo, read_photo, write_photo
from deblur_jax.metrics import psnr
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.version import __version__


pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MEGABYTE = 10**6


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)),
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Builds the wheel in a copy, where no earlier build can add files to it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "deblur_jax", source / "deblur_jax", ignore=skipped)
    for name in ("tests", "configs", "experiments", "tools"):
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", built, source)
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the folder of programs of a new virtual environment that holds the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    constraints = ROOT / "constraints.txt"
    run(programs / "pip", "install", "--quiet", "-c", constraints, wheel)
    return programs


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "deblur_jax"
    files = [path for path in package.rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix not in (".md", ".pyc")]
    assert found == {str(path.relative_to(ROOT)) for path in files}


def test_the_wheel_is_small_enough_to_publish(wheel):
    assert wheel.stat().st_size < 100 * MEGABYTE  # the limit of the package index


def test_the_metadata_are_accepted_by_the_package_index(wheel, installed):
    run(installed / "pip", "install", "--quiet", "twine")
    assert "PASSED" in run(installed / "twine", "check", "--strict", wheel)


def test_an_installed_wheel_deblurs_a_photo(installed, tmp_path):
    sharp = data.coffee()[:256, :320].astype(np.float32) / 255
    motion = jnp.full((256, 320, 2), jnp.array([9.0, 4.0]))
    blurry = np.clip(np.asarray(line_blur(sharp, motion)), 0, 1)
    write_photo(tmp_path / "photo.png", Photo(blurry))
    place = run(
        installed / "python", "-c",
        "import deblur_jax; print(deblur_jax.__version__, deblur_jax.__file__)",
        cwd=tmp_path,
    )  # fmt: skip
    assert place.startswith(f"{__version__} {installed.parent}")
    run(installed / "deblur", "photo.png", cwd=tmp_path)
    restored = read_photo(tmp_path / "photo-deblurred.png").pixels
    assert psnr(restored, sharp) > psnr(blurry, sharp) + 1


@pytest.mark.parametrize("command", ["deblur", "deblur-video", "deblur-page"])
def test_the_commands_are_installed(installed, command):
    assert run(installed / command, "--help").startswith(f"usage: {command}")
