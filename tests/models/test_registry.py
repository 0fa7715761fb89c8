"""Networks by name."""

import pytest

from deblur_jax.models.registry import make_model


def test_a_name_and_fields_make_a_network():
    assert make_model(name="motion_flow", reach=5).reach == 5


def test_the_error_for_an_unknown_network_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"model.name must be one of .*'motion_context', "):
        make_model(name="motionflow")


def test_an_unknown_field_is_named():
    with pytest.raises(TypeError, match="depth"):
        make_model(name="motion_flow", depth=3)
