"""The task of estimating flow from one photo: its loss, direction of time and evaluation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.losses.flow_pyramid import ARGAW_WEIGHTS, pyramid_error
from deblur_jax.metrics import end_point_error
from deblur_jax.models.blocks import pad_to_multiple
from deblur_jax.ops.resample import resize_bilinear
from deblur_jax.simulate.training_sets import make_interpolated
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import estimate_flow as task


WEIGHTS = (0.5, 1.0)


@dataclasses.dataclass(frozen=True)
class Constant:
    """Stands for a network: one motion to the right, everywhere."""

    motion: float

    def apply(self, variables, blurry):
        count, height, width, _ = blurry.shape
        flow = jnp.zeros((count, height, width, 2)).at[..., 0].set(self.motion)
        return flow, (flow[:, ::2, ::2], flow[:, ::4, ::4])

    def flow(self, estimate):
        return estimate[0]


def simulate(key, example):
    """A motion to the left, whose way back is a little shorter."""
    flow = jnp.zeros((*example["sharp"].shape[:2], 2))
    return {
        "blurry": example["sharp"],
        "flow": flow.at[..., 0].set(-4.0),
        "backward_flow": flow.at[..., 0].set(3.0),
    }


def test_the_error_is_that_of_the_better_direction(key):
    batch = {"sharp": jax.random.uniform(key, (2, 32, 32, 3))}
    losses = {}
    for direction in task.DIRECTIONS:
        loss_fn = task.make_loss(Constant(3.0), simulate, weights=WEIGHTS, direction=direction)
        losses[direction], (terms, _) = jax.jit(loss_fn)({}, {}, batch, 0, key)
        np.testing.assert_allclose(terms["flow/epe"], 0, atol=1e-6)
        np.testing.assert_allclose(terms["flow/epe_zero_baseline"], 3, rtol=1e-6)
    levels = Constant(3.0).apply({}, batch["sharp"])[1]
    expected = pyramid_error(
        [level[0] for level in levels], simulate(key, {"sharp": batch["sharp"][0]})["flow"],
        weights=WEIGHTS,
    )  # fmt: skip
    np.testing.assert_allclose(losses["first_to_last"], expected, rtol=1e-6)
    np.testing.assert_allclose(losses["either"], 0, atol=1e-6)
    with pytest.raises(ValueError, match=r"loss.direction must be one of \['either', 'first_to"):
        task.make_loss(Constant(0.0), simulate, weights=WEIGHTS, direction="both")


@dataclasses.dataclass(frozen=True)
class Perfect:
    """Stands for a network that pads photos to a multiple of 64 and estimates a ramp exactly."""

    def apply(self, variables, blurry):
        flow = pad_to_multiple(ramp(*blurry.shape[1:3])[None], 64)
        sizes = [(flow.shape[1] >> level, flow.shape[2] >> level) for level in range(1, 7)]
        levels = tuple(resize_bilinear(flow[0], *size)[None] for size in sizes)
        return flow[:, : blurry.shape[1], : blurry.shape[2]], levels

    def flow(self, estimate):
        return estimate[0]


def ramp(height, width):
    rows, columns = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    return jnp.stack([columns, rows], axis=-1) / 10


@pytest.mark.parametrize("side", [200, 256])
def test_a_perfect_estimate_has_no_loss_whatever_the_size(side):
    loss_fn = task.make_loss(
        Perfect(), lambda _, example: example, weights=ARGAW_WEIGHTS, direction="first_to_last"
    )
    batch = {"blurry": jnp.zeros((1, side, side, 3)), "flow": ramp(side, side)[None]}
    loss, _ = jax.jit(loss_fn)({}, {}, batch, 0, jax.random.key(0))
    np.testing.assert_allclose(loss, 0, atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Scaled:
    """Stands for a network: one motion to the right, its parameter times the brightness."""

    def apply(self, variables, blurry):
        flow = jnp.concatenate([blurry[..., :1] * variables["params"], 0 * blurry[..., :1]], -1)
        return flow, (flow[:, ::2, ::2], flow[:, ::4, ::4])

    def flow(self, estimate):
        return estimate[0]


def test_a_step_interpolates_as_many_pictures_as_each_example_needs(key):
    motion = jnp.array([2.0, 9.0])[:, None, None, None] * jnp.array([1.0, 0.0])
    flow = jnp.broadcast_to(motion, (2, 32, 32, 2))
    frames = jax.random.uniform(key, (2, 2, 32, 32, 3))
    batch = {"sharp": frames[0], "next_sharp": frames[1], "flow": flow, "backward_flow": -flow}
    loss_fn = task.make_loss(
        Scaled(), make_interpolated(fewest=5), weights=WEIGHTS, direction="first_to_last"
    )
    gradient, (terms, _) = jax.jit(jax.grad(loss_fn, has_aux=True))(0.5, {}, batch, 0, key)
    assert gradient < 0  # a longer motion is nearer
    assert np.isfinite(terms["flow/epe"])


def test_without_a_flow_back_the_forward_one_is_turned():
    flow = jnp.ones((4, 4, 2))
    np.testing.assert_array_equal(task.backward_flow({"flow": flow}), -flow)


def test_evaluation_takes_the_smaller_error_and_draws(two_photos, tmp_path):
    metrics = evaluate(
        task, Constant(2.0), {}, two_photos, simulate, workdir=tmp_path, pictures=2, seed=0,
        height=32, width=32,
    )  # fmt: skip
    expected = {"": 1, "_first_to_last": 6, "_zero_baseline": 3, "_mean_baseline": 0}
    assert metrics == {f"flow/epe{name}": pytest.approx(x) for name, x in expected.items()}
    assert len(list((tmp_path / "pictures").iterdir())) == 2


def test_the_error_of_an_example_is_the_mean_length_in_its_better_direction():
    estimate = jnp.array([[[3.0, 4.0], [0.0, 0.0]]])
    forward, backward = jnp.zeros_like(estimate), estimate + jnp.array([0.0, 1.0])
    np.testing.assert_allclose(end_point_error(estimate, forward), 2.5)
    for truths in ((forward, backward), (backward, forward)):
        np.testing.assert_allclose(task.end_point_error_either_way(estimate, *truths), 1)
