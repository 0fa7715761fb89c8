import pytest
from ml_collections import ConfigDict

from deblur_jax.config_file import set_fields


@pytest.fixture
def config():
    return ConfigDict({"steps": 4, "source": {"name": "a", "sizes": (1, 2)}})


def test_fields_are_set_by_their_paths(config):
    set_fields(config, ["steps=5", "source.name=folder=x", "source.sizes=(3,)"])
    assert config.to_dict() == {"steps": 5, "source": {"name": "folder=x", "sizes": (3,)}}


def test_a_field_that_is_not_there_or_of_another_kind_is_named(config):
    with pytest.raises(ValueError, match=r"no such field source.nam; see the config file"):
        set_fields(config, ["source.nam=b"])
    with pytest.raises(ValueError, match=r"no such field steps.count; see"):
        set_fields(config, ["steps.count=1"])
    with pytest.raises(ValueError, match=r"steps must be like 4, got 'many'"):
        set_fields(config, ["steps=many"])
    with pytest.raises(ValueError, match=r"steps must be like 4, got '\(1,\)'"):
        set_fields(config, ["steps=(1,)"])
