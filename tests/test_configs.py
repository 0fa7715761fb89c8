"""Every config: what it says is what the code takes."""

from pathlib import Path

import pytest

from deblur_jax.config_file import load_config
from deblur_jax.training.tasks.registry import find_task


CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("variant", ["full", "smoke"])
def test_every_group_is_the_arguments_of_its_function(path, variant):
    from deblur_jax.data.sources import make_source
    from deblur_jax.models.registry import make_model
    from deblur_jax.training.optimizer import make_optimizer

    config = load_config(f"{path}:{variant}")
    task = find_task(config.task)
    model = make_model(**config.model)
    task.make_loss(model, task.make_simulate(**config.simulate), **config.loss)
    make_optimizer(**config.optimizer, total_steps=config.steps)
    training, evaluation = make_source(**config.source), make_source(**config.evaluation_source)
    assert not set(training.paths) & set(evaluation.paths)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_unknown_variant_is_refused(path):
    with pytest.raises(ValueError, match="variant must be .*got 'tiny'"):
        load_config(f"{path}:tiny")
