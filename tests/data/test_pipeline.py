"""Batches: a function of seed and position alone, split over processes and workers."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from deblur_jax.data.augment import RandomCrop
from deblur_jax.data.photos import PhotoSource
from deblur_jax.data.pipeline import training_batches
from tests.data.trees import KINDS, SAVE, noise, open_source, save


@pytest.fixture(params=KINDS)
def source(request, tmp_path):
    """A source of each kind, with five examples."""
    for number in range(5):
        SAVE[request.param](tmp_path, f"{number}", number)
    return open_source(request.param, tmp_path)


@pytest.fixture
def photos(tmp_path):
    for index in range(5):
        save(tmp_path / f"{index}.png", noise(index, (24 + index, 30)))
    return PhotoSource(sorted(tmp_path.glob("*.png")), smallest=8, in_memory=True)


def take(source, count, **fields):
    options = {"seed": 3, "crop": 8, "largest_scale": 1.5, "batch_size": 4, "workers": 0}
    batches = training_batches(source, **{**options, **fields})
    return list(itertools.islice(batches, count))


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_batches_hold_the_arrays_of_the_examples(source):
    (batch,) = take(source, 1)
    for name, array in batch.items():
        channels = {"segments": (), "flow": (2,), "backward_flow": (2,)}.get(name, (3,))
        assert array.shape == (4, 8, 8, *channels)
        if channels == (3,):
            assert array.dtype == np.float32
            assert 0 <= array.min() < array.max() <= 1


def test_centre_crops_are_the_same_in_every_pass(photos):
    centre = {"place": "centre", "largest_scale": 1.0, "batch_size": 5}
    passes = [batch["sharp"] for batch in take(photos, 2, **centre)]
    one, other = (sorted(crop.tobytes() for crop in crops) for crops in passes)
    assert one == other
    assert np.float32(photos[0]["sharp"][8:16, 11:19] / 255).tobytes() in one


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"place": "middle"}, r"batches.place must be one of \['centre', 'random'\], got 'middle'"),
        (
            {"place": "centre"},
            "batches.place=centre takes crops as they are; set batches.largest_sc",
        ),
    ],
)
def test_a_place_of_crops_that_is_not_possible_is_refused(photos, fields, message):
    with pytest.raises(ValueError, match=message):
        take(photos, 1, **fields)


def test_the_stream_depends_on_the_seed_alone(photos):
    assert_same(take(photos, 4), take(photos, 4))
    other = take(photos, 1, seed=4)
    assert not np.array_equal(take(photos, 1)[0]["sharp"], other[0]["sharp"])


def test_starting_at_a_step_continues_the_same_stream(source):
    assert_same(take(source, 6)[4:], take(source, 2, start_step=4))


@pytest.mark.slow  # processes take their time to start
def test_a_run_resumed_with_other_workers_reads_the_same_batches(source):
    whole = take(source, 5)
    assert_same(whole, take(source, 5, workers=2))
    assert_same(whole[3:], take(source, 2, start_step=3, workers=1))
    assert_same(whole[3:], take(source, 2, start_step=3, workers=2))


RUN = """
import sys
import time
from pathlib import Path

from absl import flags

from deblur_jax.data.photos import PhotoSource
from deblur_jax.data.pipeline import training_batches

if __name__ == "__main__":
    flags.FLAGS.mark_as_parsed()
    folder = Path(sys.argv[1])
    photos = PhotoSource(sorted(folder.glob("*.png")), smallest=8, in_memory=False)
    options = {"seed": 0, "crop": 8, "largest_scale": 1, "batch_size": 2, "workers": 2}
    batches = training_batches(photos, **options)
    next(batches)
    found = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    (folder / "started.part").write_text(" ".join(found))
    (folder / "started.part").rename(folder / "started")
    time.sleep(100)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux to see processes")
def test_workers_do_not_outlive_a_run_that_is_killed(photos, tmp_path):
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    # Not piped: what outlives the run would hold the pipe open.
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as run:
        started = tmp_path / "started"
        began = wait_until(started.exists, 60)
        run.kill()
    assert began
    workers = started.read_text().split()
    assert len(workers) >= 2
    assert wait_until(lambda: not any(is_alive(worker) for worker in workers), 10)


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return met


def is_alive(process):
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_worker_process_changes_nothing(photos):
    assert_same(take(photos, 4)[2:], take(photos, 2, start_step=2, workers=1))


@pytest.mark.parametrize("count", [2, 4])
def test_processes_read_disjoint_shares_of_the_batches_of_one(source, count):
    whole = take(source, 3)
    shares = [take(source, 3, process_index=index, process_count=count) for index in range(count)]
    for step, batch in enumerate(whole):
        for name, array in batch.items():
            for index, share in enumerate(shares):
                np.testing.assert_array_equal(array[index::count], share[step][name])


def test_processes_together_read_every_photo_once(tmp_path):
    for value in range(6):
        save(tmp_path / f"{value}.png", np.full((8, 8, 3), value, np.uint8))
    source = open_source("folder", tmp_path)
    for epoch in range(3):
        shares = [
            take(source, 1, batch_size=6, start_step=epoch, process_index=index, process_count=3)
            for index in range(3)
        ]
        seen = [np.rint(share[0]["sharp"][:, 0, 0, 0] * 255).tolist() for share in shares]
        assert sorted(itertools.chain(*seen)) == [0, 1, 2, 3, 4, 5]


def test_a_crop_without_scaling_is_a_turned_piece_of_the_photo():
    photo = np.arange(20 * 20 * 3, dtype=np.uint8).reshape(20, 20, 3)
    rng = np.random.default_rng(0)
    pieces = {
        np.ascontiguousarray(photo[row : row + 8, column : column + 8]).tobytes()
        for row in range(13)
        for column in range(13)
    }
    for _ in range(10):
        crop = np.rint(RandomCrop(8, 1.0).random_map({"sharp": photo}, rng)["sharp"] * 255).astype(
            np.uint8
        )
        turns = [np.rot90(side, turn) for side in (crop, crop[:, ::-1]) for turn in range(4)]
        assert any(np.ascontiguousarray(turn).tobytes() in pieces for turn in turns)


def test_a_batch_that_cannot_be_shared_out_is_refused(source):
    with pytest.raises(ValueError, match="a multiple of the number of processes, got 4 for 3"):
        take(source, 1, process_count=3)
    with pytest.raises(ValueError, match="got 5 examples for 6 processes; add"):
        take(source, 1, batch_size=6, process_count=6)


@pytest.mark.parametrize("count", [1, 2])
def test_a_group_holds_different_photos_and_processes_share_groups(photos, count):
    flat = np.concatenate([batch["sharp"] for batch in take(photos, 3)])
    flat = flat.reshape(2, 2, 3, 8, 8, 3)  # 12 crops in 4 groups
    shares = [
        take(photos, 2, group=3, batch_size=2, process_index=index, process_count=count)
        for index in range(count)
    ]
    found = np.stack([[batch["sharp"] for batch in share] for share in shares], axis=2)
    np.testing.assert_array_equal(found.reshape(flat.shape), flat)
