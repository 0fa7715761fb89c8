"""A training run small enough for a test."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture
def smoke_config():
    """Returns a function that makes the quick start's smoke config, steps and all."""
    path = Path(__file__).parents[2] / "configs" / "quickstart.py"
    spec = importlib.util.spec_from_file_location("quickstart", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def make(**fields):
        config = module.get_config("smoke")
        config.update(fields)
        return config

    return make
