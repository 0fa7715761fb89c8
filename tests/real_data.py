"""The development data sets: the folder that `DEBLUR_JAX_DATA` names, and nowhere else."""

import os
from pathlib import Path

import pytest


_FOLDER = os.environ.get("DEBLUR_JAX_DATA")


def real_path(name):
    """Return the path of a file or folder of the data, or of nothing without the variable."""
    return Path(_FOLDER or "DEBLUR_JAX_DATA is not set") / name


def needs(name):
    """Return a mark that skips a test unless the data hold the file or folder `name`."""
    reason = f"needs {name} below DEBLUR_JAX_DATA"
    return pytest.mark.skipif(not real_path(name).exists(), reason=reason)
