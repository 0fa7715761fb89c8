"""The `pod` variants of the paper configs: eight devices share their batches."""

from pathlib import Path

import jax
import numpy as np
import pytest

from deblur_jax.config_file import load_config
from deblur_jax.training.loop import train
from deblur_jax.training.parallel import check_batch_size
from deblur_jax.training.records import read_evaluations


CONFIGS = Path(__file__).parents[2] / "configs"
PAPERS = ("argaw", "blurring_to_deblur", "carbajal", "gong", "noroozi", "zhang")


@pytest.mark.parametrize("name", PAPERS)
def test_the_batch_divides_by_eight_devices_and_its_parts(name):
    config = load_config(f"{CONFIGS / name}.py:pod")
    check_batch_size(config.batches.batch_size, jax.devices()[:8], accumulate=config.accumulate)


@pytest.mark.parametrize("name", PAPERS)
def test_the_rate_and_the_steps_follow_the_batch(name):
    paper, pod = (load_config(f"{CONFIGS / name}.py:{variant}") for variant in ("paper", "pod"))
    growth = pod.batches.batch_size / paper.batches.batch_size
    power = 1.0 if paper.optimizer.name == "sgd" else 0.5
    scale = pod.optimizer.peak_rate / paper.optimizer.peak_rate
    assert scale == pytest.approx(growth**power, rel=0.02)
    assert pod.steps == pytest.approx(paper.steps / growth, rel=0.01)
    for field in ("period", "constant_steps"):
        if paper.optimizer.get(field):
            assert pod.optimizer[field] == pytest.approx(paper.optimizer[field] / growth, rel=0.01)
    # Shares of the run.
    assert pod.optimizer.get("milestones", ()) == paper.optimizer.get("milestones", ())


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_three_steps_on_eight_devices(name, tmp_path):
    """The batch, rates and schedule of `pod`; the network, crops and data of `smoke`."""
    config, smoke = (load_config(f"{CONFIGS / name}.py:{variant}") for variant in ("pod", "smoke"))
    batch_size = config.batches.batch_size
    for group in (
        "source",
        "evaluation_source",
        "batches",
        "simulate",
        "model",
        "init",
        "evaluate",
    ):
        config[group] = smoke[group]
    loss = {field: smoke.loss[field] for field in ("kind", "weights", "kernels", "critic_width")
            if field in smoke.loss}  # fmt: skip
    config.loss.update(loss)
    config.batches.batch_size = batch_size
    config.steps = 3
    if "constant_steps" in config.optimizer:
        config.optimizer.constant_steps = 1
    state = train(config, tmp_path, devices=jax.devices()[:8])
    assert int(state.step) == 3
    metrics = read_evaluations(tmp_path)[3]
    assert config.best_metric in metrics
    assert all(np.isfinite(value) for value in metrics.values())
