"""Checkpoints: which are kept, and the errors for bad ones."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from deblur_jax.training import checkpoint
from deblur_jax.training.parallel import replicate
from deblur_jax.training.step import TrainState


CONFIG = ConfigDict({"model": {"name": "net"}, "rate": 0.1})


def state(step=1, **parts):
    values = {"params": {"w": jnp.arange(3.0)}, "opt_state": {"mean": jnp.ones(3)}}
    return TrainState(jnp.asarray(step, jnp.int32), statistics={}, ema={}, **{**values, **parts})


def save_steps(folder, steps, *, keep=2, best=lambda: None):
    with checkpoint.open_manager(folder, keep=keep, best=best) as manager:
        for step in steps:
            checkpoint.save(manager, state(step), CONFIG)
        manager.wait_until_finished()
        return sorted(manager.all_steps())


def restore(folder, wanted):
    with checkpoint.open_manager(folder, best=lambda: None) as manager:
        return checkpoint.restore(manager, wanted)


def test_the_newest_are_kept_beside_the_best_even_if_every_one_is_worse(tmp_path):
    assert save_steps(tmp_path, range(1, 7), best=lambda: 1) == [1, 5, 6]


def test_eight_devices_save_what_two_restore(tmp_path):
    with checkpoint.open_manager(tmp_path, best=lambda: None) as manager:
        checkpoint.save(manager, replicate(state(3), jax.devices()[:8]), CONFIG)
    two = jax.devices()[:2]
    restored = restore(tmp_path, replicate(state(), two))
    assert int(restored.step) == 3
    assert restored.params["w"].sharding.device_set == set(two)
    np.testing.assert_array_equal(restored.params["w"], np.arange(3.0))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"params": {"w": jnp.ones(4)}},
            r"of another model .*w is \(3,\) in the checkpoint and \(4,\)",
        ),
        ({"opt_state": {"trace": jnp.ones(3)}}, r"of another optimizer .*mean is \(3,\) in the"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, parts, message):
    save_steps(tmp_path, [1])
    with pytest.raises(ValueError, match=message):
        restore(tmp_path, state(**parts))


def test_a_missing_parameter_average_is_an_error(tmp_path):
    save_steps(tmp_path, [1])
    wanted = state().replace(ema={"w": jnp.ones(3)})
    with pytest.raises(ValueError, match="of another ema_decay"):
        restore(tmp_path, wanted)


def test_a_truncated_checkpoint_is_named_in_one_line(tmp_path):
    save_steps(tmp_path, [7])
    for path in (tmp_path / "checkpoints" / "7" / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="checkpoints/7: the checkpoint is damaged") as caught:
        restore(tmp_path, state())
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_without_permission_is_a_one_line_error(tmp_path):
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    (tmp_path / "checkpoints" / "7" / "weights.bin").write_bytes(b"1234")
    with pytest.raises(ValueError, match="checkpoints/7: the checkpoint .*not written by"):
        restore(tmp_path, state())


def test_a_failed_write_is_a_one_line_error(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with checkpoint.open_manager(tmp_path, best=lambda: None) as manager:
        monkeypatch.setattr(manager, "save", full)
        with pytest.raises(OSError, match=r"could not be written \(no space left on the disk\)"):
            checkpoint.save(manager, state(), CONFIG)


def test_a_checkpoint_that_the_disk_has_no_room_for_is_not_begun(tmp_path, monkeypatch):
    with checkpoint.open_manager(tmp_path, best=lambda: None) as manager:
        usage = types.SimpleNamespace(free=900_000)
        monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(OSError, match=r"no space left on the disk: 0.9 MB, .*takes up to 1.0"):
            checkpoint.save(manager, state(), CONFIG)
    assert not list((tmp_path / "checkpoints").iterdir())


def test_reading_leaves_a_save_that_is_under_way_alone(tmp_path):
    save_steps(tmp_path, [1, 2])
    under_way = tmp_path / "checkpoints" / "3.orbax-checkpoint-tmp"
    under_way.mkdir()
    saved = checkpoint.read(tmp_path)
    assert under_way.is_dir()
    assert (saved.step, saved.config["rate"]) == (2, 0.1)
    assert checkpoint.read(tmp_path, 1).step == 1
    with pytest.raises(FileNotFoundError, match=r"no complete checkpoint of step 5; .*\[1, 2\]"):
        checkpoint.read(tmp_path, 5)


def test_fields_that_changed_are_listed(tmp_path):
    save_steps(tmp_path, [1])
    with checkpoint.open_manager(tmp_path, best=lambda: None) as manager:
        other = ConfigDict({"model": {"name": "net"}, "rate": 0.2})
        assert checkpoint.changed_fields(manager, other) == ["rate: 0.1 -> 0.2"]
