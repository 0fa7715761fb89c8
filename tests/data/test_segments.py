"""Photos with their objects, from each layout, and every bad file named."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from deblur_jax.data.segmentations import paint_outlines, read_coco
from deblur_jax.data.sources import make_source
from tests.real_data import needs, real_path


BSDS = real_path("bsds500")


def save(path, size=(9, 12), value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*size, 3), value, np.uint8)
    Image.fromarray(pixels).save(path, quality=95)


def source(folder, layout, split, **options):
    defaults = {"smallest": 8, "limit": 0, "on_bad": "stop"}
    return make_source(
        name="segments", folder=str(folder), layout=layout, split=split, **{**defaults, **options}
    )


def save_bsds(folder, name, people, size=(9, 12)):
    save(folder / "images" / "train" / f"{name}.jpg", size)
    cells = np.empty((1, len(people)), object)
    for index, labels in enumerate(people):
        cells[0, index] = {"Segmentation": labels.astype(np.uint16)}
    path = folder / "groundTruth" / "train" / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"groundTruth": cells})


def test_photos_of_bsds_have_the_segments_of_every_annotator(tmp_path):
    people = np.arange(2 * 9 * 12).reshape(2, 9, 12)
    save_bsds(tmp_path, "300", people)
    photos = source(tmp_path, "bsds", "train")
    assert photos.name(0) == "300"
    assert photos[0].keys() == {"sharp", "segmentations"}
    np.testing.assert_array_equal(photos[0]["segmentations"], people)


@needs("bsds500")
def test_real_photos_of_bsds_come_with_their_segments():
    photos = source(BSDS, "bsds", "val", limit=6)
    assert len(photos) == 6
    for index in range(6):
        example = photos[index]
        assert example["segmentations"].shape[1:] == example["sharp"].shape[:2]
        assert 4 <= len(example["segmentations"]) <= 9


def test_objects_of_ade_are_separate_segments(tmp_path):
    place = tmp_path / "images" / "ADE" / "training" / "a" / "abbey"
    save(place / "ADE_train_00000001.jpg")
    colours = np.zeros((9, 12, 3), np.uint8)
    colours[2:5, 3:6] = (10, 7, 1)
    colours[6:8, 3:6] = (10, 7, 2)
    Image.fromarray(colours).save(place / "ADE_train_00000001_seg.png")
    segments = source(tmp_path, "ade", "training")[0]["segments"]
    assert segments[3, 4] == 1
    assert segments[7, 4] == 2
    assert segments.sum() == 9 + 12


def save_coco(folder, annotations, names=("a.jpg",), size=(9, 12)):
    for name in names:
        save(folder / "val" / name, size)
    document = {
        "images": [{"id": 5 + i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [
            {"image_id": 5, "segmentation": outline, **more} for outline, more in annotations
        ],
    }
    path = folder / "annotations" / "instances_val.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def test_coco_polygons_and_runs_are_painted_the_later_over_the_earlier(tmp_path):
    square = [[2, 1, 6, 1, 6, 5, 2, 5]]
    runs = np.zeros((9, 12), np.uint8)
    runs[4:7, 5:10] = 1
    flat = runs.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *changes, flat.size]).tolist()
    crowd = ({"size": [9, 12], "counts": [0, 108]}, {"iscrowd": 1})
    outlines = [(square, {}), ({"size": [9, 12], "counts": counts}, {"iscrowd": 0}), crowd]
    save_coco(tmp_path, outlines, names=("a.jpg", "b.jpg"))
    photos = source(tmp_path, "coco", "val")
    expected = np.zeros((9, 12))
    expected[1:5, 2:6] = 1
    expected[4:7, 5:10] = 2
    np.testing.assert_array_equal(photos[0]["segments"], expected)
    assert not photos[1]["segments"].any()  # a photo without objects is one all the same


def test_runs_that_are_packed_into_a_text_are_unpacked():
    # The text is what pycocotools 2.0 makes of this mask.
    mask = np.zeros((9, 13), np.uint8)
    mask[2:7, 3:9] = 1
    mask[4, 5] = 0
    outline = json.dumps({"size": [9, 13], "counts": "m05400MM0330000R1"}).encode()
    np.testing.assert_array_equal(paint_outlines([outline], 9, 13, Path("a")), mask)


def test_a_slanted_polygon_holds_the_pixels_whose_centres_are_within():
    corners = [1.2, 1.1, 10.3, 2.2, 6.4, 8.0]
    outline = json.dumps([corners]).encode()
    found = paint_outlines([outline], 9, 12, Path("a"))
    shape = np.float32(corners).reshape(-1, 2)
    expected = [
        [cv2.pointPolygonTest(shape, (x + 0.5, y + 0.5), False) > 0 for x in range(12)]
        for y in range(9)
    ]
    np.testing.assert_array_equal(found, expected)


def test_label_images_of_eight_and_sixteen_bits_are_read(tmp_path):
    labels = np.arange(9 * 12).reshape(9, 12)
    for name, dtype, factor in (("a", np.uint8, 1), ("b", np.uint16, 300)):
        save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "segments").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "segments" / f"{name}.png"), (labels * factor).astype(dtype))
    photos = source(tmp_path, "labels", "")
    np.testing.assert_array_equal(photos[0]["segments"], labels)
    np.testing.assert_array_equal(photos[1]["segments"], labels * 300)


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        ({"size": [12, 9], "counts": [0, 108]}, r"object 1 is bad \(size \[12, 9\], exp"),
        ({"size": [9, 12], "counts": [3, 4]}, "runs of 7 pixels, expected 108"),
        ([[1, 2, 3]], r"a.jpg: the outline of object 1 is bad"),
        ("words", r"a.jpg: the outline of object 1 is bad"),
    ],
)
def test_a_bad_outline_is_named(tmp_path, outline, message):
    save_coco(tmp_path, [(outline, {})])
    with pytest.raises(ValueError, match=message):
        source(tmp_path, "coco", "val")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder; give an"):
        source(tmp_path / "nowhere", "bsds", "train")
    with pytest.raises(ValueError, match="no photos of split 'train' in the layout 'bsds'"):
        source(tmp_path, "bsds", "train")
    with pytest.raises(ValueError, match=r"source.layout must be one of \['ade', 'bsds', 'coco'"):
        source(tmp_path, "voc", "train")
    with pytest.raises(FileNotFoundError, match="give the path of COCO's instances"):
        source(tmp_path, "coco", "val")
    (tmp_path / "instances.json").write_text('{"images": [{"id": 1}]}')
    with pytest.raises(ValueError, match="instances.json: not COCO's instances .*copy it again"):
        read_coco(tmp_path / "instances.json")
