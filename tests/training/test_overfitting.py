"""Each small config's network overfits eight samples."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.config_file import load_config
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.losses.kernels import absolute_kernel_error
from deblur_jax.metrics import psnr
from deblur_jax.models.registry import make_model
from deblur_jax.training.optimizer import make_optimizer
from deblur_jax.training.parallel import over_devices, replicate, split_batch
from deblur_jax.training.step import (
    create_state,
    init_variables,
    make_train_step,
    simulated,
)
from deblur_jax.training.tasks.registry import find_task


CONFIGS = Path(__file__).parents[2] / "configs"
SAMPLES = 8


def without_motion(examples):
    return float(jnp.mean(jnp.sum(examples["flow"] ** 2, axis=-1)) / 2)


def without_direction(examples):
    return float(jnp.mean(jnp.linalg.norm(examples["flow"], axis=-1)))


def without_blur(examples):
    middle = examples["kernels"].shape[-1] // 2
    still = jnp.zeros_like(examples["kernels"][0, :1]).at[0, middle, middle].set(1)
    everywhere = jnp.ones_like(examples["mixing"][0, ..., :1])
    truth = (examples["kernels"], examples["mixing"], examples["weights"])
    errors = jax.vmap(lambda *true: absolute_kernel_error(still, everywhere, *true))(*truth)
    return float(jnp.mean(errors))


def blurred(examples):
    return float(jnp.mean((examples["blurry"] - examples["sharp"]) ** 2))


def error_of_restored(metrics):
    return 10 ** (-float(metrics["psnr/restored"]) / 10)


def blurred_as_scored(examples):
    """The error whose PSNR is the mean of the samples' PSNR, as tasks report it."""
    scores = jax.vmap(psnr)(examples["blurry"], examples["sharp"])
    return error_of_restored({"psnr/restored": jnp.mean(scores)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "crop", "steps", "metric", "baseline"),
    [
        ("gong", 60, 100, "flow/mse", without_motion),
        ("carbajal", 64, 300, "loss/kernels", without_blur),
        ("blurring_to_deblur", 40, 200, "loss/content", blurred),
        ("noroozi", 56, 100, error_of_restored, blurred_as_scored),
        ("argaw", 56, 100, "flow/epe", without_direction),
        ("zhang", 88, 80, error_of_restored, blurred_as_scored),
    ],
)
def test_a_small_config_overfits_eight_samples(name, crop, steps, metric, baseline):
    """The error falls below half of what takes no network."""
    config = load_config(f"{CONFIGS / name}.py:small")
    config.batches.update(batch_size=SAMPLES, crop=crop)
    config.optimizer.schedule = "constant"
    if "subframes" in config.simulate:
        config.simulate.subframes = 5
    if name == "carbajal":
        config.loss.squared_until = steps // 10
    task, model = find_task(config.task), make_model(**config.model)
    batch = next(training_batches(make_source(**config.source), seed=0, **config.batches))
    simulate = task.make_simulate(**config.simulate)
    examples = jax.jit(lambda x, key: simulated(simulate, x, key))(batch, jax.random.key(0))

    def as_it_is(key, example):
        return example

    loss_fn = task.make_loss(model, as_it_is, **config.loss)
    optimizer = make_optimizer(**config.optimizer, total_steps=config.steps)
    train_step = make_train_step(loss_fn, optimizer, ema_decay=0.0, seed=0)
    devices = jax.devices()[:1]
    step = over_devices(train_step, devices, parallel="pmap")
    memory = None
    if hasattr(task, "first_memory"):
        fields = {name: config.init[name] for name in config.init if name != "weights"}
        memory = task.first_memory(jax.random.key(1), **fields)
    inputs = task.model_inputs(as_it_is, examples, jax.random.key(0))
    variables = init_variables(jax.random.key(0), model, *(x[:1] for x in inputs))
    state = create_state(variables, optimizer, ema=False, memory=memory)
    state, shares = replicate(state, devices), split_batch(examples, devices)
    values = []
    for _ in range(steps):
        state, metrics = step(state, shares)
        values.append(float(metrics[metric]) if isinstance(metric, str) else metric(metrics))
    last, without = np.mean(values[-5:]), baseline(examples)
    print(f"{name}: {last:.4g}, without a network {without:.4g}, in {steps} steps")
    assert last < without / 2
