"""Every config holds exactly the arguments of the functions it configures."""

import re
from pathlib import Path

import pytest

from deblur_jax.config_file import load_config
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
