"""Each data set in its original layout, in miniature: prepared, read back and compared."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from scipy.io import savemat

from deblur_jax.data.builders.prepared import PreparedSource
from deblur_jax.data.builders.registry import BUILDERS, prepare
from deblur_jax.data.pairs import folder_pairs
from deblur_jax.data.pipeline import training_batches
from deblur_jax.io.flow import write_flow
from deblur_jax.io.images import read_rgb


tfds.disable_progress_bar()

REALBLUR = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"


class Tree:
    """Write files with random pixels into a folder, and remembers the pixels."""

    def __init__(self, root):
        self.root, self.rng, self.pixels = root, np.random.default_rng(0), {}

    def path(self, name):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def image(self, name, size=(6, 8), **options):
        pixels = self.rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(self.path(name), **options)
        self.pixels[name] = read_rgb(self.path(name))

    def flow(self, name, size=(6, 8), fastest=0.0):
        flow = self.rng.normal(size=(*size, 3)).astype("<f4")
        flow[0, 0, :2] += 0.6 * fastest, -0.8 * fastest
        header = f"PF\n{size[1]} {size[0]}\n-1\n".encode()
        self.path(name).write_bytes(header + flow.tobytes())
        self.pixels[name] = flow[::-1, :, :2]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "files")


def read(tree, name, split, **options):
    folder = prepare(name, tree.root, tree.root.parent / "records", **options)
    source = PreparedSource(folder, split)
    return {source.name(i): source[i] for i in range(len(source))}


def assert_examples(tree, found, expected):
    """Compares all examples of a split with the files that they were made of."""
    assert found.keys() == expected.keys()
    for name, files in expected.items():
        assert found[name].keys() == files.keys()
        for field, file in files.items():
            truth = tree.pixels[file] if isinstance(file, str) else file
            np.testing.assert_array_equal(found[name][field], truth)


def pair(blurry, sharp):
    return {"blurry": blurry, "sharp": sharp}


def test_gopro_has_two_kinds_of_blur(tree):
    for split, video in (("train", "GOPR0372_07_00"), ("test", "GOPR0384_11_00")):
        for kind in ("blur", "blur_gamma", "sharp"):
            tree.image(f"{split}/{video}/{kind}/000047.png")
    for kind in ("blur", "blur_gamma"):
        place = "test/GOPR0384_11_00"
        expected = pair(f"{place}/{kind}/000047.png", f"{place}/sharp/000047.png")
        found = read(tree, "gopro", "test", variant=kind)
        assert_examples(tree, found, {"GOPR0384_11_00/000047": expected})
    assert read(tree, "gopro", "train").keys() == {"GOPR0372_07_00/000047"}


def test_reds_is_read_without_its_test_set(tree):
    for split in ("train", "val"):
        for kind in ("blur", "sharp"):
            tree.image(f"{split}/{split}_{kind}/000/00000000.png")
            tree.image(f"{split}/{split}_{kind}/001/00000099.png")
    tree.image("test/test_blur/000/00000000.png")
    expected = {
        f"{name}": pair(f"val/val_blur/{name}.png", f"val/val_sharp/{name}.png")
        for name in ("000/00000000", "001/00000099")
    }
    assert_examples(tree, read(tree, "reds", "val"), expected)
    assert len(read(tree, "reds", "train")) == 2


def test_dvd_is_split_by_videos(tree):
    for video in ("IMG_0001", "IMG_0003"):
        for kind in ("input", "GT"):
            tree.image(f"quantitative_datasets/{video}/{kind}/00000.jpg", quality=90)
    for split, video in (("train", "IMG_0001"), ("test", "IMG_0003")):
        place = f"quantitative_datasets/{video}"
        expected = pair(f"{place}/input/00000.jpg", f"{place}/GT/00000.jpg")
        assert_examples(tree, read(tree, "dvd", split), {f"{video}/00000": expected})


def test_realblur_is_split_by_its_lists(tree):
    for scene, split in (("scene001", "train"), ("scene002", "test")):
        tree.image(f"{REALBLUR}/{scene}/gt/gt_1.png")
        tree.image(f"{REALBLUR}/{scene}/blur/blur_1.png")
        line = f"{REALBLUR}/{scene}/gt/gt_1.png {REALBLUR}/{scene}/blur/blur_1.png \n"
        tree.path(f"RealBlur_J_{split}_list.txt").write_text(line)
    place = f"{REALBLUR}/scene002"
    expected = pair(f"{place}/blur/blur_1.png", f"{place}/gt/gt_1.png")
    assert_examples(tree, read(tree, "realblur", "test"), {"scene002/blur_1": expected})
    with pytest.raises(FileNotFoundError, match="no files of RealBlur"):
        read(tree, "realblur", "test", variant="R")


@pytest.mark.parametrize("folder", ["", "BlurryImages/"])
def test_kohler_gives_the_middle_of_the_path_or_all_of_it(tree, folder):
    tree.image(f"{folder}Blurry1_10.png")
    frames = [f"Image1/Kernel10/GroundTruth1_10_{number}.png" for number in range(1, 12)]
    for frame in frames:
        tree.image(frame)
    blurry = f"{folder}Blurry1_10.png"
    found = read(tree, "kohler", "test")
    assert_examples(tree, found, {"Blurry1_10": pair(blurry, frames[5])})
    found = read(tree, "kohler", "test", variant="all")
    every = np.stack([tree.pixels[frame] for frame in frames])
    assert_examples(tree, found, {"Blurry1_10": {"blurry": blurry, "frames": every}})


def test_cuhk_gives_masks_of_black_and_white(tree):
    mask = np.zeros((6, 8), np.uint8)
    mask[:, 3:] = 255
    for name in ("motion0001", "out_of_focus0001"):
        tree.image(f"image/{name}.jpg")
        tree.path(f"gt/{name}.png")
        Image.fromarray(mask).save(tree.root / f"gt/{name}.png")
    expected = {"blurry": "image/motion0001.jpg", "mask": mask[..., None]}
    assert_examples(tree, read(tree, "cuhk", "motion"), {"motion0001": expected})
    assert read(tree, "cuhk", "out_of_focus").keys() == {"out_of_focus0001"}


def save_segmentations(path, segmentations):
    cells = np.empty((1, len(segmentations)), object)
    for index, labels in enumerate(segmentations):
        cells[0, index] = {"Segmentation": labels, "Boundaries": labels % 2}
    savemat(path, {"groundTruth": cells})


def test_bsds_gives_all_annotators_segments(tree):
    rng = np.random.default_rng(1)
    truths = {}
    for split, name in (("train", "100"), ("val", "200"), ("test", "300")):
        tree.image(f"images/{split}/{name}.jpg")
        truths[split] = rng.integers(1, 600, (4, 6, 8)).astype(np.uint16)
        path = tree.path(f"groundTruth/{split}/{name}.mat")
        save_segmentations(path, truths[split])
    tree.path("images/train/Thumbs.db").write_text("not a photo")
    for split, name in (("train", "100"), ("val", "200"), ("test", "300")):
        expected = {"sharp": f"images/{split}/{name}.jpg", "segmentations": truths[split]}
        assert_examples(tree, read(tree, "bsds", split), {name: expected})
    found = read(tree, "bsds", "test", variant="photos")
    assert_examples(tree, found, {"300": {"sharp": "images/test/300.jpg"}})


def test_a_segmentation_of_another_size_or_kind_is_named(tree):
    for name in ("a", "b", "c", "good"):
        tree.image(f"images/train/{name}.jpg")
    tree.path("groundTruth/train/a.mat")
    place = tree.root / "groundTruth" / "train"
    save_segmentations(place / "a.mat", np.ones((2, 5, 8), np.uint16))
    savemat(place / "b.mat", {"other": 1})
    save_segmentations(place / "good.mat", np.ones((2, 6, 8), np.uint16))
    with pytest.raises(ValueError, match="these files cannot be used") as caught:
        read(tree, "bsds", "train")
    message = str(caught.value)
    assert f"{place}/a.mat: 8x5 pixels, expected 8x6 pixels as in" in message
    assert f"{place}/b.mat: expected groundTruth{{i}}.Segmentation of one size" in message
    photo = tree.root / "images" / "train" / "c.jpg"
    assert f"{photo}: no segments found in the layout 'bsds'" in message
    assert "good" not in message


@pytest.mark.parametrize("images", ["images", "images/ADE"])
def test_ade_separates_objects_by_kind_and_number(tree, images):
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[:, 2:4] = (10, 5, 0)
    colours[:, 4:6] = (10, 5, 1)
    colours[:, 6:] = (0, 7, 1)
    segments = np.repeat([[0, 2, 3, 1]], 2, axis=1) * np.ones((6, 1), int)
    for split, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        place = f"{images}/{split}/a/abbey"
        tree.image(f"{place}/{name}.jpg")
        Image.fromarray(colours).save(tree.root / f"{place}/{name}_seg.png")
        Image.fromarray(colours).save(tree.root / f"{place}/{name}_parts_1.png")
        Image.fromarray(colours[..., 0]).save(tree.path(f"{place}/{name}/instance_000_{name}.png"))
    for split, name in (("train", "ADE_train_00000001"), ("val", "ADE_val_00000001")):
        folder = {"train": "training", "val": "validation"}[split]
        expected = {"sharp": f"{images}/{folder}/a/abbey/{name}.jpg", "segments": segments}
        assert_examples(tree, read(tree, "ade", split), {name: expected})


def test_monkaa_gives_frames_in_a_row_and_the_flow_both_ways(tree):
    for number in range(3):
        tree.image(f"frames_cleanpass/a_rain_of_stones_x2/left/{number:04}.png")
        for way, folder in (("Future", "into_future"), ("Past", "into_past")):
            place = f"optical_flow/a_rain_of_stones_x2/{folder}/left"
            tree.flow(f"{place}/OpticalFlowInto{way}_{number:04}_L.pfm")
    frames = "frames_cleanpass/a_rain_of_stones_x2/left"
    flows = "optical_flow/a_rain_of_stones_x2"
    expected = {
        f"a_rain_of_stones_x2/{number:04}": {
            "sharp": f"{frames}/{number:04}.png",
            "next_sharp": f"{frames}/{number + 1:04}.png",
            "flow": f"{flows}/into_future/left/OpticalFlowIntoFuture_{number:04}_L.pfm",
            "backward_flow": f"{flows}/into_past/left/OpticalFlowIntoPast_{number + 1:04}_L.pfm",
        }
        for number in range(2)
    }
    assert_examples(tree, read(tree, "monkaa", "train"), expected)


def test_monkaa_leaves_out_frames_in_which_a_pixel_moves_more_than_a_hundred(tree):
    for number, fastest in enumerate((0, 95, 105, 0)):
        tree.image(f"frames_cleanpass/rain/left/{number:04}.png")
        place = "optical_flow/rain"
        tree.flow(f"{place}/into_future/left/OpticalFlowIntoFuture_{number:04}_L.pfm",
                  fastest=fastest)  # fmt: skip
        tree.flow(f"{place}/into_past/left/OpticalFlowIntoPast_{number:04}_L.pfm")
    assert sorted(read(tree, "monkaa", "train")) == ["rain/0000", "rain/0001"]


def test_nfs_gives_runs_of_frames(tree):
    names = [f"airboard_1/240/airboard_1/{number:05}.jpg" for number in range(1, 17)]
    for name in names:
        tree.image(name)
    tree.image("airboard_1/30/airboard_1/00001.jpg")
    tree.path("airboard_1/240/airboard_1.txt").write_text("boxes")
    runs = [np.stack([tree.pixels[name] for name in names[start : start + 7]]) for start in (0, 7)]
    expected = {"airboard_1/00001": {"frames": runs[0]}, "airboard_1/00008": {"frames": runs[1]}}
    assert_examples(tree, read(tree, "nfs", "train"), expected)


@pytest.mark.parametrize("place", ["", "train/"])
def test_any_folders_of_pairs_are_read_with_flow_and_kernels(tree, place):
    for kind in ("blur", "sharp"):
        tree.image(f"{place}{kind}/video/a.png")
    flow = np.ones((6, 8, 2), np.float32)
    write_flow(tree.path(f"{place}flow/video/a.flo"), flow)
    kernels = np.random.default_rng(0).random((2, 3, 3), np.float32)
    np.save(tree.path(f"{place}kernels/video/a.npy"), kernels)
    expected = pair(f"{place}blur/video/a.png", f"{place}sharp/video/a.png")
    expected |= {"flow": flow, "kernels": kernels}
    assert_examples(tree, read(tree, "folders", "train"), {"video/a": expected})


def bad_gopro(tree):
    place = "train/GOPR0001_00_00"
    for number in range(5):
        for kind in ("blur", "sharp"):
            tree.image(f"{place}/{kind}/{number:06}.png")
    place = tree.root / place
    tree.image("train/GOPR0001_00_00/sharp/000000.png", size=(8, 6))
    (place / "sharp" / "000001.png").unlink()
    (place / "blur" / "000002.png").unlink()
    whole = (place / "blur" / "000003.png").read_bytes()
    (place / "blur" / "000003.png").write_bytes(whole[: len(whole) // 2])
    return [
        f"{place}/sharp/000000.png: 6x8 pixels, expected 8x6 pixels as in {place}/blur/000000.png",
        f"{place}/sharp/000001.png: no such file",
        f"{place}/blur/000002.png: no such file",
        f"{place}/blur/000003.png: the image is cut short or damaged",
    ]


def test_preparing_stops_with_the_whole_list_and_leaves_nothing(tree):
    problems = bad_gopro(tree)
    with pytest.raises(ValueError, match="these files cannot be used; fix or remove") as caught:
        read(tree, "gopro", "train")
    for problem in problems:
        assert problem in str(caught.value)
    assert not list((tree.root.parent / "records").rglob("*.array_record*"))


def test_preparing_skips_with_a_count_that_is_kept(tree, capsys):
    problems = bad_gopro(tree)
    found = read(tree, "gopro", "train", on_bad="skip")
    assert found.keys() == {"GOPR0001_00_00/000004"}
    assert "4 files skipped, 1 used:" in capsys.readouterr().err
    folder = prepare("gopro", tree.root, tree.root.parent / "records", on_bad="skip")
    skipped = PreparedSource(folder, "train").skipped
    assert len(skipped) == 4
    for line, problem in zip(skipped, problems, strict=True):
        assert line.startswith(problem)


def test_a_split_of_which_nothing_is_left_is_left_out_when_skipping(tree):
    for split in ("train", "test"):
        for kind in ("blur", "sharp"):
            tree.image(f"{split}/GOPR0001_00_00/{kind}/000000.png")
    (tree.root / "test/GOPR0001_00_00/sharp/000000.png").unlink()
    assert len(read(tree, "gopro", "train", on_bad="skip")) == 1
    (tree.root / "train/GOPR0001_00_00/sharp/000000.png").unlink()
    with pytest.raises(ValueError, match="these files cannot be used"):
        read(tree, "gopro", "train", on_bad="skip")


def test_changed_files_are_prepared_anew(tree):
    for kind in ("blur", "sharp"):
        tree.image(f"{kind}/a.png")
    before = read(tree, "folders", "train")
    for kind in ("blur", "sharp"):
        tree.image(f"{kind}/b.png")
    assert before.keys() == {"a"}
    assert read(tree, "folders", "train").keys() == {"a", "b"}


def test_a_turned_photo_is_stored_upright(tree):
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("blur", "sharp"):
        tree.image(f"{kind}/a.jpg", exif=exif, quality=95)
    found = read(tree, "folders", "train")["a"]["blurry"]
    assert found.shape == (8, 6, 3)
    np.testing.assert_array_equal(found, tree.pixels["blur/a.jpg"])


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_prepared_data_set_gives_the_batches_of_its_folders(tree, workers):
    for kind in ("blur", "sharp"):
        tree.image(f"{kind}/a.png", size=(9, 12))
    prepared = PreparedSource(prepare("folders", tree.root, tree.root.parent / "records"), "train")
    options = {"seed": 1, "crop": 6, "largest_scale": 1, "batch_size": 2, "workers": workers}
    one, other = (
        next(training_batches(source, **options)) for source in (prepared, folder_pairs(tree.root))
    )
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_the_error_for_missing_files_says_where_to_get_and_put_them(name, tmp_path):
    builder = BUILDERS[name]
    with pytest.raises(FileNotFoundError) as caught:
        prepare(name, tmp_path / "nothing", tmp_path / "records")
    message = str(caught.value)
    assert f"{tmp_path}/nothing: no files of {builder.__name__}; download them from" in message
    assert builder.HOME in message
    assert f"and place {builder.LAYOUT}" in message
    assert "\n" not in message


def test_errors_for_unknown_options_list_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"name must be one of \['ade', 'bsds'.*got 'hide'"):
        prepare("hide", tmp_path, tmp_path)
    with pytest.raises(ValueError, match=r"variant must be one of \['blur', 'blur_gamma'\]"):
        prepare("gopro", tmp_path, tmp_path, variant="gamma")
    with pytest.raises(ValueError, match=r"on_bad must be one of \['skip', 'stop'\], got 'no'"):
        prepare("gopro", tmp_path, tmp_path, on_bad="no")


def test_neither_preparing_nor_reading_loads_tensorflow(tree):
    for kind in ("blur", "sharp"):
        tree.image(f"{kind}/a.png")
    code = """
import sys
from deblur_jax.data.builders.registry import prepare
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
prepare("folders", sys.argv[1], sys.argv[2])
place = dict(folder=sys.argv[2], split="train", smallest=2)
options = dict(seed=0, crop=4, largest_scale=1, batch_size=2, workers=0)
batch = next(training_batches(make_source(name="folders", **place), **options))
print(batch["sharp"].shape, "tensorflow" in sys.modules)
"""
    command = [sys.executable, "-c", code, str(tree.root), str(tree.root.parent / "records")]
    root = Path(__file__).parents[3]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=root
    )
    assert shown.stdout.splitlines()[-1:] == ["(2, 4, 4, 3) False"], shown.stderr


def test_the_command_prepares_and_lists_data_sets_and_names_missing_files(tree, capsys):
    spec = importlib.util.spec_from_file_location(
        "prepare", Path(__file__).parents[3] / "tools" / "prepare.py"
    )
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    for kind in ("blur", "sharp"):
        tree.image(f"{kind}/a.png")
    places = ["--source", str(tree.root), "--data-dir", str(tree.root.parent / "records")]
    assert command.main(["folders", *places]) == 0
    assert "train: 1 examples" in capsys.readouterr().out
    assert command.main(["gopro", *places]) == 1
    assert "no files of GoPro; download them from" in capsys.readouterr().err
    assert command.main(["--list"]) == 0
    assert all(name in capsys.readouterr().out for name in sorted(BUILDERS)[:1])
