"""Each small config's network learns eight samples by heart."""

from pathlib import Path

import jax
import numpy as np
import pytest

from deblur_jax.config_file import load_config
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.models.registry import make_model
from deblur_jax.training.examples import simulated
from deblur_jax.training.optimizer import make_optimizer
from deblur_jax.training.parallel import over_devices, replicate, split_batch
from deblur_jax.training.state import create_state
from deblur_jax.training.step import make_train_step
from deblur_jax.training.tasks.registry import find_task


CONFIGS = Path(__file__).parents[2] / "configs"
SAMPLES = 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "metric", "share"),
    [
        ("gong", 200, "flow/mse", 0.2),
        ("carbajal", 200, "loss/reblur", 0.3),
        ("blurring_to_deblur", 200, "loss/content", 0.5),
        ("noroozi", 200, "loss/total", 0.6),
        ("argaw", 200, "flow/epe", 0.4),
        ("zhang", 200, "loss/restored", 0.7),
    ],
)
def test_a_small_config_overfits_eight_samples(name, steps, metric, share):
    config = load_config(f"{CONFIGS / name}.py:small")
    config.batches.batch_size = SAMPLES
    config.optimizer.schedule = "constant"
    task, model = find_task(config.task), make_model(**config.model)
    batch = next(training_batches(make_source(**config.source), seed=0, **config.batches))
    examples = simulated(task.make_simulate(**config.simulate), batch, jax.random.key(0))
    loss_fn = task.make_loss(model, lambda _, example: example, **config.loss)
    optimizer = make_optimizer(**config.optimizer, total_steps=config.steps)
    devices = jax.devices()[:1]
    step = over_devices(
        make_train_step(loss_fn, optimizer, ema_decay=0.0, seed=0), devices, parallel="pmap"
    )
    inputs = task.model_inputs(lambda _, example: example, examples, jax.random.key(0))
    state = create_state(jax.random.key(0), model, optimizer, *(x[:1] for x in inputs), ema=False)
    state, shares = replicate(state, devices), split_batch(examples, devices)
    values = []
    for _ in range(steps):
        state, metrics = step(state, shares)
        values.append(float(metrics[metric]))
    first, last = values[0], np.mean(values[-5:])
    print(f"{name}: {metric} {first:.4g} -> {last:.4g} in {steps} steps")
    assert last < share * first
