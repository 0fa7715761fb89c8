"""The maps of the perceptual loss, and weights converted from another framework's layout."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.vgg import DEVIATION, MEAN, VggFeatures
from deblur_jax.training.step import count_parameters


TOOL = Path(__file__).parents[2] / "tools" / "convert_weights.py"
WIDTHS = (3, 2, 2, 4, 4, 8, 8, 8)  # of a narrow network with the layers of the wide one
LAYERS = (0, 2, 5, 7, 10, 12, 14)  # torchvision's numbers of its first seven convolutions


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("convert_weights", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def state():
    rng = np.random.default_rng(0)
    state = {}
    for layer, inputs, outputs in zip(LAYERS, WIDTHS[:-1], WIDTHS[1:], strict=True):
        state[f"features.{layer}.weight"] = rng.normal(size=(outputs, inputs, 3, 3)) / 3
        state[f"features.{layer}.bias"] = rng.normal(size=outputs)
    return {name: array.astype(np.float32) for name, array in state.items()}


def loops(state, photo):
    """The seven layers in NumPy, channels first, as the state dict has them."""
    x = ((photo - np.asarray(MEAN)) / np.asarray(DEVIATION)).transpose(2, 0, 1)
    for layer in LAYERS:
        if layer in (5, 10):
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2).max(axis=(2, 4))
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        weight, bias = state[f"features.{layer}.weight"], state[f"features.{layer}.bias"]
        out = np.zeros((len(weight), *x.shape[1:])) + bias[:, None, None]
        for row in range(3):
            for column in range(3):
                seen = padded[:, row : row + x.shape[1], column : column + x.shape[2]]
                out += np.tensordot(weight[:, :, row, column], seen, axes=1)
        x = out if layer == LAYERS[-1] else np.maximum(out, 0)
        if layer in (2, 7):
            assert x.min() == 0
    return x.transpose(1, 2, 0)


def test_the_full_width_has_the_published_size():
    photo = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    variables = jax.eval_shape(VggFeatures().init, jax.random.key(0), photo)
    assert count_parameters(variables["params"]) == 1_735_488


def test_converted_weights_give_the_maps_of_the_original_layout(tool, state):
    photo = np.random.default_rng(1).random((32, 36, 3)).astype(np.float32)
    fields, params = tool.convert(state)
    assert fields == {"name": "vgg_features", "width": 2}
    maps = VggFeatures(width=2).apply({"params": params}, photo[None])[0]
    np.testing.assert_allclose(maps, loops(state, photo), rtol=1e-3, atol=1e-3)
