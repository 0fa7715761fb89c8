"""Registered dataclasses: through `jax.export`, through flax's bytes, through transformations."""

import chex
import jax
import jax.numpy as jnp
import pytest
from flax import serialization
from jax import export

from deblur_jax.models.gmm import PatchMixture
from deblur_jax.ops.operators import BasisBlur, LineBlur, UniformBlur, WindowedBlur
from deblur_jax.solvers.diagnosis import diagnose


BLURS = {
    "basis": BasisBlur(jnp.full((1, 3, 3), 1 / 9), jnp.ones((6, 7, 1)), order="scatter"),
    "line": LineBlur(jnp.full((6, 7, 2), 2.5), padding="reflect"),
    "uniform": UniformBlur(jnp.full((3, 3), 1 / 9), padding="edge"),
    "windowed": WindowedBlur(
        jnp.full((1, 2, 3, 3), 1 / 9), jnp.ones(1), jnp.asarray([1.0, 5.0]), padding="edge"
    ),
}
EACH = pytest.mark.parametrize("blur", BLURS.values(), ids=BLURS)


@EACH
def test_a_function_of_an_operator_can_be_exported(key, blur):
    pytest.importorskip("flatbuffers")  # which jax needs to write an exported function
    photo = jax.random.uniform(key, (6, 7, 3), jnp.float32)

    @jax.jit
    def function(blur, photo):
        return diagnose(blur, photo, photo), blur.extended(1)

    read = export.deserialize(export.export(function)(blur, photo).serialize())
    actual, expected = read.call(blur, photo), function(blur, photo)
    chex.assert_trees_all_close(actual, expected, rtol=1e-6)
    assert jax.tree.structure(actual) == jax.tree.structure(expected)  # static fields included


@EACH
def test_flax_writes_and_reads_the_arrays_of_an_operator(blur):
    data = serialization.to_bytes({"blur": blur})
    zeros = jax.tree.map(jnp.zeros_like, blur)
    chex.assert_trees_all_equal(serialization.from_bytes({"blur": zeros}, data)["blur"], blur)


def test_flax_refuses_another_operator():
    data = serialization.to_bytes(BLURS["line"])
    with pytest.raises(
        ValueError, match=r"expected the fields \['kernels', 'mixing'\], got \['flow'\]"
    ):
        serialization.from_bytes(BLURS["basis"], data)


def test_mixtures_are_written_too():
    mixture = PatchMixture(jnp.zeros(2), jnp.ones((2, 3)), jnp.ones((2, 4, 3)))
    zeros = jax.tree.map(jnp.zeros_like, mixture)
    data = serialization.to_bytes(mixture)
    chex.assert_trees_all_equal(serialization.from_bytes(zeros, data), mixture)
