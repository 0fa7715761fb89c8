"""The experiments read the right files, simulate the right blur, and record the right means."""

import importlib
import json
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from experiments import shared


FOLDER = Path(__file__).parents[1] / "experiments"
EXPERIMENTS = sorted(path.parent.name for path in FOLDER.glob("*/run.py"))


def experiment(name):
    return importlib.import_module(f"experiments.{name}.run")


def write(path, size=(40, 36)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_pairs_are_found_in_folders_beside_each_other_and_by_number(tmp_path):
    module = experiment("real_benchmarks")
    for blurry, sharp in (
        ("a/blur/x.png", "a/sharp/x.jpg"),
        ("b/y.png", "b/y_gt.png"),
        ("c/blurred/Blurry1_3.png", "c/sharp/GroundTruth1.jpg"),
    ):
        files = write(tmp_path / blurry), write(tmp_path / sharp)
        (pair,) = module.find_pairs("gopro", tmp_path / blurry.split("/")[0], None)
        assert (pair.blurry, *pair.sharp) == files


def test_an_unpacked_benchmark_is_read_and_a_missing_one_is_explained(tmp_path):
    module = experiment("real_benchmarks")
    write(tmp_path / "Blurry1_1.png")
    frames = [write(tmp_path / f"Image1/Kernel1/GroundTruth1_1_{n}.png") for n in (1, 2, 10)]
    (pair,) = module.find_pairs("kohler", tmp_path, None)
    assert pair.sharp == frames
    for name in ("kohler", "gopro", "dvd", "realblur"):
        with pytest.raises(FileNotFoundError, match="no files of .*; download them from .* and"):
            module.find_pairs(name, tmp_path / "nothing", None)


def test_the_first_frame_of_each_dvd_video_is_left_out(tmp_path):
    for number in (1, 2, 3):
        for place in ("input", "GT"):
            write(tmp_path / f"quantitative_datasets/IMG_0030/{place}/{number:05}.jpg")
    pairs = experiment("real_benchmarks").find_pairs("dvd", tmp_path, None)
    assert [pair.name for pair in pairs] == ["IMG_0030/00002", "IMG_0030/00003"]


def test_koehler_without_the_large_shakes_leaves_out_eight_to_eleven():
    rows = [{"name": f"Blurry1_{n}", "translation/psnr": float(n)} for n in (7, 8, 11, 12)]
    means = experiment("real_benchmarks").means(rows, "kohler")
    assert means == {"translation/psnr": 9.5, "translation/psnr_without_8_to_11": 9.5}
    assert "translation/psnr_without_8_to_11" not in experiment("real_benchmarks").means(
        rows, "gopro"
    )


def test_blur_detection_takes_even_numbers_and_explains_a_missing_cuhk(tmp_path):
    module = experiment("blur_detection")
    for number in (1, 2):
        write(tmp_path / f"image/motion000{number}.jpg")
        mask = np.zeros((36, 40), np.uint8)
        mask[:, 10:] = 255
        (tmp_path / "gt").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / f"gt/motion000{number}.png")
    for blurred, share in (("white", 0.75), ("black", 0.25)):
        options = Namespace(images=tmp_path, limit=0, blurred=blurred)
        ((name, blurry, truth),) = module.cuhk(options)
        assert name == "motion0002"
        assert blurry.shape == (36, 40, 3)
        assert truth.mean() == share
    with pytest.raises(FileNotFoundError, match="no files of Cuhk; download them from"):
        next(module.cuhk(Namespace(images=tmp_path / "nothing", limit=0, blurred="white")))


@pytest.mark.slow  # compiles
def test_the_mask_of_a_simulated_photo_marks_its_blurred_pixels(tmp_path):
    write(tmp_path / "photo.png", (96, 80))
    options = Namespace(images=tmp_path, limit=1, side=9, seed=0)
    ((_, blurry, truth),) = experiment("blur_detection").simulated(options)
    blurry, truth = np.asarray(blurry), np.asarray(truth)
    sharp = np.asarray(Image.open(tmp_path / "photo.png"))[4:-4, 4:-4] / 255
    error = np.abs(blurry - sharp).mean(-1)
    assert error[truth].mean() > 4 * error[~truth].mean()


@pytest.mark.slow  # compiles
def test_motion_flow_transposes_upright_photos_and_crops_half_the_limit(tmp_path):
    module = experiment("motion_flow")
    write(tmp_path / "photo.png", (104, 140))
    options = Namespace(images=tmp_path, limit=5, seed=0, flows_per_photo=2)
    made = list(module.examples(module.choose_photos(options), "mild", options))
    assert [example["blurry"].shape for example in made] == 2 * [(104 - 16, 140 - 16, 3)]
    for example in made:
        flow = np.asarray(example["flow"])
        assert np.array_equal(flow, np.round(flow))
        assert 0 <= flow[..., 0].min() <= np.abs(flow).max() <= 17
        levels = np.asarray(example["blurry"]) * 255
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
    assert not np.array_equal(made[0]["flow"], made[1]["flow"])


def test_moving_objects_are_found_in_a_flow():
    module = experiment("moving_objects")
    rows, columns = np.mgrid[:60, :80]
    flow = np.stack([2 + 0.02 * columns, 1 - 0.03 * rows], axis=-1)  # of a camera that rotates
    truth = np.zeros((60, 80), bool)
    truth[20:40, 30:55] = True
    flow[truth] += (3.0, -2.0)
    noisy = flow + np.random.default_rng(0).normal(0, 0.2, flow.shape)
    assert module.overlap(module.moving_objects(noisy), truth) > 0.9
    assert module.overlap(truth, truth) == 1
    assert module.overlap(truth, ~truth) == 0


def test_a_scene_without_objects_has_none():
    flow = np.full((40, 50, 2), 3.0)
    assert not experiment("moving_objects").moving_objects(flow).any()


@pytest.mark.slow
def test_levin_restorations_are_shifted_onto_the_sharp_photo():
    module = experiment("solvers")
    rows, columns = np.mgrid[:90, :100].astype(np.float32)
    sharp = (0.5 + 0.4 * np.sin(rows / 5) * np.cos(columns / 7))[..., None]
    moved = (0.5 + 0.4 * np.sin((rows + 1.3) / 5) * np.cos((columns - 2.6) / 7))[..., None]
    scores = module.score(moved, sharp, "levin", 0.0)
    assert scores["psnr"] > 45
    assert module.score(moved, sharp, "mild", 0.0)["psnr"] < 25


def test_means_are_over_the_photos_that_all_solvers_have_restored():
    module = experiment("solvers")
    scores = [{"psnr": x, "ssim": 0.5, "seconds": 1.0} for x in (20.0, 30.0)]
    rows = [
        {"setting": "mild", "photo": "a", "scores": {"blurry": scores[0], "epll": scores[1]}},
        {"setting": "mild", "photo": "b", "scores": {"blurry": scores[1]}},
    ]
    found = module.summary(rows)["mild"]
    assert found["photos"] == 1
    assert found["means"] == {"blurry": scores[0], "epll": scores[1]}
    assert "| epll | 30.00 / 0.500, 1.0 s |" in module.table(rows)


def test_the_gain_of_a_solver_over_epll_is_taken_photo_by_photo():
    rows = [
        {
            "setting": "mild",
            "photo": name,
            "scores": {
                solver: {"psnr": psnr, "ssim": 0.5, "seconds": 1.0}
                for solver, psnr in (("blurry", 20.0), ("epll", epll), ("tv", tv))
            },
        }
        for name, epll, tv in (("a", 25.0, 28.0), ("b", 27.0, 26.0))
    ]
    spread = experiment("solvers").summary(rows)["mild"]["spread"]
    assert spread["tv"]["above_epll"] == {"deviation": 2.0, "least": -1.0, "most": 3.0}
    assert "above_epll" not in spread["epll"]


def test_a_photo_that_is_not_trusted_stays_blurred():
    rows = [
        {"psnr/blurred": 20.0, "psnr/net": psnr, "explained/net": explained}
        for psnr, explained in ((26.0, 0.9), (10.0, 0.4))
    ]
    found = experiment("direct_restoration").summary(rows)
    assert found["psnr/net"] == 18.0
    assert found["psnr_where_trusted/net"] == 23.0
    assert found["spread"]["gain/net"]["least"] == -10.0


def test_a_record_reads_back_and_has_a_line_for_each_row(tmp_path):
    record = {
        "a": {"x": 1.5, "y": [1, 2]},
        "rows": [{"n": n, "s": "b"} for n in range(50)],
        "e": [],
    }
    shared.write_record(tmp_path / "record.json", record)
    text = (tmp_path / "record.json").read_text()
    assert json.loads(text) == record
    assert len(text.splitlines()) == 2 + 1 + 52 + 1


def test_bad_input_ends_a_command_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["run", "--images", str(tmp_path / "no"), "--out", str(tmp_path / "out.json")]
    )
    monkeypatch.delenv("DEBLUR_JAX_TRACEBACK", raising=False)
    with pytest.raises(SystemExit, match=r"^error: .*no: no such folder.*$"):
        shared.run_command(experiment("denoising").main)
    assert not list(tmp_path.iterdir())


def test_the_spread_of_a_figure_is_its_deviation_and_its_extremes():
    found = shared.spread([{"a": 1.0}, {"a": 3.0}])
    assert found == {"a": {"deviation": 1.0, "least": 1.0, "most": 3.0}}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_a_page_and_a_command(name):
    assert (FOLDER / name / "README.md").is_file()
    assert f"python -m experiments.{name}.run" in experiment(name).__doc__
    assert callable(experiment(name).main)


def test_the_index_has_a_line_for_each_question():
    index = (FOLDER / "README.md").read_text()
    for page in FOLDER.glob("*/README.md"):
        assert f"]({page.parent.name}/README.md)" in index


PAGES = sorted([*FOLDER.rglob("*.md"), *FOLDER.glob("*/*.py")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(FOLDER)))
def test_the_commands_of_a_page_have_their_flags_and_its_links_lead_somewhere(page):
    text = page.read_text() if page.suffix == ".md" else page.read_text().split('"""')[1]
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for name, arguments in re.findall(r"python -m (experiments\.[\w.]+)((?:\\\n|[^\n`])*)", text):
        source = FOLDER.parent / (name.replace(".", "/") + ".py")
        known = source.read_text() + (FOLDER / "shared.py").read_text()
        for flag in set(re.findall(r"--[\w-]+", arguments)) - {"--help"}:
            assert f'"{flag}"' in known, f"{name} {flag}"
    assert not re.findall(r"python experiments|tools/(?:bench|measure)", text)


@pytest.mark.slow  # starts a process
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_help_of_an_experiment_is_printed(name):
    command = [sys.executable, "-m", f"experiments.{name}.run", "--help"]
    shown = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("usage:")


def test_verdicts_are_counted_case_by_case():
    module = experiment("verdicts")
    rows = [
        {"case": name, "explained": share, "gain": 1.0} for name in module.CASES
        for share in (0.95, 0.8, 0.2, 0.1)
    ]  # fmt: skip
    found = module.summary(rows)["defocus"]
    assert (found["trusted"], found["without_doubt"]) == (0.5, 0.25)


def test_residuals_that_grow_with_the_blur_have_rank_correlation_one():
    module = experiment("residual_and_blur")
    assert module.rank_correlation([0.1, 5.0, 2.0], [1.0, 100.0, 3.0]) == pytest.approx(1)
    assert np.mean(module.standardised([1.0, 2.0, 6.0])) == pytest.approx(0, abs=1e-3)


def test_frames_of_a_fast_camera_and_pairs_are_found(tmp_path):
    module = shared
    for number in range(7):
        write(tmp_path / "fast" / "video" / f"{number:03}.png")
    for place in ("blur", "sharp"):
        for name in ("one/1.png", "one/2.png", "two/1.png"):
            write(tmp_path / "pairs" / place / name)
    chosen = {"counts": [3], "shrink": 1, "fastest": float("inf"), "limit": 0, "seed": 0}
    fast = Namespace(frames=tmp_path / "fast", pairs=None, table="zhang", **chosen)
    source = module.find_source(fast, flow=True, missing="")
    assert len(source) == 2
    assert set(source[0]) == {"blurry", "sharp", "flow", "backward_flow"}
    pairs = Namespace(pairs=tmp_path / "pairs", frames=None, table="zhang", **chosen)
    videos = experiment("restored_frames").choose(
        module.find_source(pairs, flow=False, missing=""), pairs
    )
    assert videos == [[0, 1], [2]]
    gone = Namespace(pairs=tmp_path / "gone", frames=None, **chosen)
    with pytest.raises(FileNotFoundError, match="gone: no such folder; place them there"):
        module.find_source(gone, flow=False, missing="place them there")


def test_the_error_for_an_empty_folder_names_the_download(tmp_path):
    module = shared
    for place in ("pairs", "frames"):
        folders = {"pairs": None, "frames": None, place: tmp_path}
        chosen = Namespace(counts=[3], shrink=1, fastest=1e9, limit=0, seed=0, **folders)
        with pytest.raises((FileNotFoundError, ValueError), match="download it from https://x.y"):
            module.find_source(chosen, flow=False, missing="download it from https://x.y")
    with pytest.raises(FileNotFoundError, match="tools/prepare.py"):
        next(experiment("blur_to_flow").monkaa(tmp_path, 0, 0))


def test_a_phone_photo_is_stored_rotated_and_its_kept_metadata_are_listed(tmp_path):
    module = experiment("phone_photo")
    path = tmp_path / "phone.jpg"
    module.make_photo(path, Namespace(width=120, height=80, motion=3.0, profile=None))
    with Image.open(path) as image:
        assert image.size == (80, 120)
        assert ImageOps.exif_transpose(image).size == (120, 80)
        upright = np.asarray(ImageOps.exif_transpose(image), np.float32)
    coffee = np.asarray(Image.fromarray(module.data.coffee()).resize((120, 80)), np.float32)
    assert np.abs(upright - coffee).mean() < np.abs(upright[::-1, ::-1] - coffee).mean() / 2
    found = module.kept(path, path)
    assert found["size"] == found["size_of_stored_photo"] == "80x120"
    assert found["place_unchanged"]
    assert found.get("exiftool_changed", []) == []


def test_the_summary_counts_the_photos_that_learned_steps_restore_better():
    rows = [
        {"psnr/learned": 30.0, "psnr/fixed": 29.0, "psnr/long": long, "seconds/long": seconds}
        for long, seconds in ((29.5, 4.0), (31.0, 1.0), (28.0, 2.0))
    ]
    found = experiment("direct_restoration").summary(rows)
    assert (found["better_than/fixed"], found["better_than/long"]) == (3, 2)
    assert found["spread"]["learned_over/long"] == {"deviation": 1.225, "least": -1.0, "most": 2.0}
    assert found["psnr/long"] == 29.5
    assert found["seconds/long"] == 2.0  # the median


def test_the_similarity_of_kernels_ignores_shifts():
    similarity = experiment("kernels").similarity
    kernel = np.zeros((9, 9))
    kernel[3:5, 2:7] = np.arange(1, 11).reshape(2, 5)
    assert similarity(np.roll(kernel, (2, 1), (0, 1)), np.pad(kernel, 4)) == pytest.approx(1)
    delta = np.zeros((5, 5))
    delta[2, 2] = 0.5
    assert similarity(delta, kernel) == pytest.approx(10 / np.sqrt(np.sum(np.arange(11) ** 2)))
    assert similarity(kernel[::-1, ::-1], kernel) < 0.9
