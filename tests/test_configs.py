"""Every config holds exactly the arguments of the functions it configures."""

import re
from pathlib import Path

import numpy as np
import pytest

from deblur_jax.config_file import load_config
from deblur_jax.simulate.camera_flow import LARGE
from deblur_jax.training.tasks.registry import find_task


CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.py"))


def variants():
    """Yield the variants of every config, read from its error for an unknown variant."""
    for path in CONFIGS:
        with pytest.raises(ValueError, match="variant must be .*got 'tiny'") as refused:
            load_config(f"{path}:tiny")
        for variant in re.findall(r"'(\w+)'", str(refused.value))[:-1]:
            yield pytest.param(f"{path}:{variant}", id=f"{path.stem}:{variant}")


@pytest.mark.parametrize("name", list(variants()))
def test_every_group_is_the_arguments_of_its_function(name):
    from deblur_jax.data.sources import make_source
    from deblur_jax.models.registry import make_model
    from deblur_jax.training.optimizer import make_optimizer

    config = load_config(name)
    task = find_task(config.task)
    model = make_model(**config.model)
    task.make_loss(model, task.make_simulate(**config.simulate), **config.loss)
    make_optimizer(**config.optimizer, total_steps=config.steps)
    if not config.source.folder and config.source.name != "embedded":
        with pytest.raises(ValueError, match=r"source\.folder is empty; give a folder"):
            make_source(**config.source)
        return
    training, evaluation = make_source(**config.source), make_source(**config.evaluation_source)
    assert not set(training.paths) & set(evaluation.paths)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_has_a_smoke_run(path):
    assert load_config(f"{path}:smoke").steps < 10


def test_every_config_can_start_from_weights():
    for path in CONFIGS:
        assert load_config(str(path)).init.weights == ""


PAPER_HALVINGS = {"paper": (300, (100, 150, 200, 250)), "gopro": (120, (60, 80, 100))}


@pytest.mark.parametrize("variant", ["paper", "pod", "gopro", "nfs"])
def test_argaws_rate_is_halved_after_the_papers_epochs(variant):
    from deblur_jax.training.optimizer import make_schedule

    names = {"pod": "paper", "nfs": "gopro"}
    epochs, halvings = PAPER_HALVINGS[names.get(variant, variant)]
    config = load_config(f"{CONFIGS[0].parent / 'argaw.py'}:{variant}")
    fields = config.optimizer
    rate = make_schedule(
        schedule=fields.schedule, peak_rate=1.0, warmup_fraction=0.0, total_steps=config.steps,
        milestones=fields.milestones,
    )  # fmt: skip
    middles = (np.arange(epochs) + 0.5) / epochs * config.steps
    halved = np.searchsorted(halvings, np.arange(epochs), side="right")
    np.testing.assert_allclose([rate(int(step)) for step in middles], 0.5**halved)
    assert config.batches.place == "centre"
    assert config.batches.crop == 256


def test_gongs_crops_have_the_centres_of_whole_photos():
    """A crop lies anywhere in a photo of 481 x 321, whose centres are within 15 pixels."""
    config = load_config(f"{CONFIGS[0].parent / 'gong.py'}:paper")
    crop = config.batches.crop
    expected = (
        (481 - crop) / 2 + LARGE.centre_jitter[0],
        (321 - crop) / 2 + LARGE.centre_jitter[1],
    )
    assert config.simulate.centre_jitter == expected
