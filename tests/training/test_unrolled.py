"""The task of restoring by learned steps: what it begins with, what it measures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.unrolled import UnrolledNet
from deblur_jax.pretrained import load
from deblur_jax.training.tasks import unrolled as task


SIMULATE = task.make_simulate(limit=6.0, noise=0.0, border=4)
NET = UnrolledNet(widths=(4, 4, 8), blocks=1, denoisings=1, margin=4, denoising_steps=1)


@pytest.mark.slow  # to compile
def test_the_loss_is_that_of_the_photos_and_of_their_motion(key):
    batch = {"sharp": jax.random.uniform(key, (2, 40, 40, 3))}
    params = NET.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
    loss_fn = jax.jit(task.make_loss(NET, SIMULATE, flow_weight=0.1, start=""))
    loss, (terms, statistics) = loss_fn(params, {}, batch, key)
    np.testing.assert_allclose(loss, terms["loss/restored"] + 0.1 * terms["loss/flow"], rtol=1e-5)
    assert statistics == {}
    # No motion is seen yet, and total variation of a first step takes off little.
    assert terms["psnr/restored"] == pytest.approx(float(terms["psnr/blurred"]), abs=3)


def test_the_estimator_begins_with_the_weights_named_and_the_schedule_with_its_own():
    network = load("motion-flow-quickstart")
    params = {"estimator": network.params, "log_sigmas": jnp.zeros(8)}
    empty = jax.tree.map(jnp.zeros_like, params)
    begun = task.first_params(empty, start="motion-flow-quickstart", flow_weight=0.1)
    jax.tree.map(np.testing.assert_array_equal, begun, params)
    assert task.first_params(empty, start="", flow_weight=0.1) is empty


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="motion-flow-quickstart has other widths than the model"):
        task.first_params({"estimator": {}}, start="motion-flow-quickstart")
    with pytest.raises(ValueError, match="must be the weights of a motion_context net, denoiser"):
        task.first_params({"estimator": {}}, start="denoiser")


@pytest.mark.slow  # to compile
def test_evaluation_compares_learned_with_fixed_steps_and_true_with_seen_motion(
    key, tmp_path, two_photos
):
    variables = jax.jit(NET.init)(key, jnp.zeros((1, 32, 32, 3)))
    metrics = task.evaluate(
        NET, variables, two_photos, SIMULATE, seed=0, workdir=tmp_path, height=44, width=48,
        pictures=1, start="",
    )  # fmt: skip
    assert metrics["psnr/restored"] == pytest.approx(metrics["psnr/fixed"])
    assert metrics["psnr/true_flow"] == pytest.approx(metrics["psnr/true_flow_fixed"])
    assert metrics["psnr/true_flow"] > metrics["psnr/fixed"]
    assert len(list((tmp_path / "pictures").iterdir())) == 1
