"""What every record of an experiment says about where it comes from."""

import os
import platform
import subprocess
from pathlib import Path

import jax


def origin() -> dict[str, str]:
    """Returns the machine, the version of JAX and the git revision."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    revision = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {jax.default_backend()}",
        "jax": jax.__version__,
        "revision": revision,
    }
