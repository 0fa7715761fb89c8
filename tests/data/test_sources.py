"""Photos by index: which files are photos, and how bad ones are reported."""

import cv2
import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.photos import EMBEDDED, PhotoSource, embedded_photos
from deblur_jax.data.sources import PREPARED, make_source


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
    assert [int(photos[index]["sharp"][0, 0, 0]) for index in range(len(photos))] == [1, 2, 3]
    assert photos[0]["sharp"].dtype == np.uint8
    assert len(source(tmp_path, limit=2)) == 2


def test_every_bad_photo_is_named_at_once(tmp_path):
    save(tmp_path / "good.png")
    save(tmp_path / "small.png", size=(20, 8))
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(ValueError, match="fix or remove them") as caught:
        source(tmp_path)
    assert "small.png: 8x20 pixels, expected at least 16 a side" in str(caught.value)
    assert "words.png: not an image" in str(caught.value)
    assert "good.png" not in str(caught.value)


@pytest.mark.parametrize("in_memory", [False, True])
def test_on_bad_skip_skips_and_counts_bad_photos(tmp_path, in_memory, capsys):
    save(tmp_path / "a.png", size=(20, 8))
    save(tmp_path / "b.png", value=7)
    (tmp_path / "c.png").write_text("words")
    photos = source(tmp_path, on_bad="skip", in_memory=in_memory)
    assert [path.name for path in photos.paths] == ["b.png"]
    assert photos[0]["sharp"][0, 0, 0] == 7
    assert len(photos.skipped) == 2
    assert "2 photos skipped, 1 used:" in capsys.readouterr().err
    with pytest.raises(ValueError, match="fix or remove them"):
        source(tmp_path, on_bad="skip", smallest=50)
    with pytest.raises(ValueError, match=r"on_bad must be one of \['skip', 'stop'\], got 'no'"):
        source(tmp_path, on_bad="no")


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        source(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no photos found; expected files ending in .jpg"):
        source(tmp_path)


def test_errors_for_unknown_names_list_the_known_ones(tmp_path):
    with pytest.raises(
        ValueError, match=r"source.name must be one of \['ade',.*, 'embedded', 'folder',"
    ):
        source(tmp_path, name="web")
    with pytest.raises(ValueError, match=r"split must be one of \['test', 'train'\], got 'all'"):
        source(tmp_path, name="embedded", split="all")


def test_photos_of_any_kind_are_converted_to_rgb_on_request(tmp_path):
    Image.fromarray(np.full((20, 20), 7, np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.full((20, 20, 4), 9, np.uint8)).save(tmp_path / "clear.png")
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((20, 20, 3), 900, np.uint16))
    paths = sorted(tmp_path.glob("*.png"))
    photos = PhotoSource(paths, smallest=1, in_memory=True, any_kind=True)
    assert [photos[index]["sharp"].shape for index in range(3)] == 3 * [(20, 20, 3)]
    assert [int(photos[index]["sharp"][0, 0, 0]) for index in range(3)] == [9, 4, 7]


@pytest.mark.parametrize("joined", [False, True])
def test_several_folders_are_one_source(tmp_path, joined):
    for number in (1, 2):
        (tmp_path / f"folder{number}").mkdir()
        save(tmp_path / f"folder{number}" / "a.png", value=number)
    folders = [str(tmp_path / f"folder{number}") for number in (2, 1)]
    options = {"smallest": 16, "in_memory": False, "limit": 0, "on_bad": "stop"}
    photos = make_source(name="folder", folder=":".join(folders) if joined else folders, **options)
    assert [int(photos[index]["sharp"][0, 0, 0]) for index in range(2)] == [2, 1]
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        make_source(name="folder", folder=f"{folders[0]}:{tmp_path}/nowhere", **options)
    with pytest.raises(ValueError, match="source.folder is empty; give a folder"):
        make_source(name="folder", folder="", **options)


def test_a_misspelt_option_is_named(tmp_path):
    with pytest.raises(TypeError, match="unexpected keyword argument 'smalest'"):
        make_source(name="pairs", folder=str(tmp_path), smalest=1, limit=0, on_bad="stop")


def test_pairs_of_several_folders_are_a_source(tmp_path):
    for number in (1, 2):
        for kind in ("blur", "sharp"):
            (tmp_path / f"folder{number}" / kind).mkdir(parents=True)
            save(tmp_path / f"folder{number}" / kind / "a.png", value=number)
    folder = tuple(str(tmp_path / f"folder{number}") for number in (1, 2))
    pairs = make_source(name="pairs", folder=folder, smallest=16, limit=0, on_bad="stop")
    assert [int(pairs[index]["blurry"][0, 0, 0]) for index in range(2)] == [1, 2]
    assert pairs.name(0) == f"{tmp_path}/folder1/blur/a"
    # All of them must fit in one batch.
    (tmp_path / "folder2" / "kernels").mkdir()
    np.save(tmp_path / "folder2" / "kernels" / "a.npy", np.ones((3, 3)))
    with pytest.raises(
        ValueError, match=r"a.npy: has no flow and kernels \[1, 3, 3\], most have no flow and no k"
    ):
        make_source(name="pairs", folder=folder, smallest=16, limit=0, on_bad="stop")


def prepare_pairs(folder):
    from deblur_jax.data.builders.registry import prepare

    for kind in ("blur", "sharp"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, size in (("a", (20, 30)), ("b", (12, 30))):
            save(folder / kind / f"{name}.png", size=size)
    return prepare("folders", folder, folder.parent / "records")


def test_every_prepared_data_set_is_a_source(tmp_path):
    from deblur_jax.data.builders.registry import BUILDERS

    assert tuple(BUILDERS) == PREPARED
    options = {"folder": str(tmp_path / "records"), "limit": 0}
    with pytest.raises(FileNotFoundError, match="is not prepared; run python tools/prepare.py fol"):
        make_source(name="folders", split="train", smallest=1, **options)
    prepare_pairs(tmp_path / "pairs")
    pairs = make_source(name="folders", split="train", smallest=1, **options)
    assert sorted(pairs.name(index) for index in range(len(pairs))) == ["a", "b"]
    assert pairs[0].keys() == {"blurry", "sharp"}
    assert (
        len(make_source(name="folders", split="train", smallest=1, **options | {"limit": 1})) == 1
    )
    with pytest.raises(ValueError, match="b: 30x12 pixels, expected at least 16 a side"):
        make_source(name="folders", split="train", smallest=16, **options)
    with pytest.raises(ValueError, match=r"source.split must be one of \['train'\], got 'val'"):
        make_source(name="folders", split="val", smallest=1, **options)
    with pytest.raises(ValueError, match=r"variant must be one of \['all'\], got 'some'"):
        make_source(name="folders/some", split="train", smallest=1, **options)
    save(tmp_path / "pairs" / "blur" / "a.png", value=3)
    prepare_pairs(tmp_path / "pairs")
    with pytest.raises(ValueError, match="folders is prepared more than once; keep one of"):
        make_source(name="folders", split="train", smallest=1, **options)
