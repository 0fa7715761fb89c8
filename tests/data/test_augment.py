"""Rotating a pair and blurring it commute."""

import itertools

import jax
import numpy as np
import pytest

from deblur_jax.data.augment import CentreCrop, RandomCrop, shrunk, turned
from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.line_blur import line_blur


TURNS = list(itertools.product(range(4), (False, True)))

blur_lines = jax.jit(line_blur)
blur_kernels = jax.jit(basis_blur)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def all_kernels(image, kernel):
    mixing = np.ones((*image.shape[:2], len(kernel)), np.float32) / len(kernel)
    return blur_kernels(image, kernel, mixing)


@pytest.mark.parametrize(("quarters", "mirror"), TURNS)
def test_turning_then_blurring_along_the_flow_is_blurring_then_turning(rng, quarters, mirror):
    sharp = rng.random((11, 14, 3), np.float32)
    flow = rng.uniform(-5, 5, (11, 14, 2)).astype(np.float32)
    blurry = np.asarray(blur_lines(sharp, flow))
    pair = turned({"blurry": blurry, "sharp": sharp, "flow": flow}, quarters, mirror)
    np.testing.assert_allclose(
        blur_lines(np.array(pair["sharp"]), pair["flow"]), pair["blurry"], atol=2e-6
    )


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("quarters", "mirror"), TURNS)
def test_turning_then_filtering_is_filtering_then_turning(rng, quarters, mirror, count):
    sharp = rng.random((11, 14, 3), np.float32)
    kernel = rng.random((count, 5, 5), np.float32)
    kernel /= kernel.sum(axis=(1, 2), keepdims=True)
    blurry = np.asarray(all_kernels(sharp, kernel))
    pair = turned({"blurry": blurry, "sharp": sharp, "kernels": kernel}, quarters, mirror)
    np.testing.assert_allclose(
        all_kernels(np.array(pair["sharp"]), np.array(pair["kernels"])), pair["blurry"], atol=2e-6
    )


def away_from_the_middle(height, width):
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize(("quarters", "mirror"), TURNS)
def test_a_flow_away_from_the_middle_still_leads_away_from_it(quarters, mirror):
    # A blur looks the same along a line both ways; this checks the sign of the flow.
    flow = turned({"flow": away_from_the_middle(5, 8)}, quarters, mirror)["flow"]
    np.testing.assert_array_equal(flow, away_from_the_middle(*flow.shape[:2]))


@pytest.mark.parametrize("quarters", range(4))
def test_a_reflection_is_left_to_right(rng, quarters):
    sharp = rng.random((5, 8, 3))
    found = turned({"sharp": sharp}, quarters, True)["sharp"]
    np.testing.assert_array_equal(found, np.rot90(sharp, quarters)[:, ::-1])


def test_a_motion_to_the_right_becomes_one_upwards_by_a_quarter_turn():
    pair = {"flow": np.tile(np.float32([2, 1]), (3, 4, 1))}
    assert turned(pair, 1, False)["flow"].shape == (4, 3, 2)
    assert turned(pair, 1, False)["flow"][0, 0].tolist() == [1, -2]
    assert turned(pair, 0, True)["flow"][0, 0].tolist() == [-2, 1]


def crops(rng, pair, count, **options):
    transform = RandomCrop(6, 1.0, **options)
    return [transform.random_map(pair, rng) for _ in range(count)]


def test_everything_is_cut_out_at_the_same_place(rng):
    rows, columns = np.mgrid[:9, :12].astype(np.uint8)
    sharp = np.stack([rows, columns, rows], axis=-1)
    pair = {
        "sharp": sharp,
        "blurry": sharp + 100,
        "flow": sharp[..., :2].astype(np.float32),
        "kernels": np.eye(3, dtype=np.float32)[None],
    }
    for crop in crops(rng, pair, 20):
        assert crop["sharp"].shape == crop["blurry"].shape == (6, 6, 3)
        assert crop["flow"].shape == (6, 6, 2)
        assert crop["kernels"].shape == (1, 3, 3)
        whole = np.rint(crop["sharp"] * 255)
        np.testing.assert_array_equal(np.rint(crop["blurry"] * 255) - whole, 100)
        # Both hold the place, whichever way the flow was turned.
        np.testing.assert_array_equal(
            np.sort(np.abs(crop["flow"]), axis=-1), np.sort(whole[..., :2], axis=-1)
        )
        assert all(array.dtype == np.float32 for array in crop.values())
        assert all(array.flags.c_contiguous for array in crop.values())


def test_all_eight_ways_to_lay_a_square_and_every_place_are_drawn(rng):
    sharp = np.arange(7 * 7 * 3, dtype=np.uint8).reshape(7, 7, 3)
    drawn = {crop["sharp"].tobytes() for crop in crops(rng, {"sharp": sharp, "blurry": sharp}, 400)}
    assert len(drawn) == 8 * 4


def test_colours_change_places_in_both_images_alike(rng):
    sharp = np.tile(np.uint8([10, 20, 30]), (6, 6, 1))
    drawn = crops(rng, {"sharp": sharp, "blurry": sharp + 1}, 60, permute_channels=True)
    orders = {tuple(np.rint(crop["sharp"][0, 0] * 255)) for crop in drawn}
    assert len(orders) == 6
    for crop in drawn:
        np.testing.assert_allclose(crop["blurry"] - crop["sharp"], 1 / 255, atol=1e-6)


def test_a_crop_larger_than_the_pair_is_refused(rng):
    sharp = np.zeros((5, 9, 3), np.uint8)
    with pytest.raises(
        ValueError, match="a crop of 6 pixels does not fit into 9x5; decrease batches.crop"
    ):
        crops(rng, {"sharp": sharp, "blurry": sharp}, 1)


def test_segments_are_cut_out_and_turned_as_the_picture_is(rng):
    numbers = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9)
    pair = {"sharp": np.repeat(numbers[..., None], 3, axis=-1), "segments": numbers}
    for crop in crops(rng, pair, 20):
        assert crop["segments"].dtype == np.int32
        np.testing.assert_array_equal(np.rint(crop["sharp"][..., 0] * 255), crop["segments"])


def test_one_of_several_segmentations_is_chosen(rng):
    people = np.stack([np.full((7, 9), number, np.uint16) for number in (3, 5, 8)])
    drawn = crops(rng, {"sharp": np.zeros((7, 9, 3), np.uint8), "segmentations": people}, 40)
    assert {int(crop["segments"][0, 0]) for crop in drawn} == {3, 5, 8}
    assert all(crop.keys() == {"sharp", "segments"} for crop in drawn)


def test_a_flow_is_shrunk_with_its_picture_and_a_segment_keeps_its_number():
    x = np.tile(np.arange(12, dtype=np.float32), (12, 1))
    example = {
        "blurry": np.zeros((12, 12, 3), np.uint8),
        "flow": np.stack([x, np.full_like(x, 6)], axis=-1),
        "segments": np.where(x < 6, 40, 7),
        "mask": np.zeros((12, 12, 1), np.uint8),
        "frames": np.zeros((2, 12, 12, 3), np.uint8),
    }
    small = shrunk(example, 4)
    assert small["blurry"].shape == (4, 4, 3)
    assert small["mask"].shape == (4, 4, 1)
    assert small["frames"].shape == (2, 4, 4, 3)
    np.testing.assert_allclose(small["flow"][0], [[1 / 3, 2], [4 / 3, 2], [7 / 3, 2], [10 / 3, 2]])
    np.testing.assert_array_equal(small["segments"], np.tile([40, 40, 7, 7], (4, 1)))


def test_a_picture_with_kernels_is_not_shrunk():
    example = {"sharp": np.zeros((8, 8, 3), np.uint8), "kernels": np.ones((1, 3, 3), np.float32)}
    with pytest.raises(ValueError, match="kernels cannot be resized with their image; set"):
        shrunk(example, 4)


def test_an_array_of_an_unknown_name_is_refused(rng):
    with pytest.raises(ValueError, match=r"the arrays of an example are named .*, got 'depth'"):
        crops(rng, {"depth": np.zeros((7, 9), np.float32)}, 1)


def test_a_centre_crop_is_the_middle_as_it_is(rng):
    photo = rng.integers(0, 256, (11, 14, 3), dtype=np.uint8)
    flow = rng.normal(size=(11, 14, 2)).astype(np.float32)
    labels = np.stack([np.full((11, 14), number, np.uint16) for number in (1, 2)])
    example = {"sharp": photo, "flow": flow, "segmentations": labels}
    found = CentreCrop(6).random_map(example, rng)
    middle = (slice(2, 8), slice(4, 10))
    np.testing.assert_array_equal(found["sharp"], np.float32(photo[middle]) / 255)
    np.testing.assert_array_equal(found["flow"], flow[middle])
    assert found["segments"].shape == (6, 6)
    assert len(np.unique(found["segments"])) == 1
    with pytest.raises(ValueError, match="a crop of 12 pixels does not fit into 14x11"):
        CentreCrop(12).random_map(example, rng)
