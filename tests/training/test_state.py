import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from deblur_jax.training.state import create_state


def test_compiling_the_first_state_quickly_changes_it_by_rounding_at_most():
    model, key, x = nn.Dense(5), jax.random.key(3), jnp.ones((1, 7))
    state = create_state(key, model, optax.sgd(0.1), x, ema=False)
    optimised = jax.jit(model.init)(key, x)["params"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), state.params, optimised)
