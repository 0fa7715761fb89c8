"""Untidy folders: every source reads the same files as from a tidy one."""

import numpy as np
import pytest

from tests.data.trees import KINDS, SAVE, noise, open_source, save


# Folders of a source that hold files, by the source's name; "" is the folder itself.
PLACES = {
    "folder": ("",),
    "pairs": ("blur", "sharp", "flow"),
    "segments": ("images", "segments"),
    "frames": ("", "video0"),
}
HIDDEN_FOLDERS = (".thumbnails", ".ipynb_checkpoints", "@eaDir")


def fill(kind, root, count=3):
    for seed in range(count):
        SAVE[kind](root, f"video{seed}", seed)


def contents(source):
    return [
        {name: np.asarray(array) for name, array in source[i].items()} for i in range(len(source))
    ]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def tidy(kind, tmp_path):
    fill(kind, tmp_path / "tidy")
    return contents(open_source(kind, tmp_path / "tidy"))


def test_hidden_files_and_folders_are_not_trained_on(kind, tidy, tmp_path, capsys):
    root = tmp_path / "messy"
    fill(kind, root)
    for place in PLACES[kind]:
        (root / place / "._video0.png").write_text("resource fork")
        (root / place / "._video0.flo").write_text("resource fork")
        for folder in HIDDEN_FOLDERS:
            save(root / place / folder / "video0.png", noise(9))
    assert_same(contents(open_source(kind, root)), tidy)
    if kind != "segments":  # of fixed layouts only the files of the layout are read
        assert "hidden files and folders were left out" in capsys.readouterr().err


def test_folders_named_like_photos_are_no_photos(kind, tidy, tmp_path):
    root = tmp_path / "messy"
    fill(kind, root)
    for place in PLACES[kind]:
        for name in ("folder.png", "folder.jpg", "folder.flo"):
            (root / place / name).mkdir()
        (root / place / "empty").mkdir()
    assert_same(contents(open_source(kind, root)), tidy)


def test_linked_folders_are_read_once(kind, tidy, tmp_path):
    root = tmp_path / "linked"
    root.mkdir()
    fill(kind, tmp_path / "elsewhere")
    names = {"folder": ["photos"], "frames": ["videos"]}.get(kind, PLACES[kind])
    for name in names:
        target = tmp_path / "elsewhere" / (name if name in PLACES[kind] else "")
        (root / name).symlink_to(target)
        if name not in PLACES[kind]:
            (root / f"{name} again").symlink_to(target)
            (root / "circle").symlink_to(root)
    assert_same(contents(open_source(kind, root)), tidy)


def test_a_folder_with_a_colon_is_one_folder(kind, tidy, tmp_path):
    root = tmp_path / "2024:05 trip"
    fill(kind, root)
    assert_same(contents(open_source(kind, root)), tidy)
    if kind != "segments":  # takes a single folder
        fill(kind, tmp_path / "a:b")
        assert len(open_source(kind, f"{root}:{tmp_path / 'a:b'}")) == 2 * len(tidy)


def test_an_empty_folder_among_several_is_named(tmp_path):
    fill("folder", tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: no photos found; expected files ending in"):
        open_source("folder", f"{tmp_path / 'photos'}:{tmp_path / 'empty'}")
