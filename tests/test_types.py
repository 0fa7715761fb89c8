"""Type checkers of the library's users know the types of its names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import deblur_jax


ROOT = Path(__file__).parents[1]
# Classes whose bases come from packages without types, commands, and functions of any path.
WITHOUT_TYPES = (
    "deblur_jax.data.builders.",
    "deblur_jax.data.augment.RandomCrop",
    "deblur_jax.cli.",
    "deblur_jax.io.",
)


def test_the_package_says_that_it_has_types():
    assert (ROOT / "deblur_jax" / "py.typed").is_file()


@pytest.mark.slow  # starts a type checker
def test_every_public_name_has_a_known_type():
    pytest.importorskip("basedpyright", reason="needs the extra dev")
    command = ["-m", "basedpyright", "--verifytypes", "deblur_jax", "--ignoreexternal"]
    shown = subprocess.run(
        [sys.executable, *command, "--outputjson", "--pythonpath", sys.executable],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = json.loads(shown.stdout)["typeCompleteness"]
    assert found["packageRootDirectory"] == str(ROOT / "deblur_jax")
    exported = [symbol for symbol in found["symbols"] if symbol["isExported"]]
    public = {f"deblur_jax.{name}" for name in deblur_jax._MODULES}
    assert public <= {symbol["name"] for symbol in exported}
    unknown = [x["name"] for x in exported if not x["isTypeKnown"] or x["isTypeAmbiguous"]]
    assert [name for name in unknown if not name.startswith(WITHOUT_TYPES)] == []
