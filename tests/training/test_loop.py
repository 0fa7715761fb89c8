"""The training loop: a resumed run equals an unbroken one, records, and errors."""

import hashlib
import json

import jax
import numpy as np
import pytest

from deblur_jax.training import checkpoint
from deblur_jax.training.export import export
from deblur_jax.training.loop import train


def digest(tree):
    sums = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        sums.update(np.asarray(leaf).tobytes())
    return sums.hexdigest()


def losses(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return {record["step"]: record["loss/total"] for record in records if "loss/total" in record}


def run(config, workdir, devices=2):
    workdir.mkdir(exist_ok=True)
    return train(config, workdir, devices=jax.devices()[:devices])


def test_an_interrupted_run_ends_as_an_unbroken_one_bit_for_bit(tiny_config, tmp_path):
    unbroken = run(tiny_config(), tmp_path / "unbroken")
    # The optimizer's schedule depends on the number of steps, so the loop is cut instead.
    cut = tiny_config()
    with pytest.raises(KeyboardInterrupt):
        interrupt_at(3, cut, tmp_path / "cut")
    assert max(losses(tmp_path / "cut")) == 3  # a step after the last checkpoint
    resumed = run(tiny_config(), tmp_path / "cut")
    assert digest(resumed) == digest(unbroken)
    assert losses(tmp_path / "cut") == losses(tmp_path / "unbroken")


def interrupt_at(step, config, workdir):
    from deblur_jax.training import loop

    original = loop.Progress.advance

    def advance_and_stop(self, number, loss):
        original(self, number, loss)
        if number == step:
            raise KeyboardInterrupt

    loop.Progress.advance = advance_and_stop
    try:
        run(config, workdir)
    finally:
        loop.Progress.advance = original


def test_a_finished_run_changes_nothing_when_started_again(tiny_config, tmp_path):
    first = run(tiny_config(), tmp_path / "run")
    before = losses(tmp_path / "run")
    again = run(tiny_config(), tmp_path / "run")
    assert digest(again) == digest(first)
    assert losses(tmp_path / "run") == before


def test_a_loss_that_is_no_number_stops_the_run(tiny_config, tmp_path):
    config = tiny_config()
    config.simulate.noise = float("inf")
    with pytest.raises(FloatingPointError, match="loss/total is nan at step 1"):
        run(config, tmp_path / "run")
    (kept,) = (tmp_path / "run").glob("not-a-number-step-1-process-0.npz")
    with np.load(kept) as saved:
        assert (int(saved["step"]), saved["sharp"].shape) == (1, (8, 16, 16, 3))


def test_a_checkpoint_of_another_model_is_refused(tiny_config, tmp_path):
    run(tiny_config(), tmp_path / "run")
    other = tiny_config()
    other.model.width = 12
    with pytest.raises(
        ValueError,
        match=r"of another model .*Dense_0/kernel is \(4, 3\) in the checkpoint and \(12, 3\)",
    ):
        run(other, tmp_path / "run")


def test_the_error_for_an_unknown_task_lists_the_known_ones(tiny_config, tmp_path):
    with pytest.raises(ValueError, match=r"config.task must be one of .*'estimate_motion'"):
        run(tiny_config(task="flow"), tmp_path / "run")


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_exported_weights_are_those_of_the_checkpoint(tiny_config, tmp_path, ema_decay):
    from deblur_jax.pretrained import load

    state = run(tiny_config(ema_decay=ema_decay), tmp_path / "run")
    assert bool(state.ema) == bool(ema_decay)
    card = export(tmp_path / "run", tmp_path / "net.safetensors")
    network = load(str(tmp_path / "net.safetensors"))
    assert digest(network.variables) == digest(state.variables)
    assert card["step"] == network.card["step"] == 4
    assert network.model.width == 4
    with pytest.raises(ValueError, match="must end in .safetensors"):
        export(tmp_path / "run", tmp_path / "net.npz")


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no checkpoint; train there first"):
        checkpoint.read(tmp_path)
    assert not list(tmp_path.iterdir())
