"""B2F-net: number of parameters, photo sizes and options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.blur_to_flow import BlurToFlowNet, SpatialTransformer
from deblur_jax.training.step import count_parameters


TINY = BlurToFlowNet(widths=(2, 3), flow_widths=(2, 2), context_widths=(2, 2), reach=1)


def shapes(model, image):
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x)[0], image)


def photo(height, width, channels=3, dtype=jnp.float32):
    return jax.ShapeDtypeStruct((1, height, width, channels), dtype)


@pytest.mark.parametrize(
    ("transform", "refine", "count"),
    [
        (True, True, 26_167_734),
        (False, False, 10_660_070),
        pytest.param(False, True, 21_978_510, marks=pytest.mark.slow),
        pytest.param(True, False, 11_092_910, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_the_paper_net_has_the_stated_number_of_parameters(transform, refine, count):
    model = BlurToFlowNet(transform=transform, refine=refine)
    variables = jax.eval_shape(model.init, jax.random.key(0), photo(64, 64))
    assert count_parameters(variables["params"]) == count


def test_the_levels_are_of_the_size_rounded_up_to_the_largest_stride():
    full, levels = shapes(TINY, photo(33, 46))
    assert full.shape == (1, 33, 46, 2)
    assert [level.shape for level in levels] == [(1, 18, 24, 2), (1, 9, 12, 2)]


def test_a_transformer_is_the_identity_at_first_and_learns_to_move(key):
    maps = jax.random.normal(key, (2, 9, 12, 3))
    variables = jax.jit(SpatialTransformer().init)(key, maps)

    def distance(variables):
        moved = SpatialTransformer().apply(variables, maps)
        return jnp.sum((moved - jnp.roll(maps, 1, axis=2)) ** 2), moved

    grads, moved = jax.jit(jax.grad(distance, has_aux=True))(variables)
    np.testing.assert_allclose(moved, maps, atol=1e-5)
    assert jnp.abs(grads["params"]["Dense_1"]["bias"][2]) > 0  # the shift along the rows


@pytest.mark.slow
def test_the_initial_flow_and_its_gradients_are_finite(key):
    image = jax.random.uniform(key, (1, 32, 33, 3))
    variables = TINY.init(key, image)
    loss = jax.jit(jax.value_and_grad(lambda v: jnp.sum(jnp.square(TINY.apply(v, image)[0]))))
    value, grads = loss(variables)
    assert jnp.isfinite(value)
    assert all(jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(grads))
