"""Fixtures and the numerics policy shared by every test."""

import hashlib
import os
import sys
import warnings
from pathlib import Path


# Cheaper LLVM passes: compilation is most of the suite's time, and the numbers agree.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax
import pytest
from absl import flags
from absl.testing import flagsaver


flags.FLAGS.mark_as_parsed()  # grain's worker processes read absl flags
jax.config.update("jax_num_cpu_devices", 8)  # makes data parallelism real on a laptop

EXACT = ("ops", "solvers", "losses")  # physics and algebra: double precision, no promotion


@pytest.fixture(autouse=True)
def numerics(request):
    """Run the mathematics in strict float64 and everything else as users run it."""
    if request.path.parent.name not in EXACT:
        yield
        return
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
    ):
        yield


@pytest.fixture(autouse=True, scope="module")
def compiled_programs():
    """Free compiled programs before the process runs out of memory maps.

    Each program takes some, Linux allows 65,530, and without them the compiler crashes: a serial
    run of the suite did after 2,063 tests.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 30_000:
        jax.clear_caches()


@pytest.fixture
def key(request):
    """Return a random key that depends only on the test's name."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return jax.random.key(int.from_bytes(digest[:4], "big"))


@pytest.fixture
def main_command(monkeypatch, capsys):
    """Return a function that runs `deblur_jax.main` with flags, in this process.

    It returns the exit status, what was printed, and the error if there was one.
    """
    from deblur_jax import main
    from deblur_jax.training import loop  # noqa: F401  flags defined later would be forgotten

    monkeypatch.setenv("DEBLUR_JAX_CACHE", "")

    def run(*arguments):
        command = ["main", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)  # where config flags look for their fields
        status, error = 0, ""
        with flagsaver.flagsaver(), warnings.catch_warnings():
            # ml_collections reads config files in a deprecated way.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                main.main(main.parse(command))
            except SystemExit as stopped:
                status, error = 1, str(stopped.code)
        return status, capsys.readouterr().out, error

    return run
