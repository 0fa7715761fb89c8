"""High-speed frames become pairs; neighbouring frames become examples."""

import cv2
import jax
import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.builders.registry import prepare
from deblur_jax.data.neighbours import NeighbourSource
from deblur_jax.data.pairs import folder_pairs
from deblur_jax.data.pipeline import training_batches
from deblur_jax.data.sources import make_source
from deblur_jax.ops.warp import warp_flow
from deblur_jax.simulate.averaging import average_frames
from deblur_jax.simulate.training_sets import make_averaged
from tests.real_data import needs, real_path


GOPRO = real_path("gopro")


warp = jax.jit(warp_flow)


def save_video(folder, offsets, size=32, suffix=".png"):
    """A smooth texture that is at `offsets` pixels to the right, frame by frame."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.random((2 * size, 3 * size, 3)), (0, 0), 2.0)
    texture = np.uint8(255 * (texture - texture.min()) / np.ptp(texture))
    for number, x in enumerate(offsets):
        move = np.array([[1.0, 0.0, x - size / 2], [0.0, 1.0, -size / 2]])
        frame = cv2.warpAffine(texture, move, (size, size), flags=cv2.INTER_CUBIC)
        Image.fromarray(frame).save(folder / f"{number:04}{suffix}", quality=95)


def source(folder, **options):
    defaults = {
        "counts": (3,), "fastest": 1.0, "shrink": 1, "transfer": "linear", "flow": False,
        "smallest": 8, "on_bad": "stop",
    }  # fmt: skip
    return make_source(name="frames", folder=str(folder), **{**defaults, **options})


@pytest.mark.parametrize(("transfer", "shrink"), [("linear", 1), (2.2, 2), ("srgb", 2)])
def test_a_pair_is_what_the_device_averages_of_its_frames(tmp_path, transfer, shrink):
    save_video(tmp_path / "video", [0, 0.4, 0.8, 1.2, 1.6])
    pairs = source(tmp_path, counts=(5,), transfer=transfer, shrink=shrink)
    frames = np.stack([np.asarray(Image.open(path)) for path in pairs.windows[0]])
    size = (32 // shrink, 32 // shrink)
    blurry, sharp = average_frames(frames.astype(np.float32) / 255, transfer=transfer, size=size)
    # Rounded to 8 bits; and with `shrink` each frame is too, before.
    np.testing.assert_allclose(pairs[0]["blurry"], 255 * np.asarray(blurry), atol=1.1)
    np.testing.assert_allclose(pairs[0]["sharp"], 255 * np.asarray(sharp), atol=0.51)
    assert pairs[0]["blurry"].dtype == np.uint8


def test_windows_hold_no_fast_motion_and_do_not_cross_videos(tmp_path, capsys):
    save_video(tmp_path / "a", [0, 0.3, 0.6, 6, 6.3, 6.6, 6.9])
    save_video(tmp_path / "b", [0, 0.3, 0.6, 0.9])
    pairs = source(tmp_path)
    names = [[f"{path.parent.name}{path.stem}" for path in window] for window in pairs.windows]
    assert names == [
        ["a0000", "a0001", "a0002"], ["a0003", "a0004", "a0005"], ["b0000", "b0001", "b0002"],
    ]  # fmt: skip
    assert pairs.name(1) == f"{tmp_path}/a/0004"
    assert "3 windows use 9 of 11 frames" in capsys.readouterr().err
    assert len(source(tmp_path, fastest=float("inf"), counts=(3, 5)).windows) == 2
    with pytest.raises(ValueError, match="of 11 frames can be averaged: no 9 consecutive frames"):
        source(tmp_path, counts=(9,))
    with pytest.raises(ValueError, match="counts must be odd"):
        source(tmp_path, counts=(4,))


def test_the_flow_leads_from_the_first_to_the_last_frame(tmp_path):
    save_video(tmp_path / "video", [0, 0.8, 1.6])
    pair = source(tmp_path, flow=True)[0]
    for name, motion in (("flow", 1.6), ("backward_flow", -1.6)):
        np.testing.assert_allclose(np.median(pair[name], axis=(0, 1)), [motion, 0], atol=0.3)


def test_a_bad_frame_is_named_and_divides_its_video_if_skipped(tmp_path, capsys):
    save_video(tmp_path / "video", [0.0] * 8)
    (tmp_path / "video" / "0003.png").write_text("words")
    Image.fromarray(np.zeros((16, 32, 3), np.uint8)).save(tmp_path / "video" / "0007.png")
    with pytest.raises(ValueError, match="these frames cannot be used; fix or") as caught:
        source(tmp_path)
    assert f"{tmp_path}/video/0003.png: not an image" in str(caught.value)
    assert f"{tmp_path}/video/0007.png: 32x16 pixels, expected 32x32 pixels as in" in str(
        caught.value
    )
    pairs = source(tmp_path, on_bad="skip")
    stems = [[path.stem for path in window] for window in pairs.windows]
    assert stems == [["0000", "0001", "0002"], ["0004", "0005", "0006"]]
    assert "2 frames skipped, 6 used:" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: no frames found; expected files ending in"):
        source(tmp_path / "empty")


@needs("gopro")
def test_real_frames_are_averaged_unless_they_move_too_fast():
    # A third of the size still moves by 1.1 to 1.5 pixels nearly everywhere.
    with pytest.raises(ValueError, match="of 17 frames can be averaged: no 7 consecutive frames"):
        source(GOPRO / "raw240", counts=(7, 9), shrink=3)
    pairs = source(GOPRO / "raw240", counts=(7, 9), shrink=3, fastest=2.5)
    assert [len(window) for window in pairs.windows] == [7, 9]
    assert pairs[0]["blurry"].shape == (240, 426, 3)
    assert pairs[1]["blurry"].std() < pairs[1]["sharp"].std()


def batch_of(source, **options):
    fields = {"seed": 0, "crop": 16, "largest_scale": 1.0, "batch_size": 2, "workers": 0}
    return next(training_batches(source, **{**fields, **options}))


def test_films_of_nfs_become_blur_prepared_or_as_they_lie(tmp_path, key):
    film = tmp_path / "nfs" / "car" / "240" / "car"
    save_video(film, [0.4 * number for number in range(15)], suffix=".jpg")
    prepare("nfs", tmp_path / "nfs", tmp_path / "records")
    options = {"folder": str(tmp_path / "records"), "smallest": 8, "limit": 0}
    runs = make_source(name="nfs", split="train", **options)
    assert len(runs) == 2
    batch = batch_of(runs)
    assert batch["frames"].shape == (2, 7, 16, 16, 3)
    # The device averages what was cut out of all frames at one place.
    averaged = make_averaged(shrink=1, transfer="linear")
    blurry, sharp = (
        np.stack([averaged(key, {"frames": frames})[name] for frames in batch["frames"]])
        for name in ("blurry", "sharp")
    )
    np.testing.assert_allclose(blurry, batch["frames"].mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(sharp, batch["frames"][:, 3])
    # The same films without preparation, and with the filter of fast motion.
    pairs = source(film.parent, counts=(7,))
    assert len(pairs) == 2
    truth = next(runs[index]["frames"] for index in range(2) if runs.name(index) == "car/0000")
    np.testing.assert_array_equal(pairs[0]["blurry"], np.rint(truth.mean(axis=0)))
    np.testing.assert_array_equal(pairs[0]["sharp"], truth[3])


def test_scenes_of_monkaa_become_blur_and_flow(tmp_path):
    root, name = tmp_path / "monkaa", "eating_x2"
    left = root / "frames_cleanpass" / name / "left"
    save_video(left, [0.5 * number for number in range(7)])
    for number in range(7):
        for way, folder, motion in (("Future", "into_future", 0.5), ("Past", "into_past", -0.5)):
            file = f"OpticalFlowInto{way}_{number:04}_L.pfm"
            path = root / "optical_flow" / name / folder / "left" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            flow = np.zeros((32, 32, 3), "<f4")
            flow[..., 0] = motion
            path.write_bytes(b"PF\n32 32\n-1\n" + flow.tobytes())
    prepare("monkaa", root, tmp_path / "records")
    options = {"folder": str(tmp_path / "records"), "smallest": 8, "limit": 0}
    batch = batch_of(make_source(name="monkaa", split="train", **options), batch_size=6)
    assert batch["flow"].shape == (6, 16, 16, 2)
    # Whichever way a crop was turned, its flow turned with it, and the way back is opposite.
    np.testing.assert_allclose(np.linalg.norm(batch["flow"], axis=-1), 0.5, rtol=1e-6)
    np.testing.assert_array_equal(batch["flow"], -batch["backward_flow"])
    for first, second, flow in zip(batch["sharp"], batch["next_sharp"], batch["flow"], strict=True):
        found = np.asarray(warp(second, flow))[2:-2, 2:-2]
        np.testing.assert_allclose(found, first[2:-2, 2:-2], atol=0.04)
    pair = source(left, counts=(7,), flow=True)[0]
    assert pair["blurry"].std() < pair["sharp"].std()
    np.testing.assert_allclose(np.median(pair["flow"], axis=(0, 1)), [3, 0], atol=0.3)


def save_frames(folder, video, numbers, value):
    for kind in ("blur", "sharp"):
        place = folder / kind / video
        place.mkdir(parents=True, exist_ok=True)
        for number in numbers:
            pixels = np.full((9, 12, 3), value + number, np.uint8)
            Image.fromarray(pixels).save(place / f"{number:06}.png")


def test_neighbours_are_frames_of_one_video_with_numbers_in_a_row(tmp_path):
    save_frames(tmp_path, "a", (0, 1, 2, 4, 5), 100)
    save_frames(tmp_path, "b", (3, 6), 200)
    options = {"folder": str(tmp_path), "smallest": 8, "limit": 0, "on_bad": "stop"}
    frames = make_source(name="pairs", neighbours=1, **options)
    values = [
        [int(frames[i][name][0, 0, 0]) for name in ("blurry", "next_blurry")] for i in range(3)
    ]
    assert values == [[100, 101], [101, 102], [104, 105]]
    assert len(frames) == 3
    assert frames[0].keys() == {"blurry", "sharp", "next_blurry", "next_sharp"}
    assert frames.name(0) == f"{tmp_path}/blur/a/000000"
    both = make_source(name="pairs", neighbours=2, **options)
    assert [int(both[i]["previous_blurry"][0, 0, 0]) for i in range(len(both))] == [100]
    with pytest.raises(ValueError, match=r"source.neighbours must be one of \['0', '1', '2'\]"):
        make_source(name="pairs", neighbours=3, **options)


def test_frames_without_neighbours_are_refused(tmp_path):
    save_frames(tmp_path, "a", (0, 2), 100)
    with pytest.raises(ValueError, match="no frame has its neighbours; expected names"):
        NeighbourSource(folder_pairs(tmp_path))


def test_neighbours_of_different_sizes_are_named(tmp_path):
    save_frames(tmp_path, "a", (0, 1), 100)
    for kind in ("blur", "sharp"):
        path = tmp_path / kind / "a" / "000001.png"
        Image.fromarray(np.zeros((12, 9, 3), np.uint8)).save(path)
    frames = NeighbourSource(folder_pairs(tmp_path))
    with pytest.raises(ValueError, match="a/000001: blurry is .12, 9, 3., expected .9, 12, 3."):
        frames[0]
