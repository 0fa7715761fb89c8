"""Half precision and rematerialisation change the cost of a step, not its result."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from deblur_jax.training.precision import with_precision


SEEN = []


class Small(nn.Module):
    """A convolution, a norm with statistics, a convolution; notes what it computes in."""

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Conv(4, (3, 3), use_bias=False)(x))
        SEEN.append(x.dtype)
        x = nn.BatchNorm(use_running_average=False)(x)
        return nn.Conv(1, (3, 3))(x)

    def flow(self, x):
        return 2 * x


def gradients(key, **fields):
    module = Small()
    network = with_precision(module, **{"precision": "float32", "remat": "none", **fields})
    assert network.flow(1) == 2
    x = jax.random.normal(key, (2, 8, 8, 3))
    variables = module.init(key, x)

    def loss(params):
        out, changed = network.apply({**variables, "params": params}, x, mutable=["batch_stats"])
        return jnp.mean(out**2), (out, changed)

    made = jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"])
    return made, SEEN[-1]


def test_half_precision_is_for_the_network_alone(key):
    exact, _ = gradients(key)
    half, seen = gradients(key, precision="bfloat16")
    assert seen == jnp.bfloat16
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(half))
    np.testing.assert_allclose(half[0][0], exact[0][0], rtol=0.03)


@pytest.mark.parametrize("remat", ["pointwise", "all"])
def test_rematerialisation_changes_no_number(key, remat):
    exact, _ = gradients(key)
    again, _ = gradients(key, remat=remat)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), exact, again)


def test_errors_for_unknown_choices_list_the_known_ones():
    with pytest.raises(ValueError, match=r"precision must be one of \['bfloat16', 'float32'\]"):
        with_precision(Small(), precision="float16", remat="none")
    with pytest.raises(ValueError, match=r"remat must be one of \['all', 'none', 'pointwise'\]"):
        with_precision(Small(), precision="float32", remat="some")
