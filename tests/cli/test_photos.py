"""Which photos an argument selects, and where results are written."""

import re
from pathlib import Path

import pytest

from deblur_jax.cli import photos
from deblur_jax.cli.photos import find_photos, plan


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt", "a-deblurred.png"):
        (tmp_path / name).write_text("")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.jpg").write_text("")
    return tmp_path


def test_a_folder_is_its_photos_without_results(folder):
    found = find_photos([str(folder)])
    assert [photo.name for photo in found.photos] == ["a.PNG", "b.jpg"]
    assert (found.others, found.hidden, found.empty) == (2, 0, ())


def test_hidden_files_and_folders_named_like_photos_are_left_out_and_counted(folder):
    for name in ("._b.jpg", ".thumbnails", "@eaDir", "folder.jpg"):
        (folder / name).write_text("") if name.startswith("._") else (folder / name).mkdir()
    found = find_photos([str(folder), str(folder / "*.jpg")])
    assert [photo.name for photo in found.photos] == ["a.PNG", "b.jpg"]
    assert (found.others, found.hidden) == (2, 3)


def test_a_linked_folder_and_one_with_a_colon_are_folders(folder):
    link = folder.parent / "2024:05 trip"
    link.symlink_to(folder)
    assert [photo.name for photo in find_photos([str(link)]).photos] == ["a.PNG", "b.jpg"]


def test_an_empty_folder_does_not_stop_a_photo_beside_it(folder):
    (folder / "empty").mkdir()
    found = find_photos([str(folder / "empty"), str(folder / "b.jpg")])
    assert [photo.name for photo in found.photos] == ["b.jpg"]
    (message,) = found.empty
    assert message.startswith(f"{folder / 'empty'}: no photos found; expected files ending in .")


def test_names_that_give_no_photo_do_not_stop_a_photo_beside_them(folder, monkeypatch):
    closed = folder / "closed"
    closed.mkdir()
    listed = photos.list_files

    def refuse(root, *arguments, **options):
        if root == closed:
            raise PermissionError(13, "Permission denied", str(root))
        return listed(root, *arguments, **options)

    monkeypatch.setattr(photos, "list_files", refuse)  # permissions do not stop every user
    names = [folder / "*.webp", folder / "IMG[1].jpg", folder / f"{300 * 'x'}.jpg", closed]
    found = find_photos([*map(str, names), str(folder / "b.jpg")])
    assert [photo.name for photo in found.photos] == ["b.jpg"]
    assert found.missing == (
        f"{names[0]}: no photo matches this pattern",
        f"{names[1]}: no photo matches this pattern",
        f"{names[2]}: cannot be read (File name too long)",
        f"{closed}: cannot be read (Permission denied)",
    )


def test_patterns_are_expanded_and_each_photo_is_taken_once(folder):
    names = [str(folder / name) for name in ("*.jpg", "b.jpg", "a.PNG")]
    assert [photo.name for photo in find_photos(names).photos] == ["b.jpg", "a.PNG"]


def test_an_empty_selection_is_an_error(folder):
    with pytest.raises(FileNotFoundError, match=r"\*\.webp: no photo matches this pattern"):
        find_photos([str(folder / "*.webp")])
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty: no photos found; expected files ending in"):
        find_photos([str(folder / "empty")])


def test_results_lie_beside_their_photos_or_keep_their_names_in_a_folder(tmp_path):
    files = [Path("x/a.jpg"), Path("y/b.gif")]
    beside = [job.output for job in plan(files, None)]
    assert beside == [Path("x/a-deblurred.jpg"), Path("y/b-deblurred.png")]
    inside = [job.output for job in plan(files, tmp_path)]
    assert inside == [tmp_path / "a.jpg", tmp_path / "b.png"]
    assert plan(files[:1], Path("z.png"))[0].output == Path("z.png")


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
