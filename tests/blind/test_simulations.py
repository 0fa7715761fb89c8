"""Simulated photos of every kind: of one size with their sharp original, and the same each time."""

import cv2
import numpy as np
import pytest

from experiments.blind import simulations
from experiments.blind.simulations import ALL_KINDS, KINDS, cases, simulate
from tests.blind.scenes import sharp_photo


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos")
    photo = np.uint8(255 * sharp_photo(96, 120)[..., ::-1])
    cv2.imwrite(str(path / "wide.png"), photo)
    cv2.imwrite(str(path / "tall.png"), photo.transpose(1, 0, 2))
    return path


TO_COMPILE = ("shake", "segments", "mild")
SOME_SLOW = [
    pytest.param(kind, marks=[pytest.mark.slow] * (kind in TO_COMPILE)) for kind in ALL_KINDS
]


@pytest.mark.parametrize("kind", SOME_SLOW)
def test_a_photo_and_its_original_have_one_size(folder, kind):
    case = simulate(kind, folder / "wide.png", 1, seed=3)
    again = simulate(kind, folder / "wide.png", 1, seed=3)
    assert case.name == f"{kind}-wide"
    assert case.photo.shape == case.sharp.shape
    assert case.photo.dtype == case.sharp.dtype == np.float32
    for each in (case.photo, case.sharp):
        assert 0 <= each.min() <= each.max() <= 1
    np.testing.assert_array_equal(case.photo, again.photo)
    np.testing.assert_array_equal(case.sharp, again.sharp)
    error = np.sqrt(np.mean(np.square(case.photo - case.sharp)))
    assert 0 < error < (0.03 if kind == "sharp" else 0.3)


@pytest.mark.parametrize("kind", ["shake", "mild"])
def test_the_true_blur_makes_the_photo(folder, kind):
    case = simulate(kind, folder / "wide.png", 0, seed=3)  # recorded in linear light
    again = np.asarray(case.blur(case.sharp))
    inner = slice(12, -12), slice(12, -12)
    assert np.abs(again - case.photo)[inner].mean() < 0.02
    assert np.abs(again - case.photo)[inner].mean() < np.abs(case.sharp - case.photo)[inner].mean()


def test_cases_are_drawn_from_a_folder_but_for_those_that_are_there(folder, tmp_path):
    kinds = ["sharp", "defocus"]
    names = [case.name for case in cases(folder, kinds, 2, seed=0)]
    assert sorted(names) == ["defocus-tall", "defocus-wide", "sharp-tall", "sharp-wide"]
    left = [case.name for case in cases(folder, kinds, 2, seed=0, skip=names[1:])]
    assert left == names[:1]
    assert all(case.photo.shape[0] < case.photo.shape[1] for case in cases(folder, kinds, 2, 0))
    with pytest.raises(FileNotFoundError, match="has no photos; set DEBLUR_JAX_DATA or --data"):
        next(cases(tmp_path, kinds, 1, seed=0))
    with pytest.raises(FileNotFoundError, match="no readable photo"):
        simulations.read(tmp_path / "none.png")


def test_another_seed_or_number_draws_another_photo(folder):
    draws = [(1, 3), (1, 4), (2, 3)]
    first, *others = (simulate("defocus", folder / "wide.png", *each).photo for each in draws)
    assert all(not np.array_equal(first, each) for each in others)


def test_segments_and_scenes_are_kinds_of_their_own():
    assert set(ALL_KINDS) == {*KINDS, "segments", "scene"}


def test_objects_of_other_photos_move_in_a_scene(folder, tmp_path):
    cv2.imwrite(str(tmp_path / "other.png"), 255 - cv2.imread(str(folder / "wide.png")))
    alone = simulate("scene", folder / "wide.png", 1, seed=3)
    both = simulate("scene", folder / "wide.png", 1, seed=3, others=[tmp_path / "other.png"])
    assert both.photo.shape == alone.photo.shape
    assert np.abs(both.sharp - alone.sharp).max() > 0.1
