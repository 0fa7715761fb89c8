"""The task of removing noise: its examples, its loss, its evaluation."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from deblur_jax.models.denoiser import DenoiserNet
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import denoise as task


SIMULATE = task.make_simulate(strongest=0.2)
MODEL = DenoiserNet(widths=(8, 16), blocks=1, fold=2, residual=True)


def test_an_example_carries_the_noise_that_it_names(key):
    sharp = jnp.full((64, 64, 3), 0.5)
    example = jax.jit(SIMULATE)(key, {"sharp": sharp})
    noise = np.asarray(example["noisy"] - sharp)
    assert 0 < example["sigma"] < 0.2
    assert noise.std() == pytest.approx(float(example["sigma"]), rel=0.05)
    assert abs(noise.mean()) < 0.01


def test_noise_levels_are_spread_over_the_whole_range():
    keys = jax.random.split(jax.random.key(0), 200)
    sigmas = jax.vmap(lambda key: SIMULATE(key, {"sharp": jnp.zeros((1, 1, 3))})["sigma"])(keys)
    counts, _ = np.histogram(sigmas, bins=4, range=(0, 0.2))
    assert counts.sum() == 200
    assert counts.min() > 30


class Photos:
    """Two photos without files."""

    def __init__(self, key):
        self.paths = [Path("a.png"), Path("b.png")]
        smooth = jax.image.resize(jax.random.uniform(key, (2, 4, 5, 3)), (2, 16, 20, 3), "linear")
        self._pixels = np.asarray(smooth * 255, np.uint8)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return {"sharp": self._pixels[index]}

    def name(self, index):
        return str(self.paths[index])


def test_training_on_smooth_photos_improves_the_evaluation(key, tmp_path):
    photos = Photos(key)
    batch = {
        "sharp": jnp.asarray(
            np.stack([photos[0]["sharp"], photos[1]["sharp"]])[:, :, :16] / 255, jnp.float32
        )
    }
    variables = jax.jit(MODEL.init)(key, *task.model_inputs(SIMULATE, batch, key))
    loss_fn = task.make_loss(MODEL, SIMULATE)
    optimizer = optax.adam(5e-3)

    @jax.jit
    def step(params, state, key):
        (_, (terms, statistics)), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            params, {}, batch, 0, key
        )
        assert statistics == {}
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, terms

    params, state = variables["params"], optimizer.init(variables["params"])
    for number in range(200):
        params, state, terms = step(params, state, jax.random.fold_in(key, number))
    assert set(terms) == {"psnr/restored"}
    metrics = evaluate(
        task, MODEL, {"params": params}, photos, SIMULATE, seed=0, workdir=tmp_path, levels=(25,)
    )
    # 20 log10(255 / 25), and at least a decibel better after restoration.
    assert metrics["psnr/noisy_25"] == pytest.approx(20.17, abs=0.3)
    assert metrics["psnr/25"] > metrics["psnr/noisy_25"] + 1
