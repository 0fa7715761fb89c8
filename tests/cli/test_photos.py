"""Which photos are meant, and where results go."""

import re
from pathlib import Path

import pytest

from deblur_jax.cli.photos import find_photos, plan


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt", "a-deblurred.png"):
        (tmp_path / name).write_text("")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.jpg").write_text("")
    return tmp_path


def test_a_folder_is_its_photos_without_results(folder):
    photos, others = find_photos([str(folder)])
    assert [photo.name for photo in photos] == ["a.PNG", "b.jpg"]
    assert others == 2


def test_patterns_are_expanded_and_each_photo_is_taken_once(folder):
    photos, _ = find_photos([str(folder / "*.jpg"), str(folder / "b.jpg"), str(folder / "a.PNG")])
    assert [photo.name for photo in photos] == ["b.jpg", "a.PNG"]


def test_nothing_found_is_said(folder):
    with pytest.raises(FileNotFoundError, match=r"\*\.webp: no file has such a name"):
        find_photos([str(folder / "*.webp")])
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: holds no photo; expected files ending in"):
        find_photos([str(folder / "empty")])


def test_results_lie_beside_their_photos_or_keep_their_names_in_a_folder(tmp_path):
    photos = [Path("x/a.jpg"), Path("y/b.gif")]
    beside = [job.output for job in plan(photos, None)]
    assert beside == [Path("x/a-deblurred.jpg"), Path("y/b-deblurred.png")]
    inside = [job.output for job in plan(photos, tmp_path)]
    assert inside == [tmp_path / "a.jpg", tmp_path / "b.png"]
    assert plan(photos[:1], Path("z.png"))[0].output == Path("z.png")


def test_two_photos_cannot_have_one_result(tmp_path):
    message = r"a.jpg: would be the result of both x/a.jpg and y/a.jpg"
    with pytest.raises(ValueError, match=message):
        plan([Path("x/a.jpg"), Path("y/a.jpg")], tmp_path)


def test_several_photos_need_a_folder(tmp_path):
    missing = tmp_path / "out"
    with pytest.raises(
        NotADirectoryError, match=re.escape(f"{missing}: no such folder; 2 photos need one")
    ):
        plan([Path("a.jpg"), Path("b.jpg")], missing)
