"""Every config's smoke run, from its source to exported weights."""

from pathlib import Path

import jax
import numpy as np
import pytest

from deblur_jax.config_file import load_config
from deblur_jax.pretrained import load
from deblur_jax.training.export import export
from deblur_jax.training.initial import start_from
from deblur_jax.training.loop import train
from deblur_jax.training.records import read_evaluations


CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_smoke_run_trains_on_two_devices_evaluates_and_exports(path, tmp_path, capsys):
    config = load_config(f"{path}:smoke")
    state = train(config, tmp_path, devices=jax.devices()[:2])
    metrics = read_evaluations(tmp_path)[config.steps]
    assert config.best_metric in metrics
    assert all(np.isfinite(value) for value in metrics.values())
    export(tmp_path, tmp_path / "net.safetensors")
    trained = load(str(tmp_path / "net.safetensors"))
    assert jax.tree.all(jax.tree.map(np.array_equal, trained.variables, state.variables))
    zeros = jax.tree.map(np.zeros_like, state.variables)
    start = start_from(zeros, str(tmp_path / "net.safetensors"))
    assert "everything fitted" in capsys.readouterr().out
    assert jax.tree.all(jax.tree.map(np.array_equal, start, state.variables))
