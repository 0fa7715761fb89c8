import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.ops.flow import canonical


def test_canonical_turns_every_vector_into_the_half_plane_and_keeps_v_where_u_is_zero():
    flow = jnp.array([[[-2.0, 3.0], [2.0, -3.0]], [[0.0, -1.0], [0.0, 1.0]]])
    expected = [[[2.0, -3.0], [2.0, -3.0]], [[0.0, -1.0], [0.0, 1.0]]]
    np.testing.assert_array_equal(canonical(flow), expected)
    np.testing.assert_array_equal(canonical(canonical(flow)), expected)


def test_canonical_refuses_a_batch():
    with pytest.raises(TypeError, match=r"canonical: flow must be a float array of shape"):
        canonical(jnp.zeros((2, 4, 4, 2)))
