"""Fixtures and the numerics policy shared by every test."""

import hashlib
import os


# Cheaper LLVM passes: compilation is most of the suite's time, and the numbers agree.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax
import pytest
from absl import flags


flags.FLAGS.mark_as_parsed()  # grain's worker processes read absl flags
jax.config.update("jax_num_cpu_devices", 8)  # makes data parallelism real on a laptop

EXACT = ("ops", "solvers", "losses")  # physics and algebra: double precision, no promotion


@pytest.fixture(autouse=True)
def numerics(request):
    """Runs the mathematics in strict float64 and everything else as users run it."""
    if request.path.parent.name not in EXACT:
        yield
        return
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
    ):
        yield


@pytest.fixture
def key(request):
    """A random key that depends on the test's name alone: no shared state, no luck."""
    digest = hashlib.sha256(request.node.nodeid.encode()).digest()
    return jax.random.key(int.from_bytes(digest[:4], "big"))
