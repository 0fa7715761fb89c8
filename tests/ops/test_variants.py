"""Operators equal their equations with and without jit, from host arrays and device arrays."""

import functools

import chex
import numpy as np
from absl.testing import parameterized

from deblur_jax import basis_blur, line_blur
from deblur_jax.ops.cost_volume import cost_volume
from deblur_jax.ops.spatial_rnn import spatial_rnn
from tests.reference import basis_blur as basis_reference
from tests.reference import cost_volume as cost_reference
from tests.reference import line_blur as line_reference
from tests.reference import spatial_rnn as rnn_reference


RANDOM = np.random.default_rng(0)
IMAGE, OTHER = RANDOM.normal(size=(2, 5, 6, 2))
BASIS = (RANDOM.uniform(size=(2, 3, 3)), RANDOM.uniform(size=(5, 6, 2)))


class OperatorsTest(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True, without_device=True)
    @parameterized.named_parameters(
        (
            "basis_blur",
            basis_blur,
            functools.partial(basis_reference.basis_blur, order="gather", padding="reflect"),
            (IMAGE, *BASIS),
        ),
        (
            "cost_volume",
            functools.partial(cost_volume, reach=1),
            functools.partial(cost_reference.cost_volume, reach=1),
            (IMAGE, OTHER),
        ),
        ("line_blur", line_blur, line_reference.line_blur, (IMAGE, 3 * OTHER)),
        (
            "spatial_rnn",
            spatial_rnn,
            rnn_reference.spatial_rnn,
            (IMAGE, np.tanh(np.tile(OTHER, 4))),
        ),
    )
    def test_equals_the_equation(self, function, equation, arrays):
        actual = self.variant(function)(*arrays)
        chex.assert_trees_all_close(actual, equation(*arrays), rtol=1e-9, atol=1e-12)
