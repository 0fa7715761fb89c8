"""What every record of an experiment says about where it comes from."""

import os
import platform

import jax

from deblur_jax.version import revision


def origin() -> dict[str, str]:
    """Returns the machine, the version of JAX and the git revision."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {jax.default_backend()}",
        "jax": jax.__version__,
        "revision": revision() or "",
    }
