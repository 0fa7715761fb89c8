"""Photos by index: which there are, and how bad ones are told."""

import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.sources import EMBEDDED, PhotoSource, embedded_photos, make_source


def save(path, size=(20, 30), value=100):
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def source(folder, **fields):
    defaults = {"name": "folder", "split": "", "smallest": 16, "in_memory": True, "limit": 0}
    return make_source(folder=str(folder), **{**defaults, **fields})


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_embedded_photo_is_there(split):
    paths = embedded_photos(split)
    assert len(paths) == len(EMBEDDED[split])
    assert all(path.is_file() for path in paths)


def test_no_photo_is_both_for_training_and_for_testing():
    assert not set(EMBEDDED["train"]) & set(EMBEDDED["test"])


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_folder_gives_its_photos_in_order_of_their_names(tmp_path, in_memory):
    (tmp_path / "below").mkdir()
    save(tmp_path / "b.png", value=2)
    save(tmp_path / "a.png", value=1)
    save(tmp_path / "below" / "c.png", value=3)
    (tmp_path / "notes.txt").write_text("not a photo")
    photos = source(tmp_path, in_memory=in_memory)
    assert [int(photos[index][0, 0, 0]) for index in range(len(photos))] == [1, 2, 3]
    assert photos[0].dtype == np.uint8
    assert len(source(tmp_path, limit=2)) == 2


def test_every_bad_photo_is_named_at_once(tmp_path):
    save(tmp_path / "good.png")
    save(tmp_path / "small.png", size=(20, 8))
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(ValueError, match="mend or remove them") as caught:
        source(tmp_path)
    assert "small.png: 8x20 pixels, expected at least 16 a side" in str(caught.value)
    assert "words.png: not an image" in str(caught.value)
    assert "good.png" not in str(caught.value)


@pytest.mark.parametrize("in_memory", [False, True])
def test_bad_photos_are_skipped_with_a_count_if_asked_for(tmp_path, in_memory, capsys):
    save(tmp_path / "a.png", size=(20, 8))
    save(tmp_path / "b.png", value=7)
    (tmp_path / "c.png").write_text("words")
    photos = source(tmp_path, on_bad="skip", in_memory=in_memory)
    assert [path.name for path in photos.paths] == ["b.png"]
    assert photos[0][0, 0, 0] == 7
    assert len(photos.skipped) == 2
    assert "2 photos skipped, 1 used:" in capsys.readouterr().err
    with pytest.raises(ValueError, match="mend or remove them"):
        source(tmp_path, on_bad="skip", smallest=50)
    with pytest.raises(ValueError, match=r"on_bad must be one of \['skip', 'stop'\], got 'no'"):
        source(tmp_path, on_bad="no")


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        source(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no photo; expected files ending in .jpg"):
        source(tmp_path)


def test_unknown_names_are_answered_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"source.name must be one of \['embedded', 'folder'\]"):
        source(tmp_path, name="web")
    with pytest.raises(ValueError, match=r"split must be one of \['test', 'train'\], got 'all'"):
        source(tmp_path, name="embedded", split="all")


def test_grey_and_transparent_photos_are_read_as_colour(tmp_path):
    Image.fromarray(np.full((20, 20), 7, np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.full((20, 20, 4), 9, np.uint8)).save(tmp_path / "clear.png")
    photos = PhotoSource(
        [tmp_path / "grey.png", tmp_path / "clear.png"], smallest=1, in_memory=True
    )
    assert photos[0].shape == photos[1].shape == (20, 20, 3)
