"""A training run small enough for a test."""

import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from ml_collections import ConfigDict

from deblur_jax.models.registry import MODELS
from deblur_jax.training.step import simulated
from deblur_jax.training.tasks.registry import TASKS


PHOTOS = {"name": "embedded", "folder": "", "smallest": 32, "in_memory": True, "limit": 1}
TINY = {
    "task": "mean_colour",
    "licence": "Apache-2.0",
    "seed": 0,
    "steps": 4,
    "log_every": 1,
    "checkpoint_every": 2,
    "keep_checkpoints": 2,
    "evaluate_every": 0,
    "best_metric": "error",
    "best_is": "min",
    "profile": 0,
    "parallel": "pmap",
    "accumulate": 1,
    "precision": "float32",
    "remat": "none",
    "ema_decay": 0.0,
    "optimizer": {
        "name": "adam",
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 1.0,
        "schedule": "cosine",
        "peak_rate": 1e-3,
        "warmup_fraction": 0.05,
    },
    "source": {**PHOTOS, "split": "train", "on_bad": "stop"},
    "evaluation_source": {**PHOTOS, "split": "test", "on_bad": "stop"},
    "batches": {"crop": 16, "largest_scale": 1.0, "batch_size": 8, "workers": 0},
    "simulate": {"noise": 0.1},
    "model": {"name": "mean_colour", "width": 4},
    "init": {"weights": "", "count": 0},
    "loss": {},
    "evaluate": {"seed": 0, "height": 32, "width": 32, "per_example": 1, "pictures": 1},
}


class MeanColour(nn.Module):
    """Estimate a photo's mean colour: a network that compiles quickly."""

    width: int

    @nn.compact
    def __call__(self, noisy):
        return nn.Dense(3)(nn.tanh(nn.Dense(self.width)(noisy[:, ::8, ::8].mean((1, 2)))))


def make_simulate(*, noise):
    def simulate(key, example):
        pictures = [example[name] for name in ("sharp", "blurry") if name in example]
        sharp = pictures[0] if pictures else example["frames"][0]
        return {"noisy": sharp + noise * jax.random.normal(key), "sharp": sharp}

    return simulate


def make_loss(model, simulate):
    def loss_fn(params, statistics, batch, step, key):
        example = simulated(simulate, batch, key)
        estimate = model.apply({"params": params, **statistics}, example["noisy"])
        loss = jnp.mean((estimate - example["sharp"].mean((1, 2))) ** 2)
        memory = statistics["loss"]
        memory = {"count": memory["count"] + 1, "mean": 0.9 * memory["mean"] + 0.1 * loss}
        return loss, ({"error": jnp.sqrt(loss)}, {**statistics, "loss": memory})

    return loss_fn


def first_memory(key, *, count):
    return {"count": jnp.asarray(count, jnp.int32), "mean": jax.random.uniform(key)}


def model_inputs(simulate, batch, key):
    return (simulated(simulate, batch, key)["noisy"],)


def make_score(model):
    def score(variables, example, key):
        sharp = example["sharp"]
        estimate = model.apply(variables, sharp[None])[0]
        return {"error": jnp.mean(jnp.abs(estimate - sharp.mean((0, 1))))}, {}

    return score


def draw(example, shown, metrics):
    return {"sharp": example["sharp"]}


def describe(metrics):
    return f"The error is {metrics['error']:.3f}."


@pytest.fixture
def tiny_task(monkeypatch):
    """Register the task of estimating a photo's mean colour during a test."""
    task = types.SimpleNamespace(
        make_simulate=make_simulate, make_loss=make_loss, first_memory=first_memory,
        model_inputs=model_inputs, make_score=make_score, draw=draw, describe=describe,
    )  # fmt: skip
    monkeypatch.setitem(TASKS, "mean_colour", task)
    monkeypatch.setitem(MODELS, "mean_colour", MeanColour)
    return task


@pytest.fixture
def tiny_config(tiny_task):
    """Return a function that makes the config of a run of four steps."""

    def make(**fields):
        config = ConfigDict(TINY)
        config.update(fields)
        return config

    tiny_task.get_config = make
    return make


@pytest.fixture
def tiny_run(tiny_config, main_command, tmp_path):
    """Return a function that runs the main command on the tiny config, in `tmp_path/run`."""
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
    """Return a source of two sharp photos, 48 x 52 pixels."""
    return TwoPhotos(48, 52)
