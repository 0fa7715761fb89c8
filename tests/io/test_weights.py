"""Weight files: exact round trips, and clear errors for bad files."""

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from deblur_jax.io.weights import read_weights, write_weights


PARAMS = {
    "a": {"kernel": np.arange(6.0).reshape(2, 3).T, "b": {"c": np.ones(2, np.float16)}},
    "steps": np.float32(4),
}
CARD = {"model": {"name": "net", "widths": [1, 2]}, "step": 3}


def test_arrays_and_card_come_back_exactly(tmp_path):
    write_weights(tmp_path / "w.safetensors", PARAMS, CARD)
    params, card = read_weights(tmp_path / "w.safetensors")
    assert card == CARD
    assert jax.tree.structure(params) == jax.tree.structure(PARAMS)
    for actual, expected in zip(jax.tree.leaves(params), jax.tree.leaves(PARAMS), strict=True):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(actual, expected)


def test_a_bad_file_is_named(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(FileNotFoundError, match="no such file; give a .safetensors file"):
        read_weights(path)
    write_weights(path, PARAMS, CARD)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="damaged or not a safetensors file"):
        read_weights(path)
    save_file({"a": np.ones(1)}, path)
    with pytest.raises(ValueError, match="holds no model card"):
        read_weights(path)
