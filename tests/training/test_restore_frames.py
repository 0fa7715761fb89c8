"""The task of restoring frames with their neighbours: its frames, its loss, its evaluation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.losses.flow_pyramid import warp_error
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import restore_frames as task


@dataclasses.dataclass(frozen=True)
class Still:
    """Stands for a network: the mean of the frames it is given, and flows that do not move."""

    frames: int = 2

    def apply(self, variables, *images):
        flows = jnp.zeros((len(images[0]), 2, 3, 2 * len(images) - 2))
        return sum(images) / len(images), (flows,) if len(images) > 1 else ()

    def restored(self, estimate):
        return estimate[0]


def video(key, count=2, height=40, width=48):
    names = ("blurry", "next_blurry", "previous_blurry", "sharp")
    pictures = jax.random.uniform(key, (4, count, height, width, 3))
    return dict(zip(names, pictures, strict=True))


def take(frames):
    return task.make_simulate(name="developed", frames=frames)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_network_is_given_as_many_frames_as_it_takes(frames, key):
    inputs = task.model_inputs(take(frames), video(key), key)
    assert len(inputs) == frames
    for name, frame in zip(task.FRAMES, inputs, strict=False):
        np.testing.assert_array_equal(frame, video(key)[name])


def test_the_error_for_missing_frames_names_them(key):
    pair = {name: x[0] for name, x in video(key).items() if name in ("blurry", "sharp")}
    with pytest.raises(ValueError, match="have no next_blurry and no previous_blurry; lower"):
        take(3)(key, pair)
    with pytest.raises(ValueError, match="simulate.frames must be 1, 2 or 3, got 4"):
        take(4)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_loss_is_the_squared_error_and_that_of_the_warped_neighbours(weight, key):
    batch = video(key)
    loss_fn = task.make_loss(Still(), take(3), flow_weight=weight)
    loss, (terms, statistics) = jax.jit(loss_fn)({}, {}, batch, 0, key)
    mean = (batch["blurry"] + batch["next_blurry"] + batch["previous_blurry"]) / 3
    mistake = jnp.sum((mean - batch["sharp"]) ** 2) / 2 / 2
    # As large as the network padded them: 64 x 64, of which 2 x 3 flows are of a scale.
    padded = {
        name: jnp.pad(batch[name], ((0, 0), (0, 24), (0, 16), (0, 0))) for name in task.FRAMES
    }
    warp = sum(
        jnp.mean(
            jax.vmap(lambda a, b: warp_error([jnp.zeros((2, 3, 2))], a, b))(
                padded["blurry"], padded[neighbour]
            )
        )
        for neighbour in ("next_blurry", "previous_blurry")
    )
    np.testing.assert_allclose(terms["loss/restored"], mistake, rtol=1e-5)
    np.testing.assert_allclose(terms["loss/warp"], warp, rtol=1e-5)
    np.testing.assert_allclose(loss, mistake + weight * warp, rtol=1e-5)
    assert statistics == {}


def test_a_single_photo_has_no_flow_loss(key):
    loss_fn = task.make_loss(Still(frames=1), take(1), flow_weight=1.0)
    loss, (terms, _) = jax.jit(loss_fn)({}, {}, video(key), 0, key)
    assert terms["loss/warp"] == 0
    np.testing.assert_allclose(loss, terms["loss/restored"])


def test_evaluation_also_feeds_the_same_frame_twice(two_photos, tmp_path):
    def simulate(key, example):
        sharp = example["sharp"]
        return {"sharp": sharp, "blurry": 0.5 * sharp, "next_blurry": jnp.clip(1.5 * sharp, 0, 1)}

    metrics = evaluate(
        task, Still(), {}, two_photos, simulate, workdir=tmp_path, pictures=0, seed=0, height=32,
        width=32,
    )  # fmt: skip
    # The mean of the two is nearer to the truth; twice the first one is the first one.
    assert metrics["psnr/restored"] > metrics["psnr/blurred"]
    assert metrics["psnr/same_frame"] == pytest.approx(metrics["psnr/blurred"], abs=1e-4)
