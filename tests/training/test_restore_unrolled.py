"""The task of restoring by learned steps: its initial weights and its evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.models.learned_plug_and_play import HINTS, LearnedPlugAndPlayNet
from deblur_jax.pretrained import load
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import restore_unrolled as task


SIMULATE = task.make_simulate(limit=6.0, noise=0.0, border=4)
NET = LearnedPlugAndPlayNet(
    width=8, blocks=1, window=16, prior_widths=(4, 8), denoising_steps=1, linear_steps=1, margin=4
)
LOSS = {"part": 24, "corrected": 1.0, "frozen": True, "flow_weight": 0.1}


@pytest.mark.slow  # to compile
@pytest.mark.parametrize("frozen", [True, False])
def test_the_loss_is_that_of_the_photos_and_of_their_motion(key, frozen):
    batch = {"sharp": jax.random.uniform(key, (2, 48, 48, 3))}
    params = jax.jit(NET.init)(key, jnp.zeros((1, 40, 40, 3)))["params"]
    # Otherwise the estimated motion is zero, whatever the other parameters are.
    params["estimator"]["Dense_1"]["kernel"] += 0.1
    loss_fn = task.make_loss(NET, SIMULATE, **{**LOSS, "frozen": frozen})
    slopes = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, (terms, statistics)), found = slopes(params, {}, batch, 0, key)
    np.testing.assert_allclose(loss, terms["loss/restored"] + 0.1 * terms["loss/flow"], rtol=1e-5)
    assert statistics == {}
    moved = any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(found["estimator"]))
    assert moved != frozen
    assert jnp.any(found["finish"]["tail"]["kernel"] != 0)


def test_parts_start_from_the_named_weights_and_the_last_network_from_zero():
    model = LearnedPlugAndPlayNet()
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    empty = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    begun = task.first_params(empty, estimator="camera-motion", denoiser="denoiser")
    assert jax.tree.map(jnp.shape, begun) == jax.tree.map(jnp.shape, empty)
    jax.tree.map(np.testing.assert_array_equal, begun["estimator"], load("camera-motion").params)
    prior = load("denoiser").params
    jax.tree.map(np.testing.assert_array_equal, begun["prior"], prior)
    assert not np.any(begun["finish"]["tail"]["kernel"])
    head = np.reshape(begun["finish"]["head"]["kernel"], (3, 3, 4, 4 + HINTS, 32))
    np.testing.assert_array_equal(head[..., :4, :], prior["head"]["kernel"].reshape(3, 3, 4, 4, 32))
    assert not np.any(head[..., 4:, :])
    jax.tree.map(
        np.testing.assert_array_equal, task.first_params(empty, estimator="", denoiser=""), empty
    )


def test_weights_that_do_not_fit_are_refused():
    shapes = jax.eval_shape(NET.init, jax.random.key(0), jnp.zeros((1, 40, 40, 3)))["params"]
    with pytest.raises(ValueError, match="init.estimator: camera-motion has other widths"):
        task.first_params(shapes, estimator="camera-motion", denoiser="")
    with pytest.raises(ValueError, match="init.denoiser: denoiser has other widths than the"):
        task.first_params(shapes, estimator="", denoiser="denoiser")
    with pytest.raises(ValueError, match="must be the weights of a CameraMotionNet, denoiser hol"):
        task.first_params(shapes, estimator="denoiser", denoiser="")


@pytest.mark.slow  # to compile
def test_evaluation_compares_learned_with_fixed_steps_and_true_with_estimated_motion(
    key, tmp_path, two_photos
):
    variables = jax.jit(NET.init)(key, jnp.zeros((1, 64, 64, 3)))
    metrics = evaluate(
        task, NET, variables, two_photos, SIMULATE, seed=0, workdir=tmp_path, height=44, width=48,
        pictures=1, denoiser="",
    )  # fmt: skip
    # Nothing was trained, and a photo this small has no window to make its motion exact in.
    assert metrics["psnr/restored"] == pytest.approx(metrics["psnr/as_seen"])
    assert {"psnr/before", "psnr/true_flow", "psnr/true_flow_before"} <= set(metrics)
    assert len(list((tmp_path / "pictures").iterdir())) == 1
