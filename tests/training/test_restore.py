"""The task of restoring photos: its loss, its statistics, its evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.losses.scales import multiscale_error
from deblur_jax.models.deblurnet import DeblurNet, ScaleOutputs, shrink
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.step import DEVICES
from deblur_jax.training.tasks import restore as task


SIMULATE = task.make_simulate(name="developed")
TINY = DeblurNet(first_widths=(2, 2, 2, 2, 2, 2), later_widths=(2,))


def pairs(key, count, side=32):
    sharp, noise = jax.random.uniform(key, (2, count, side, side, 3))
    return {"sharp": sharp, "blurry": 0.9 * sharp + 0.1 * noise}


def test_a_simulation_is_chosen_by_name():
    with pytest.raises(ValueError, match=r"simulate.name must be one of \['averaged', 'devel"):
        task.make_simulate(name="shaken")


def test_the_loss_is_that_of_three_sizes_and_statistics_are_of_all_devices(key):
    batch = pairs(key, 4)
    variables = jax.eval_shape(TINY.init, key, batch["blurry"][:1])
    # Last layers of zero return the photo, whatever the norms see.
    variables = jax.tree.map(lambda x: jnp.zeros(x.shape), variables)
    params, statistics = (
        variables["params"],
        {"batch_stats": variables["batch_stats"], "kept": {"x": jnp.ones(())}},
    )
    loss_fn = task.make_loss(TINY, SIMULATE)

    @jax.jit
    def on_devices(shares):
        run = jax.vmap(lambda share: loss_fn(params, statistics, share, 0, key), axis_name=DEVICES)
        return run(shares)

    shares = jax.tree.map(lambda x: x.reshape(2, 2, *x.shape[1:]), batch)
    loss, (terms, changed) = on_devices(shares)
    sizes = [shrink(batch["blurry"], factor) for factor in (1, 2, 4)]
    expected = jax.vmap(multiscale_error)(sizes, batch["sharp"])
    np.testing.assert_allclose(loss, expected.reshape(2, 2).mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(terms["psnr/restored"], terms["psnr/blurred"], rtol=1e-5)
    assert changed["kept"]["x"][0] == 1
    for statistic in jax.tree.leaves(changed["batch_stats"]):
        np.testing.assert_allclose(statistic[0], statistic[1], atol=1e-6)


class Halved(DeblurNet):
    """Stands for a network: it returns photos of half the brightness."""

    def apply(self, variables, blurry, **options):
        return ScaleOutputs(*(shrink(blurry, factor) / 2 for factor in (1, 2, 4)))


def test_evaluation_compares_whole_pictures_and_draws_them(two_photos, tmp_path):
    def simulate(key, example):
        return {"sharp": example["sharp"], "blurry": 0.8 * example["sharp"]}

    metrics = evaluate(
        task, Halved(), {}, two_photos, simulate, workdir=tmp_path, pictures=1, seed=0, height=32,
        width=40,
    )  # fmt: skip
    assert set(metrics) == {"psnr/blurred", "psnr/restored", "ssim/blurred", "ssim/restored"}
    # Values of 0.8 and 0.4 of the sharp one: errors of 0.2 and 0.6 of it.
    difference = metrics["psnr/blurred"] - metrics["psnr/restored"]
    assert difference == pytest.approx(20 * np.log10(3), abs=1e-3)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["a-0.png"]
