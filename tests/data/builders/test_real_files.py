"""The builders on files of the real data sets, in the layout of their owners."""

import numpy as np
import tensorflow_datasets as tfds

from deblur_jax.data.builders.prepared import PreparedSource
from deblur_jax.data.builders.registry import prepare
from deblur_jax.io.images import read_rgb
from tests.real_data import needs, real_path


tfds.disable_progress_bar()


def link(target, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.resolve())


def read(tmp_path, name, split):
    source = PreparedSource(prepare(name, tmp_path / "files", tmp_path / "records"), split)
    return {source.name(i): source[i] for i in range(len(source))}


@needs("bsds500")
def test_real_photos_and_their_segmentations(tmp_path):
    root, files = real_path("bsds500"), tmp_path / "files"
    names = {
        split: [path.stem for path in sorted((root / "images" / split).glob("*.jpg"))[:4]]
        for split in ("train", "val")
    }
    for split, chosen in names.items():
        for name in chosen:
            for place in (f"images/{split}/{name}.jpg", f"groundTruth/{split}/{name}.mat"):
                link(root / place, files / place)
    found = read(tmp_path, "bsds", "val")
    assert found.keys() == set(names["val"])
    for name, example in found.items():
        np.testing.assert_array_equal(example["sharp"], read_rgb(files / f"images/val/{name}.jpg"))
        segmentations = example["segmentations"]
        assert segmentations.shape[1:] == example["sharp"].shape[:2]
        assert 4 <= len(segmentations) <= 9
        for labels in segmentations:
            assert set(np.unique(labels)) == set(range(1, labels.max() + 1))


@needs("gopro")
def test_real_pairs_of_gopro(tmp_path):
    for blurry in sorted(real_path("gopro/pairs").glob("*avg-8.png")):
        video, frame = blurry.stem.split("_st_frame-")
        place = tmp_path / "files" / "train" / video
        name = f"{int(frame.split('_')[0]):06}.png"
        link(blurry, place / "blur" / name)
        link(blurry.with_name(f"{blurry.stem}_gt.png"), place / "sharp" / name)
    found = read(tmp_path, "gopro", "train")
    assert found.keys() == {"GOPR0384_11_00/000203", "GOPR0477_11_00/000165"}
    for name, example in found.items():
        video, frame = name.split("/")
        for field, folder in (("blurry", "blur"), ("sharp", "sharp")):
            path = tmp_path / "files" / "train" / video / folder / f"{frame}.png"
            np.testing.assert_array_equal(example[field], read_rgb(path))
            assert example[field].shape == (720, 1280, 3)


@needs("kohler")
def test_real_pictures_of_kohler(tmp_path):
    root, files = real_path("kohler"), tmp_path / "files"
    for number in range(1, 5):
        name = f"Blurry1_{number}.png"
        link(root / "blurred" / name, files / "BlurryImages" / name)
        place = files / "Image1" / f"Kernel{number}"
        link(root / "sharp" / "GroundTruth1.jpg", place / f"GroundTruth1_{number}_1.jpg")
    found = read(tmp_path, "kohler", "test")
    assert found.keys() == {f"Blurry1_{number}" for number in range(1, 5)}
    for name, example in found.items():
        truth = read_rgb(root / "blurred" / f"{name}.png")
        np.testing.assert_array_equal(example["blurry"], truth)
        assert example["sharp"].shape == (800, 800, 3)
