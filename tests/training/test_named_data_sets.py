"""Every prepared data set can be named from a config, on the command line."""

import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.builders.registry import BUILDERS, prepare
from deblur_jax.io.flow import write_flow
from deblur_jax.training.records import read_evaluations
from tests.data.builders.test_builders import REALBLUR, Tree, save_segmentations


SIZE = (24, 28)


def save_pairs(tree, *places):
    for place in places:
        for kind in ("blur", "sharp"):
            tree.image(f"{place}{kind}/000.png", SIZE)


def save_gopro(tree):
    save_pairs(tree, "train/GOPR0372_07_00/", "test/GOPR0384_11_00/")


def save_reds(tree):
    for split in ("train", "val"):
        for kind in ("blur", "sharp"):
            tree.image(f"{split}/{split}_{kind}/000/00000000.png", SIZE)


def save_dvd(tree):
    for video in ("IMG_0001", "IMG_0003"):
        for kind in ("input", "GT"):
            tree.image(f"quantitative_datasets/{video}/{kind}/00000.jpg", SIZE)


def save_realblur(tree):
    for scene, split in (("scene001", "train"), ("scene002", "test")):
        names = [f"{REALBLUR}/{scene}/{kind}_1.png" for kind in ("gt/gt", "blur/blur")]
        for name in names:
            tree.image(name, SIZE)
        tree.path(f"RealBlur_J_{split}_list.txt").write_text(" ".join(names) + " \n")


def save_kohler(tree):
    tree.image("Blurry1_10.png", SIZE)
    for number in range(1, 12):
        tree.image(f"Image1/Kernel10/GroundTruth1_10_{number}.png", SIZE)


def save_cuhk(tree):
    for name in ("motion0001", "out_of_focus0001"):
        tree.image(f"image/{name}.jpg", SIZE)
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(tree.path(f"gt/{name}.png"))


def save_bsds(tree):
    for split, name in (("train", "100"), ("val", "200"), ("test", "300")):
        tree.image(f"images/{split}/{name}.jpg", SIZE)
        labels = np.ones((2, *SIZE), np.uint16)
        save_segmentations(tree.path(f"groundTruth/{split}/{name}.mat"), labels)


def save_ade(tree):
    for split, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        tree.image(f"images/{split}/a/abbey/{name}.jpg", SIZE)
        tree.image(f"images/{split}/a/abbey/{name}_seg.png", SIZE)


def save_monkaa(tree):
    for number in range(3):
        tree.image(f"frames_cleanpass/rain_x2/left/{number:04}.png", SIZE)
        for way, folder in (("Future", "into_future"), ("Past", "into_past")):
            place = f"optical_flow/rain_x2/{folder}/left"
            tree.flow(f"{place}/OpticalFlowInto{way}_{number:04}_L.pfm", SIZE)


def save_nfs(tree):
    for number in range(1, 9):
        tree.image(f"airboard_1/240/airboard_1/{number:05}.jpg", SIZE)


def save_folders(tree):
    save_pairs(tree, "")
    write_flow(tree.path("flow/000.flo"), np.ones((*SIZE, 2), np.float32))


SETS = {  # the files in miniature, the split to train on, and the one to evaluate on
    "ade": (save_ade, "train", "val"),
    "bsds": (save_bsds, "train", "val"),
    "cuhk": (save_cuhk, "motion", "out_of_focus"),
    "dvd": (save_dvd, "train", "test"),
    "folders": (save_folders, "train", "train"),
    "gopro": (save_gopro, "train", "test"),
    "kohler": (save_kohler, "test", "test"),
    "monkaa": (save_monkaa, "train", "train"),
    "nfs": (save_nfs, "train", "train"),
    "realblur": (save_realblur, "train", "test"),
    "reds": (save_reds, "train", "val"),
}


def source_flags(name, records, training, evaluation):
    for group, split in (("source", training), ("evaluation_source", evaluation)):
        for field, value in (("name", name), ("folder", records), ("split", split)):
            yield f"--config.{group}.{field}={value}"
        yield f"--config.{group}.smallest=16"


QUICK = ("dvd", "gopro")  # the others train and evaluate in the same way


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in sorted(BUILDERS)
    ],
)
def test_a_run_names_a_prepared_data_set(name, tiny_run, tmp_path):
    save, training, evaluation = SETS[name]
    save(Tree(tmp_path / "files"))
    prepare(name, tmp_path / "files", tmp_path / "records")
    flags = source_flags(name, tmp_path / "records", training, evaluation)
    sizes = ["--config.evaluate.height=16", "--config.evaluate.width=16"]
    status, _, error = tiny_run("--config.steps=1", *sizes, *flags)
    assert (status, error) == (0, "")
    assert 1 in read_evaluations(tmp_path / "run")


def test_a_variant_follows_the_name(tiny_run, tmp_path):
    tree = Tree(tmp_path / "files")
    for split in ("train", "test"):
        for kind in ("blur", "blur_gamma", "sharp"):
            tree.image(f"{split}/video/{kind}/000.png", SIZE)
    prepare("gopro", tmp_path / "files", tmp_path / "records", variant="blur_gamma")
    sizes = ["--config.evaluate.height=16", "--config.evaluate.width=16", "--config.steps=1"]
    flags = source_flags("gopro/blur_gamma", tmp_path / "records", "train", "test")
    assert tiny_run(*sizes, *flags)[0] == 0
    flags = source_flags("gopro/blur", tmp_path / "records", "train", "test")
    assert "gopro, variant blur, is not prepared" in tiny_run(*sizes, *flags, "--config.steps=2")[2]


def test_examples_that_do_not_suit_the_task_are_named(main_command, tmp_path):
    save_cuhk(Tree(tmp_path / "files"))
    prepare("cuhk", tmp_path / "files", tmp_path / "records")
    flags = source_flags("cuhk", tmp_path / "records", "motion", "out_of_focus")
    fields = ["--config.batches.crop=24", "--config.simulate.border=4"]
    _, _, error = main_command(
        "--config", "configs/quickstart.py:smoke", "--workdir", tmp_path / "run", *fields, *flags
    )
    assert "the examples of source.name=cuhk have no 'sharp', which the task estimate_mot" in error
    assert len(error.splitlines()) == 1
