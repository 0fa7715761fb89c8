import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from deblur_jax.training.step import init_variables


def test_compiling_the_first_variables_quickly_changes_them_by_rounding_at_most():
    model, key, x = nn.Dense(5), jax.random.key(3), jnp.ones((1, 7))
    quick, optimised = init_variables(key, model, x), jax.jit(model.init)(key, x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), quick, dict(optimised))
