"""The overview of a run: parameters, arithmetic and peak performance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from deblur_jax.training.overview import flops_by_module, overview, peak_flops


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (3, 3), name="narrow")(x)
        x = nn.ConvTranspose(4, (4, 4), strides=(2, 2), name="wide")(x)
        return nn.Dense(5, name="last")(x)


NARROW = 2 * 16 * 16 * 9 * 3 * 8
WIDE = 2 * 16 * 16 * 16 * 8 * 4  # each pixel of the small picture meets the whole kernel
LAST = 2 * 32 * 32 * 4 * 5


def test_the_table_has_the_parameters_and_the_arithmetic_of_each_module():
    net, shape = Net(), jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
    params = jax.eval_shape(net.init, jax.random.key(0), shape)["params"]
    counts = flops_by_module(net.init, jax.random.key(0), shape)
    assert [counts[f"/Net/{name}"] for name in ("narrow", "wide", "last")] == [NARROW, WIDE, LAST]
    rows = [line.split() for line in overview(net, params, [shape]).splitlines()]
    assert [row[:2] for row in rows] == [
        ["last", "25"], ["narrow", "224"], ["wide", "516"], ["Net", "765"],
    ]  # fmt: skip
    assert float(rows[3][3]) == pytest.approx((NARROW + WIDE + LAST) / 1e6, abs=0.1)


def test_a_loop_counts_as_often_as_it_runs_and_of_branches_the_longest():
    def program(x):
        x, _ = lax.scan(lambda c, _: (c @ c, None), x, None, length=7)
        return lax.cond(jnp.sum(x) > 0, lambda x: x @ x, lambda x: x, x)

    counts = flops_by_module(jax.jit(program), np.ones((4, 4), np.float32))
    assert counts.total() == 8 * 2 * 4**3


def test_a_gradient_counts_as_two_more_products():
    def loss(weights, x):
        return jnp.sum(jnp.tanh(x @ weights) @ weights)

    counts = flops_by_module(jax.grad(loss), np.ones((4, 4)), np.ones((4, 4)))
    # Two forward; to the weights twice, to what lies between once.
    assert counts.total() == 5 * 2 * 4**3


def test_the_peak_is_known_of_some_chips():
    assert peak_flops("NVIDIA H100 80GB HBM3", "bfloat16") == 989e12
    assert peak_flops("NVIDIA H100 PCIe", "bfloat16") == 756e12
    assert peak_flops("TPU v5 lite", "float32") == 197e12
    assert peak_flops("cpu", "float32") is None
