"""The task of estimating kernels: its two losses and its evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.losses.kernels import absolute_kernel_error, squared_kernel_error
from deblur_jax.losses.reblur import reblur_error
from deblur_jax.models.kernel_basis import KernelField
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.step import simulated
from deblur_jax.training.tasks import estimate_kernels as task


SIMULATE = task.make_simulate(
    side=5, objects=1, least=20, wander_share=0.5, brighten=0.0, lights=0.0, transfer=2.2, noise=0.0
)
LOSS = {"kernel_weight": 2.0, "reblur_weight": 3.0, "squared_until": 4, "chunk": 64}


class Known:
    """A network whose estimate is its parameters."""

    transfer, side = 2.2, 5

    def apply(self, variables, blurry):
        kernels, mixing = variables["params"]
        count = len(blurry)
        return KernelField(*(jnp.broadcast_to(x, (count, *x.shape[1:])) for x in (kernels, mixing)))


@pytest.fixture
def batch(key):
    return {"sharp": jax.random.uniform(key, (1, 24, 25, 3))}


def test_the_loss_weighs_both_errors_and_changes_norm_at_its_step(batch, key):
    # Made once: the loss below takes it as it is.
    example = jax.jit(lambda batch: simulated(SIMULATE, batch, key))(batch)
    names = ("kernels", "mixing", "weights")
    true_kernels, true_mixing, weights = (example[name][0] for name in names)
    field = (jnp.full((1, 3, 5, 5), 1 / 25), jnp.full((1, 20, 21, 3), 1 / 3))
    kernels, mixing = (x[0] for x in field)
    loss_fn = jax.jit(task.make_loss(Known(), lambda _, made: made, transfer=2.2, **LOSS))
    light = (example["wide_sharp"][0] ** 2.2, example["blurry"][0] ** 2.2)
    reblur = jax.jit(reblur_error)(*light, kernels, mixing, weights)
    for step, error in ((3, squared_kernel_error), (4, absolute_kernel_error)):
        loss, (terms, after) = loss_fn(field, {}, example, step, key)
        expected = jax.jit(error)(kernels, mixing, true_kernels, true_mixing, weights)
        np.testing.assert_allclose(terms["loss/kernels"], expected, rtol=1e-4)
        np.testing.assert_allclose(terms["loss/reblur"], reblur, rtol=1e-4)
        np.testing.assert_allclose(loss, 2 * expected + 3 * reblur, rtol=1e-4)
        assert after == {}
    # The truth has no error.
    truth = (example["kernels"], example["mixing"])
    loss, _ = loss_fn(truth, {}, example, 9, key)
    assert loss < 1e-4


def test_every_segment_has_the_same_weight_in_the_reblur_loss(batch, key):
    example = jax.jit(lambda batch: simulated(SIMULATE, batch, key))(batch)
    mixing, weights = (np.asarray(example[name][0]) for name in ("mixing", "weights"))
    segments = mixing.argmax(-1)
    for segment in np.unique(segments):
        np.testing.assert_allclose(weights[segments == segment].sum(), 1, rtol=1e-5)
    field = (jnp.zeros((1, 1, 5, 5)).at[..., 2, 2].set(1), jnp.ones((1, 20, 21, 1)))
    loss = jax.jit(task.make_loss(Known(), lambda _, made: made, transfer=2.2, **LOSS))
    wide = jnp.zeros_like(example["wide_sharp"])  # black, so that each white pixel is an error of 3
    for segment in np.unique(segments):
        white = jnp.asarray(segments == segment)[None, ..., None] * jnp.ones((1, 1, 1, 3))
        pair = {**example, "wide_sharp": wide, "blurry": white}
        _, (terms, _) = loss(field, {}, pair, 0, key)
        np.testing.assert_allclose(terms["loss/reblur"], 3, rtol=1e-4)


@pytest.mark.slow  # to compile
def test_segments_of_the_source_are_the_objects(key):
    segments = jnp.zeros((1, 24, 25), jnp.int32).at[:, :, 12:].set(1)
    batch = {"sharp": jax.random.uniform(key, (1, 24, 25, 3)), "segments": segments}
    mixing = jax.jit(lambda batch: simulated(SIMULATE, batch, key)["mixing"][0])(batch)
    sides = jnp.argmax(mixing, axis=-1)
    assert len(np.unique(sides[:, :7])) == len(np.unique(sides[:, -7:])) == 1
    assert sides[0, 0] != sides[0, -1]


@pytest.mark.slow  # to compile
def test_evaluation_compares_with_no_blur_and_with_the_true_kernels(two_photos, tmp_path):
    kernels = jnp.zeros((1, 1, 5, 5)).at[..., 2, 2].set(1)  # no blur
    variables = {"params": (kernels, jnp.ones((1, 28, 32, 1)))}
    metrics = evaluate(
        task, Known(), variables, two_photos, SIMULATE, seed=0, workdir=tmp_path, height=32,
        width=36, per_example=2, pictures=3, denoiser="",
    )  # fmt: skip
    assert metrics["kernel/absolute"] == pytest.approx(metrics["kernel/absolute_baseline"])
    assert metrics["kernel/squared"] == pytest.approx(metrics["kernel/squared_baseline"])
    assert metrics["psnr/reblurred"] == pytest.approx(metrics["psnr/not_reblurred"], abs=1e-2)
    assert metrics["psnr/true_kernels"] > metrics["psnr/blurred"] + 0.5
    assert len(list((tmp_path / "pictures").iterdir())) == 3
