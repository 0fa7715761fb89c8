"""Listing folders: which files are left out, and which links are followed."""

import os

import pytest

from deblur_jax.io.folders import list_files, split_folders


ENDINGS = (".jpg", ".png")
HIDDEN_FILES = ("._a.jpg", ".hidden.png", ".DS_Store")
HIDDEN_FOLDERS = (".thumbnails", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "#recycle")


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def names(listing, root):
    return [path.relative_to(root).as_posix() for path in listing.files]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "2024:05 trip"
    for name in ("b.JPG", "a.png", "notes.txt", "below/c.jpg", "folder.jpg/d.jpg"):
        touch(root / name)
    (root / "empty").mkdir()
    return root


def test_only_files_with_the_suffixes_are_listed(root):
    listing = list_files(root, ENDINGS)
    assert names(listing, root) == ["a.png", "b.JPG", "below/c.jpg", "folder.jpg/d.jpg"]
    assert (listing.others, listing.hidden) == (1, 0)


def test_a_flat_listing_leaves_subfolders_out(root):
    listing = list_files(root, ENDINGS, deep=False)
    assert names(listing, root) == ["a.png", "b.JPG"]
    assert (listing.others, listing.hidden) == (1, 0)


@pytest.mark.parametrize("deep", [True, False])
def test_hidden_files_and_folders_are_left_out_and_counted(root, deep):
    expected = list_files(root, ENDINGS, deep=deep)
    for name in (*HIDDEN_FILES, *(f"{folder}/x.jpg" for folder in HIDDEN_FOLDERS)):
        touch(root / name)
    listing = list_files(root, ENDINGS, deep=deep)
    assert listing.files == expected.files
    assert listing.others == 1
    assert listing.hidden == len(HIDDEN_FILES) + len(HIDDEN_FOLDERS)


def test_a_hidden_folder_that_is_named_is_read(tmp_path):
    touch(tmp_path / ".cache" / "a.jpg")
    assert len(list_files(tmp_path / ".cache", ENDINGS).files) == 1


def test_links_are_followed_and_every_folder_is_read_once(root, tmp_path):
    touch(tmp_path / "elsewhere" / "e.jpg")
    (root / "A link").symlink_to(tmp_path / "elsewhere")
    (root / "second link").symlink_to(tmp_path / "elsewhere")
    (root / "0 to below").symlink_to(root / "below")
    (root / "below" / "circle").symlink_to(root)
    (root / "f.jpg").symlink_to(tmp_path / "elsewhere" / "e.jpg")
    expected = ["A link/e.jpg", "a.png", "b.JPG", "below/c.jpg", "f.jpg", "folder.jpg/d.jpg"]
    assert names(list_files(root, ENDINGS), root) == expected


def test_a_broken_link_is_listed_so_that_reading_it_fails(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    assert names(list_files(tmp_path, ENDINGS), tmp_path) == ["gone.jpg"]


def test_a_missing_folder_has_no_files(tmp_path):
    assert list_files(tmp_path / "missing", ENDINGS).files == ()


def test_a_list_of_folders_is_split_at_separators_outside_names(root, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for folders in ([root], [other], [root, other], [other, root, other], [root, root]):
        assert split_folders(os.pathsep.join(map(str, folders))) == folders
    missing = os.pathsep.join(["/missing", str(root)])
    assert [str(folder) for folder in split_folders(missing)] == ["/missing", str(root)]
    assert split_folders("") == []
    assert split_folders(f"{other}{os.pathsep}") == [other]
