"""Starting a run from trained weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from deblur_jax.io.weights import write_weights
from deblur_jax.pretrained import load
from deblur_jax.training import checkpoint
from deblur_jax.training.initial import start_from


def export(tiny_run, path, *flags):
    assert tiny_run(*flags)[0] == 0
    assert tiny_run("--mode=export", f"--output={path}", *flags)[0] == 0
    return load(str(path)).params


def test_a_run_starts_from_the_weights_of_another(tiny_run, tmp_path):
    weights = tmp_path / "net.safetensors"
    before = export(tiny_run, weights)
    still = ["--config.optimizer.peak_rate=0.0", f"--config.init.weights={weights}"]
    (tmp_path / "run").rename(tmp_path / "first")
    status, shown, _ = tiny_run(*still)
    assert status == 0
    assert f"{weights}: took 4 of 4 arrays: everything fitted" in shown
    after = checkpoint.read(tmp_path / "run").variables["params"]
    jax.tree.map(np.testing.assert_array_equal, before, after)
    # A run that is resumed does not need the file.
    weights.unlink()
    status, shown, _ = tiny_run(*still, "--config.steps=5")
    assert (status, "took" in shown) == (0, False)


def test_modules_of_other_widths_start_at_random(tiny_run, tmp_path):
    weights = tmp_path / "net.safetensors"
    export(tiny_run, weights)
    (tmp_path / "run").rename(tmp_path / "first")
    wide = ["--config.model.width=5", f"--config.init.weights={weights}"]
    _, _, error = tiny_run(*wide)
    assert f"init.weights: {weights} holds a MeanColour, and none of its modules fits" in error
    assert len(error.splitlines()) == 1
    _, _, error = tiny_run("--config.init.weights=nothing")
    assert "got 'nothing'" in error


class Two(nn.Module):
    """A network with another one in it."""

    head: int

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(3, name="body")(x)
        return nn.Dense(self.head, name="head")(nn.BatchNorm(True, name="norm")(x))


class Outer(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2, name="end")(Two(head=4, name="inner")(x))


def variables(model, seed):
    return jax.jit(model.init)(jax.random.key(seed), jnp.ones((1, 3)))


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Return a function that writes a network's variables as weights, and their path."""
    from deblur_jax.models.registry import MODELS

    def write(model, fields):
        monkeypatch.setitem(MODELS, "net", type(model))
        made, path = variables(model, 1), tmp_path / "net.safetensors"
        write_weights(path, made, {"model": {"name": "net", **fields}})
        return made, str(path)

    return write


def test_the_modules_that_fit_are_taken_with_their_statistics(trained, capsys):
    theirs, path = trained(Two(head=4), {"head": 4})
    ours = variables(Two(head=5), 0)
    found = start_from(ours, path)
    np.testing.assert_array_equal(
        found["params"]["body"]["kernel"], theirs["params"]["body"]["kernel"]
    )
    np.testing.assert_array_equal(
        found["batch_stats"]["norm"]["mean"], theirs["batch_stats"]["norm"]["mean"]
    )
    np.testing.assert_array_equal(
        found["params"]["head"]["kernel"], ours["params"]["head"]["kernel"]
    )
    assert jax.tree.structure(found) == jax.tree.structure(ours)
    assert "took 6 of 8 arrays; these modules start at random: head" in capsys.readouterr().out


def test_a_part_of_a_network_is_taken_from_its_own_weights_and_the_other_way(trained, capsys):
    theirs, path = trained(Two(head=4), {"head": 4})
    found = start_from(variables(Outer(), 0), path)
    jax.tree.map(np.testing.assert_array_equal, found["params"]["inner"], theirs["params"])
    assert "took 8 of 10 arrays of inner; these modules start at random: end" in (
        capsys.readouterr().out
    )
    theirs, path = trained(Outer(), {})
    found = start_from(variables(Two(head=4), 0), path)
    jax.tree.map(np.testing.assert_array_equal, found["params"], theirs["params"]["inner"])


def test_kernel_basis_weights_that_count_their_steps_still_load():
    network = load("kernel-basis")
    model = network.model
    photo = jnp.full((1, 64, 64, 3), 0.5)
    old = {**network.variables, "progress": {"steps": jnp.zeros(())}}
    assert set(jax.eval_shape(model.init, jax.random.key(0), photo)) == {"params"}
    shapes = jax.eval_shape(model.apply, old, photo)
    assert shapes.mixing.shape == (1, 64, 64, model.basis)
    start = start_from({"params": network.params}, "kernel-basis")
    assert set(start) == {"params"}
