"""The task of estimating motion: its examples, losses and evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from deblur_jax.models.motion_context import MotionContextNet
from deblur_jax.models.motion_flow import MotionFlowNet
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import estimate_motion as task


SIMULATE = task.make_simulate(limit=6.0, noise=0.0, border=4)
NETS = {
    "doubled_angle": MotionContextNet(widths=(8, 8, 16), blocks=1),
    "labels": MotionFlowNet(
        reach=6, widths=(4, 4, 8, 8, 8), initial_weights="he", skip_scales=(1, 1)
    ),
}


def test_an_example_is_the_photo_blurred_by_the_flow_it_names(key):
    sharp = jax.random.uniform(key, (40, 40, 3))
    example = jax.jit(SIMULATE)(key, {"sharp": sharp})
    assert {name: value.shape for name, value in example.items()} == {
        "sharp": (32, 32, 3), "blurry": (32, 32, 3), "flow": (32, 32, 2),
    }  # fmt: skip
    assert jnp.all(example["flow"][..., 0] >= 0)
    assert jnp.max(jnp.abs(example["flow"])) <= 6
    # Away from the cut border the pixels around are known again.
    again = jax.jit(line_blur)(example["sharp"], example["flow"])
    np.testing.assert_allclose(again[4:-4, 4:-4], example["blurry"][4:-4, 4:-4], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(NETS))
def test_each_net_learns_a_single_batch(kind, key):
    model = NETS[kind]
    batch = {"sharp": jax.random.uniform(key, (4, 40, 40, 3))}
    params = model.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
    loss_fn = task.make_loss(model, SIMULATE, kind=kind)
    optimizer = optax.adam(3e-3)

    @jax.jit
    def step(params, state):
        (_, (terms, _)), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            params, {}, batch, 0, key
        )
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, terms

    state = optimizer.init(params)
    errors = []
    for _ in range(150):
        params, state, terms = step(params, state)
        errors.append(float(terms["flow/mse_sign_invariant"]))
    assert errors[-1] < 0.25 * errors[0]


def test_the_network_is_called_with_the_blurry_photos(key):
    batch = {"sharp": jax.ShapeDtypeStruct((2, 40, 40, 3), jnp.float32)}
    (blurry,) = jax.eval_shape(lambda batch: task.model_inputs(SIMULATE, batch, key), batch)
    assert blurry.shape == (2, 32, 32, 3)


def test_the_error_for_an_unknown_loss_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"loss.kind must be one of \['doubled_angle', 'labels', '"
    ):
        task.make_loss(NETS["labels"], SIMULATE, kind="squares")


def test_evaluation_averages_over_photos_and_maps_and_draws(key, tmp_path, two_photos):
    model = NETS["doubled_angle"]
    variables = jax.jit(model.init)(key, jnp.zeros((1, 32, 32, 3)))  # estimates no motion yet
    metrics = evaluate(
        task, model, variables, two_photos, SIMULATE, seed=0, workdir=tmp_path, height=44, width=48,
        per_example=2, pictures=3,
    )  # fmt: skip
    assert metrics["flow/mse"] == pytest.approx(metrics["flow/mse_zero_baseline"])
    assert 0 < metrics["flow/mse_mean_baseline"] < metrics["flow/mse_zero_baseline"]
    assert metrics["psnr/true_flow"] > metrics["psnr/blurred"]
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["a-0.png", "a-1.png", "b-0.png"]


def test_a_photo_below_the_evaluated_part_is_named(tmp_path, two_photos):
    with pytest.raises(ValueError, match=r"a.png: .* takes 48x60 pixels of every photo, got 52x48"):
        evaluate(
            task, None, None, two_photos, SIMULATE, seed=0, workdir=tmp_path, height=60, width=48,
            per_example=1, pictures=0,
        )  # fmt: skip


def test_motions_are_as_often_mostly_across_as_mostly_down():
    flows = jax.jit(jax.vmap(lambda key: SIMULATE(key, {"sharp": jnp.ones((16, 16, 3))})["flow"]))(
        jax.random.split(jax.random.key(0), 64)
    )
    means = np.asarray(flows.mean((1, 2)))
    assert np.sum(np.abs(means[:, 0]) > np.abs(means[:, 1])) > 16
    assert np.sum(np.abs(means[:, 0]) < np.abs(means[:, 1])) > 16
