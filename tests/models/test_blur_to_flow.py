"""B2F-net: its size in parameters, the sizes it takes, what its switches do."""

import jax
import jax.numpy as jnp
import pytest

from deblur_jax.models.blur_to_flow import BlurToFlowNet
from deblur_jax.training.state import count_parameters


TINY = BlurToFlowNet(widths=(2, 3), flow_widths=(2, 2), context_widths=(2, 2), reach=1)


def shapes(model, image):
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x)[0], image)


def photo(height, width, channels=3, dtype=jnp.float32):
    return jax.ShapeDtypeStruct((1, height, width, channels), dtype)


@pytest.mark.parametrize(
    ("transform", "refine", "count"),
    [(True, True, 26_167_734), (False, True, 21_978_510), (True, False, 11_092_910),
     (False, False, 10_660_070)],
)  # fmt: skip
def test_the_paper_net_has_the_stated_number_of_parameters(transform, refine, count):
    model = BlurToFlowNet(transform=transform, refine=refine)
    variables = jax.eval_shape(model.init, jax.random.key(0), photo(64, 64))
    assert count_parameters(variables["params"]) == count


@pytest.mark.parametrize("size", [(32, 32), (33, 46), (65, 32)])
def test_every_size_gets_a_flow_for_every_pixel(size):
    full, levels = shapes(TINY, photo(*size))
    assert full.shape == (1, *size, 2)
    assert [level.shape[1] for level in levels] == [-(-size[0] // 4) * 2, -(-size[0] // 4)]


@pytest.mark.slow
def test_the_initial_flow_and_its_gradients_are_finite(key):
    image = jax.random.uniform(key, (1, 32, 33, 3))
    variables = TINY.init(key, image)
    loss = jax.jit(jax.value_and_grad(lambda v: jnp.sum(jnp.square(TINY.apply(v, image)[0]))))
    value, grads = loss(variables)
    assert jnp.isfinite(value)
    assert all(jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(grads))


def test_unsuitable_images_are_refused():
    with pytest.raises(ValueError, match="BlurToFlowNet: images must have 3 colour channels, got"):
        shapes(TINY, photo(32, 32, 4))
    with pytest.raises(ValueError, match="at least 32 pixels a side, got 32x31"):
        shapes(TINY, photo(31, 32))
    with pytest.raises(TypeError, match="convert it first"):
        shapes(TINY, photo(32, 32, dtype=jnp.uint8))
