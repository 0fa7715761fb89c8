"""The task of restoring against a critic: its losses and the state of the critic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.config_file import load_config
from deblur_jax.models.adversarial import Generator
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.optimizer import make_optimizer, make_schedule
from deblur_jax.training.parallel import over_devices, split_batch
from deblur_jax.training.step import DEVICES, create_state, make_train_step
from deblur_jax.training.tasks import restore_adversarially as task


WEIGHTS = {"content_weight": 2.0, "critic_weight": 0.5, "reblur_weight": 3.0}
LOSS = {
    "features": "", "kernels": "truth", "transfer": "linear", "critic_width": 2, "critic_steps": 2,
    "critic_rate": 1e-3, "critic_momentum": 0.5, "critic_schedule": "constant",
    "critic_constant_steps": 0, "critic_total_steps": 10, **WEIGHTS,
}  # fmt: skip
MODEL = Generator(width=2, blocks=0)


def as_it_is(key, example):
    return example


@pytest.fixture
def batch(key):
    """One photo on each of two devices, blurred by a kernel that is known."""
    sharp = jax.random.uniform(key, (2, 1, 32, 32, 3))
    kernels = jnp.zeros((2, 1, 1, 3, 3)).at[..., 1, 1].set(1)
    mixing = jnp.ones((2, 1, 32, 32, 1))
    return {"sharp": sharp, "blurry": sharp, "kernels": kernels, "mixing": mixing}


@pytest.mark.slow  # to compile a gradient of a gradient
def test_the_critic_learns_within_the_step_from_all_devices(batch, key):
    variables = jax.jit(MODEL.init)(key, batch["blurry"][0])
    params, critic = variables["params"], task.first_memory(key, critic_width=LOSS["critic_width"])
    assert set(variables) == {"params"}  # the critic is no part of what is released
    loss_fn = task.make_loss(MODEL, as_it_is, **LOSS)
    mapped = jax.jit(jax.vmap(loss_fn, in_axes=(None, None, 0, None, 0), axis_name=DEVICES))
    keys = jax.random.split(key, 2)
    loss, (terms, after) = mapped(params, {"loss": critic}, batch, 0, keys)
    total = sum(
        WEIGHTS[f"{weight}_weight"] * terms[f"loss/{name}"]
        for weight, name in (("content", "content"), ("critic", "generator"), ("reblur", "reblur"))
    )
    np.testing.assert_allclose(loss, total, rtol=1e-5)
    # The photo is sharp and its kernel a single tap: both compare the same two photos.
    np.testing.assert_allclose(terms["loss/reblur"], terms["loss/content"], rtol=0.2)
    np.testing.assert_array_equal(after["loss"]["steps"], 2)
    for before, now in zip(*map(jax.tree.leaves, (critic, after["loss"])), strict=True):
        np.testing.assert_allclose(now[0], now[1], atol=1e-6)  # one critic on all devices
        assert now.dtype == before.dtype
    moved = jax.tree.map(
        lambda x, y: float(jnp.max(jnp.abs(x - y[0]))), critic["params"], after["loss"]["params"]
    )
    assert max(jax.tree.leaves(moved)) > 1e-4
    # Without the critic the loss does not hang on it; its distance grows shorter.
    _, (later, _) = mapped(
        params, {"loss": jax.tree.map(lambda x: x[0], after["loss"])}, batch, 0, keys
    )
    assert later["loss/critic"][0] < terms["loss/critic"][0]


def test_a_source_without_kernels_is_refused():
    for kernels, message in (
        ("", "loss.kernels must be the weights of a kernel_basis net or 'truth', got ''"),
        ("denoiser", "denoiser: holds a DenoiserNet, expected a KernelBasisNet"),
    ):
        with pytest.raises(ValueError, match=message):
            task.make_loss(MODEL, as_it_is, **{**LOSS, "kernels": kernels})
    with pytest.raises(ValueError, match="denoiser: holds a DenoiserNet, expected VggFeatures"):
        task.make_loss(MODEL, as_it_is, **{**LOSS, "features": "denoiser"})


def test_the_critic_follows_the_schedule_of_the_generator():
    config = load_config("configs/blurring_to_deblur.py:paper")
    config.steps, config.optimizer.constant_steps = 100, 50
    made = {name: config.loss[f"critic_{name}"] for name in ("schedule", "constant_steps")}
    assert made == {"schedule": "linear", "constant_steps": 50}
    assert config.loss.critic_total_steps == 100


def test_the_critic_that_starts_is_the_one_of_the_loss():
    config = load_config("configs/blurring_to_deblur.py:paper")
    config.init.critic_width = 5
    assert config.loss.critic_width == 5
    with pytest.raises(TypeError, match="first_memory.. missing .* argument: 'critic_width'"):
        task.first_memory(jax.random.key(0))


def test_fine_tuning_continues_from_the_last_step_at_the_full_rate():
    paper, fine = (
        load_config(f"configs/blurring_to_deblur.py:{name}") for name in ("paper", "fine_tune")
    )
    rate = make_schedule(
        schedule=fine.optimizer.schedule, peak_rate=fine.optimizer.peak_rate, warmup_fraction=0.0,
        total_steps=fine.steps, constant_steps=fine.optimizer.constant_steps,
    )  # fmt: skip
    np.testing.assert_allclose(rate(paper.steps), paper.optimizer.peak_rate)
    np.testing.assert_allclose(rate(fine.steps - 1), 0, atol=1e-8)
    assert fine.loss.reblur_weight > 0


@pytest.mark.slow  # to compile a gradient of a gradient
def test_steps_of_fine_tuning_lower_the_reblur_loss_of_a_trained_generator(batch, key):
    """With the schedule that is left after training; that of a cosine is nearly zero there."""
    fine = load_config("configs/blurring_to_deblur.py:fine_tune")
    start = load_config("configs/blurring_to_deblur.py:paper").steps
    fields = {**LOSS, "content_weight": 0.1, "critic_weight": 0.01, "reblur_weight": 100.0}
    loss_fn = task.make_loss(MODEL, as_it_is, **fields)
    optimizer = make_optimizer(
        peak_rate=1e-3, clip_norm=0.0, momentum=0.5, warmup_fraction=0.0,
        schedule=fine.optimizer.schedule, total_steps=fine.steps - start,
        constant_steps=fine.optimizer.constant_steps - start,
    )  # fmt: skip
    step = over_devices(
        make_train_step(loss_fn, optimizer, ema_decay=0.0, seed=0), jax.devices()[:1],
        parallel="pmap",
    )  # fmt: skip
    one = jax.tree.map(lambda x: x[0], batch)
    # The photo of a wall, which no blur changes; what the untrained generator adds is an error.
    wall = jnp.full_like(one["sharp"], 0.4)
    kernels = jnp.zeros((1, 1, 3, 3)).at[..., 1, :].set(1 / 3)
    one |= {"kernels": kernels, "sharp": wall, "blurry": wall}
    state = create_state(
        dict(jax.jit(MODEL.init)(key, one["blurry"])), optimizer, ema=False,
        memory=task.first_memory(key, critic_width=LOSS["critic_width"]),
    )  # fmt: skip
    shares, errors = split_batch(jax.tree.map(np.asarray, one), jax.devices()[:1]), []
    for _ in range(30):
        state, metrics = step(state, shares)
        errors.append(float(metrics["loss/reblur"]))
    assert np.median(errors[-10:]) < errors[0] / 5


@pytest.mark.slow  # to compile
def test_evaluation_scores_the_photos_that_the_generator_restores(two_photos, tmp_path):
    class Dark:
        def apply(self, variables, blurry):
            return variables["params"] * blurry

        def restored(self, estimate):
            return estimate

    simulate = task.make_simulate(
        name="segments", side=3, objects=1, least=20, wander_share=0.5, brighten=0.0, lights=0.0,
        transfer="linear", noise=0.0,
    )  # fmt: skip
    metrics = evaluate(
        task, Dark(), {"params": 0.5}, two_photos, simulate, seed=0, workdir=tmp_path, height=32,
        width=36, per_example=1, pictures=1,
    )  # fmt: skip
    assert metrics["psnr/restored"] < metrics["psnr/blurred"]
    assert len(list((tmp_path / "pictures").iterdir())) == 1
