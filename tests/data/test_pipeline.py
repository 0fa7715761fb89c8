"""Batches: a function of seed and position alone, shared out over processes and workers."""

import itertools

import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.augment import RandomCrop
from deblur_jax.data.pairs import folder_pairs
from deblur_jax.data.photos import PhotoSource
from deblur_jax.data.pipeline import training_batches
from deblur_jax.io.flow import write_flow


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(5):
        pixels = rng.integers(0, 256, (24 + index, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    return PhotoSource(sorted(tmp_path.glob("*.png")), smallest=8, in_memory=True)


def take(photos, count, **fields):
    options = {"seed": 3, "crop": 8, "largest_scale": 2.0, "batch_size": 4, "workers": 0}
    batches = training_batches(photos, **{**options, **fields})
    return [batch["sharp"] for batch in itertools.islice(batches, count)]


def test_batches_are_crops_of_float_pixels(photos):
    (batch,) = take(photos, 1)
    assert batch.shape == (4, 8, 8, 3)
    assert batch.dtype == np.float32
    assert 0 <= batch.min() < batch.max() <= 1


def test_the_stream_depends_on_the_seed_alone(photos):
    np.testing.assert_array_equal(take(photos, 4), take(photos, 4))
    assert not np.array_equal(take(photos, 1), take(photos, 1, seed=4))


def test_starting_at_a_step_is_the_same_as_having_come_there(photos):
    np.testing.assert_array_equal(take(photos, 6)[4:], take(photos, 2, start_step=4))


def test_two_processes_share_the_batches_of_one(photos):
    whole = take(photos, 3)
    shares = [take(photos, 3, process_index=index, process_count=2) for index in range(2)]
    for step in range(3):
        both = np.stack([shares[0][step], shares[1][step]], axis=1).reshape(whole[step].shape)
        np.testing.assert_array_equal(both, whole[step])


@pytest.mark.slow
def test_workers_change_nothing(photos):
    np.testing.assert_array_equal(take(photos, 3), take(photos, 3, workers=2))


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


def test_a_batch_that_cannot_be_shared_out_is_refused(photos):
    with pytest.raises(ValueError, match="must divide by the number of processes, got 4 for 3"):
        take(photos, 1, process_count=3)
    with pytest.raises(ValueError, match="got 5 examples for 6 processes; add some"):
        take(photos, 1, batch_size=6, process_count=6)


@pytest.fixture
def pairs(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("blur", "sharp", "flow"):
        (tmp_path / "pairs" / kind).mkdir(parents=True)
    for index in range(5):
        for kind in ("blur", "sharp"):
            pixels = rng.integers(0, 256, (14 + index, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pairs" / kind / f"{index}.png")
        flow = rng.normal(size=(14 + index, 20, 2))
        write_flow(tmp_path / "pairs" / "flow" / f"{index}.flo", flow)
    return folder_pairs(tmp_path / "pairs", smallest=8)


def take_pairs(pairs, count, **fields):
    options = {"seed": 3, "crop": 8, "largest_scale": 1.0, "batch_size": 4, "workers": 0}
    return list(itertools.islice(training_batches(pairs, **{**options, **fields}), count))


def assert_same(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_batches_of_pairs_hold_images_and_flow(pairs):
    (batch,) = take_pairs(pairs, 1)
    assert {name: array.shape for name, array in batch.items()} == {
        "blurry": (4, 8, 8, 3),
        "sharp": (4, 8, 8, 3),
        "flow": (4, 8, 8, 2),
    }


def test_batches_of_pairs_start_anywhere_and_are_shared_out(pairs):
    whole = take_pairs(pairs, 6)
    assert_same(whole[4:], take_pairs(pairs, 2, start_step=4))
    shares = [take_pairs(pairs, 6, process_index=index, process_count=2) for index in range(2)]
    for batch, even, odd in zip(whole, *shares, strict=True):
        np.testing.assert_array_equal(batch["blurry"][0::2], even["blurry"])
        np.testing.assert_array_equal(batch["flow"][1::2], odd["flow"])
    with pytest.raises(ValueError, match="got 5 examples for 6 processes; add some"):
        take_pairs(pairs, 1, batch_size=6, process_count=6)


@pytest.mark.slow
def test_workers_change_nothing_in_pairs_even_after_a_resume(pairs):
    whole = take_pairs(pairs, 5)
    assert_same(whole, take_pairs(pairs, 5, workers=2))
    assert_same(whole[3:], take_pairs(pairs, 2, workers=1, start_step=3))


@pytest.mark.parametrize("count", [1, 2])
def test_a_group_holds_different_photos_and_processes_share_groups(photos, count):
    flat = np.concatenate(take(photos, 3)).reshape(2, 2, 3, 8, 8, 3)  # 12 crops in 4 groups
    shares = [
        take(photos, 2, group=3, batch_size=2, process_index=index, process_count=count)
        for index in range(count)
    ]
    found = np.stack(shares, axis=2).reshape(flat.shape)
    np.testing.assert_array_equal(found, flat)
