"""A training run small enough for a test."""

import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from ml_collections import ConfigDict

from deblur_jax.io.images import Photo, write_photo
from deblur_jax.models.registry import MODELS
from deblur_jax.training.examples import simulated
from deblur_jax.training.settings import photo_batches, photo_source, run_settings
from deblur_jax.training.tasks.registry import TASKS


class MeanColour(nn.Module):
    """Estimates a photo's mean colour: a net that compiles in no time."""

    width: int

    @nn.compact
    def __call__(self, noisy):
        return nn.Dense(3)(nn.tanh(nn.Dense(self.width)(noisy[:, ::8, ::8].mean((1, 2)))))


def make_simulate(*, noise):
    def simulate(key, example):
        return {"noisy": example["sharp"] + noise * jax.random.normal(key), **example}

    return simulate


def make_loss(model, simulate):
    def loss_fn(params, statistics, batch, key):
        example = simulated(simulate, batch, key)
        estimate = model.apply({"params": params, **statistics}, example["noisy"])
        loss = jnp.mean((estimate - example["sharp"].mean((1, 2))) ** 2)
        memory = statistics["loss"]
        memory = {"count": memory["count"] + 1, "mean": 0.9 * memory["mean"] + 0.1 * loss}
        return loss, ({"error": jnp.sqrt(loss)}, {**statistics, "loss": memory})

    return loss_fn


def first_memory(simulate, batch, key):
    return {"count": jnp.zeros((), jnp.int32), "mean": jax.random.uniform(key)}


def model_inputs(simulate, batch, key):
    return (simulated(simulate, batch, key)["noisy"],)


def evaluate(model, variables, source, simulate, *, seed, workdir):
    sharp = source[0]["sharp"][:32, :32] / np.float32(255)
    estimate = np.asarray(model.apply(variables, sharp[None]))[0]
    (workdir / "pictures").mkdir(exist_ok=True)
    write_photo(workdir / "pictures" / "sharp.png", Photo(sharp))
    return {"error": float(np.abs(estimate - sharp.mean((0, 1))).mean()), "seed": seed}


@pytest.fixture
def tiny_task(monkeypatch):
    """The task of estimating a photo's mean colour, among the tasks for the time of a test."""
    task = types.SimpleNamespace(
        make_simulate=make_simulate, make_loss=make_loss, first_memory=first_memory,
        model_inputs=model_inputs, evaluate=evaluate,
    )  # fmt: skip
    monkeypatch.setitem(TASKS, "mean_colour", task)
    monkeypatch.setitem(MODELS, "mean_colour", MeanColour)
    return task


@pytest.fixture
def tiny_config(tiny_task):
    """Returns a function that makes the config of a run of four steps."""

    def make(**fields):
        config = run_settings()
        config.task, config.best_metric = "mean_colour", "error"
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.source = photo_source("train", smallest=32)
        config.evaluation_source = photo_source("test", smallest=32)
        config.source.limit = config.evaluation_source.limit = 1
        config.batches = photo_batches(crop=16, batch_size=8)
        config.simulate = ConfigDict({"noise": 0.1})
        config.model = ConfigDict({"name": "mean_colour", "width": 4})
        config.loss, config.evaluate = ConfigDict(), ConfigDict({"seed": 0})
        config.update(fields)
        return config

    tiny_task.get_config = make
    return make


@pytest.fixture
def tiny_run(tiny_config, main_command, tmp_path):
    """Returns a function that runs the main command on the tiny config, in `tmp_path/run`."""
    file = tmp_path / "tiny.py"
    file.write_text(
        "from deblur_jax.training.tasks.registry import TASKS\n"
        "get_config = TASKS['mean_colour'].get_config\n"
    )
    return lambda *flags: main_command("--config", file, "--workdir", tmp_path / "run", *flags)


class TwoPhotos:
    """Two photos of noise, without files."""

    skipped = ()
    paths = (Path("a.png"), Path("b.png"))

    def __init__(self, height, width):
        self._pixels = np.random.default_rng(0).integers(256, size=(2, height, width, 3))

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"sharp": self._pixels[index].astype(np.uint8)}

    def name(self, index):
        return str(self.paths[index])


@pytest.fixture
def two_photos():
    """Returns a source of two sharp photos, 48 x 52 pixels."""
    return TwoPhotos(48, 52)
