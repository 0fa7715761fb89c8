"""The command for photos: metadata, messages and errors."""

import errno
import os
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from deblur_jax import deblurring
from deblur_jax.cli import deblur as command
from deblur_jax.cli import restore_photo
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.report import draw_report
from deblur_jax.deblurring import Result
from deblur_jax.estimate import AUTO
from deblur_jax.io import images
from deblur_jax.io.images import Photo, read_photo, write_photo
from deblur_jax.ops.operators import BasisBlur, LineBlur, UniformBlur, WindowedBlur
from tests.io.profiles import SRGB as SRGB_CURVE
from tests.io.profiles import make_profile, parametric, power


PICTURE = data.chelsea()[:64, :80]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[271] = "a maker"
    Image.fromarray(PICTURE).save(path, exif=exif, quality=95)
    return path


@pytest.fixture
def darker(monkeypatch):
    """Stands in for the restoration where only files matter: everything becomes half as bright."""
    explained = [0.95]

    def half(image, network, *, strength, max_blur, steps, transfer, progress):
        deblurring.check_photo(image, "deblur: image")
        progress(1.0)
        flow = jnp.full((*image.shape[:2], 2), 3.0)
        residual = np.zeros_like(image)
        return Result(image / 2, LineBlur(flow), residual, explained[0], restored=image / 2)

    monkeypatch.setattr(deblurring, "deblur", half)
    return explained


@pytest.mark.parametrize("model", [pytest.param(AUTO, marks=pytest.mark.slow), "motion-context"])
def test_a_photo_is_written_with_a_verdict(photo, model, capsys):
    options = [] if model == AUTO else ["--model", model]  # what is most likely is the default
    report = str(photo.parent / "report")
    assert deblur([str(photo), "--report", report, "--force", *options]) == 0
    shown = capsys.readouterr().out
    words = "the most likely of several blurs" if model == AUTO else ""
    assert f"estimating blur with {model} ({words}" in shown
    assert "the re-blurred result differs from the photo by 0.0" in shown
    with Image.open(photo.with_name("photo-deblurred.jpg")) as result:
        assert result.size == (80, 64)
        assert result.getexif()[271] == "a maker"
        assert f"motion blur removed, model {model}" in result.getexif()[0x000B]
    with Image.open(photo.parent / "report" / "photo.jpg-report.png") as report:
        assert report.width > 4 * 80


@pytest.mark.parametrize(
    ("blur", "words"),
    [
        (UniformBlur(jnp.full((5, 5), 1 / 25)), "one kernel of 5 pixels; "),
        (
            WindowedBlur(jnp.full((2, 3, 5, 5), 1 / 25), jnp.arange(2.0), jnp.arange(3.0)),
            "6 kernels of 5 pixels that vary over the photo; ",
        ),
        (
            BasisBlur(jnp.full((6, 5, 5), 1 / 25), jnp.full((64, 80, 6), 1 / 6)),
            "a mixture of 6 kernels of 5 pixels that varies over the photo; ",
        ),
        (
            LineBlur(jnp.full((64, 80, 2), jnp.asarray([3.0, 4.0]))),
            "motion of 5.0 pixels on average, at most 5.0; ",
        ),
    ],
)
def test_a_blur_is_described_and_drawn(blur, words):
    photo = PICTURE.astype(np.float32) / 255
    result = Result(photo, blur, np.zeros_like(photo), 1.0, likely=0.8)
    described = restore_photo.describe(result)
    assert described.startswith(words)
    assert described.endswith(result.verdict)
    board = draw_report("p.jpg", Photo(photo), result)
    assert board.dtype == np.uint8
    assert board.shape[1] > 4 * 80  # four pictures beside each other


@pytest.mark.usefixtures("darker")
def test_show_opens_a_window_with_the_report(photo, monkeypatch):
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda board: shown.append(board))
    assert deblur([str(photo), "--show"]) == 0
    (board,) = shown
    assert board.width > 4 * 80


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.usefixtures("darker")
def test_depth_transparency_profile_and_turn_are_kept(tmp_path, suffix):
    path, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    bits = 16 if suffix in (".png", ".tif") else 8
    alpha = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (64, 1))
    write_photo(
        path, Photo(PICTURE.astype(np.float32) / 255, alpha, bits=bits, profile=SRGB), quality=100
    )
    before = read_photo(path)
    assert deblur([str(path), "-o", str(output)]) == 0
    after = read_photo(output)
    assert after.bits == bits
    assert after.profile == SRGB
    if suffix != ".jpg":
        np.testing.assert_array_equal(after.alpha, before.alpha)
    np.testing.assert_allclose(after.pixels, before.pixels / 2, atol=0.06)


@pytest.mark.usefixtures("darker")
def test_a_turned_photo_comes_out_upright_once(tmp_path):
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    Image.fromarray(PICTURE).save(tmp_path / "turned.png", exif=exif)
    assert deblur([str(tmp_path / "turned.png")]) == 0
    with Image.open(tmp_path / "turned-deblurred.png") as result:
        assert result.getexif().get(images.ORIENTATION, 1) == 1
        upright = np.rot90(PICTURE, -1)
        np.testing.assert_allclose(np.asarray(result), upright / 2, atol=0.6)


@pytest.mark.usefixtures("darker")
def test_a_folder_with_broken_files_gives_the_others_and_names_each(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    for number in range(27):
        mode = ("RGB", "L", "RGBA", "P", "CMYK", "1")[number % 6]
        suffix = ".jpg" if mode == "CMYK" else ".png"
        Image.fromarray(PICTURE).convert(mode).save(tmp_path / f"{number:02}{suffix}")
    (tmp_path / "words.jpg").write_text("words")
    whole = (tmp_path / "00.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(PICTURE[:9, :9]).save(tmp_path / "dot.png")
    (tmp_path / "notes.txt").write_text("")
    assert deblur([str(tmp_path), "-o", str(out)]) == 1
    shown = capsys.readouterr()
    assert len(list(out.glob("*.[jp][pn]g"))) == 27
    complaints = [line for line in shown.err.splitlines() if line.startswith("deblur: ")]
    assert [line.split(": ")[1].rsplit("/")[-1] for line in complaints] == [
        "cut.png", "dot.png", "words.jpg",
    ]  # fmt: skip
    assert shown.out.splitlines()[-1] == (
        "30 photos: 27 deblurred, 0 left unchanged, 3 failed; 1 other files in the folders were "
        "left out."
    )


@pytest.mark.usefixtures("darker")
def test_a_phone_s_photo_keeps_its_profile_and_exif_but_for_the_turn(tmp_path):
    profile = make_profile(parametric(3, *SRGB_CURVE))  # Display P3
    exif = Image.Exif()
    exif[271], exif[272], exif[images.ORIENTATION], exif[0x011A] = "maker", "phone", 6, 72.0
    exif.get_ifd(0x8769).update(
        {0x829A: 1 / 30, 0x8827: 400, 0x9003: "2026:01:02 03:04:05", 0x927C: bytes(range(99)),
         0xA002: 800, 0xA003: 600, 0xA001: 65535}
    )  # fmt: skip
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 30.0), 3: "E", 4: (11.0, 34.0, 0.5)})
    path, output = tmp_path / "phone.jpg", tmp_path / "out.jpg"
    Image.fromarray(np.tile(PICTURE, (10, 10, 1))[:600, :800]).save(
        path, exif=exif, icc_profile=profile, quality=92
    )
    assert deblur([str(path), "-o", str(output)]) == 0
    with Image.open(path) as before, Image.open(output) as after:
        assert after.size == (600, 800)  # upright
        assert after.info["icc_profile"] == profile
        was, now = before.getexif(), after.getexif()
        assert images.ORIENTATION not in now
        assert now[0x000B].startswith("deblur_jax")
        main = dict(was)
        assert {
            tag: now[tag] for tag in main if tag not in (images.ORIENTATION, 0x8769, 0x8825)
        } == {
            tag: value
            for tag, value in main.items()
            if tag not in (images.ORIENTATION, 0x8769, 0x8825)
        }
        assert now.get_ifd(0x8825) == was.get_ifd(0x8825)
        turned = {0xA002: 600, 0xA003: 800}
        assert now.get_ifd(0x8769) == {**was.get_ifd(0x8769), **turned}


def test_light_is_that_of_the_photo_s_profile(tmp_path, monkeypatch):
    seen = []

    def look(image, network, *, transfer, **options):
        seen.append(transfer)
        raise ValueError("deblur: image was only looked at")

    monkeypatch.setattr(deblurring, "deblur", look)
    for profile in (make_profile(power(1.5)), make_profile(parametric(3, *SRGB_CURVE)), None):
        Image.fromarray(PICTURE).save(tmp_path / "photo.png", icc_profile=profile)
        assert deblur([str(tmp_path / "photo.png")]) == 1
    assert seen == [1.5, "srgb", None]
    assert deblur([str(tmp_path / "photo.png"), "--transfer", "linear"]) == 1
    assert seen[-1] == "linear"


@pytest.mark.parametrize("side", [32, 40])
@pytest.mark.usefixtures("darker")
def test_an_icon_is_deblurred(tmp_path, side):
    Image.fromarray(PICTURE[:side, :side]).save(tmp_path / "icon.png")
    assert deblur([str(tmp_path / "icon.png")]) == 0
    with Image.open(tmp_path / "icon-deblurred.png") as result:
        assert result.size == (side, side)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(deblurring, "deblur", None)
    with tempfile.TemporaryDirectory() as name:  # where somebody else may look, too
        folder = Path(name)
        Image.fromarray(PICTURE).save(folder / "photo.png")
        folder.chmod(0o555)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)  # whom permissions stop
            assert deblur([str(folder / "photo.png")]) == 1
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
        assert [path.name for path in folder.iterdir()] == ["photo.png"]
    assert capsys.readouterr().err == (
        f"deblur: {folder}/photo-deblurred.png: cannot be written (Permission denied); choose "
        "another place\n"
    )


def test_the_remaining_time_is_printed_once_after_a_tenth_of_the_work(monkeypatch):
    said, clock = [], iter([5.0, 125.0, 225.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    tell = restore_photo.forecast(said.append)
    for share in (0.01, 0.1, 0.2):
        tell(share)
    assert said == ["about 18 minutes left"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 seconds"), (119, "119 seconds"), (120, "2 minutes"), (9000, "2 hours")],
)
def test_durations_are_written_in_words(seconds, words):
    assert restore_photo.duration(seconds) == words


def test_a_photo_with_an_untrusted_blur_is_left_unchanged(photo, darker, capsys):
    darker[0] = 0.4
    assert deblur([str(photo)]) == 0
    assert (
        "left unchanged: the estimated blur explains only 40 % of the photo (70 % is required)."
        in (capsys.readouterr().out)
    )
    assert not photo.with_name("photo-deblurred.jpg").exists()
    assert deblur([str(photo), "--force"]) == 0
    assert photo.with_name("photo-deblurred.jpg").exists()


@pytest.mark.usefixtures("darker")
def test_results_are_replaced_only_with_overwrite(photo, tmp_path, capsys):
    output = tmp_path / "out.png"
    output.write_text("mine")
    assert deblur([str(photo), "-o", str(output)]) == 1
    assert "exists already; give --overwrite or another -o" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert deblur([str(photo), "-o", str(output), "--overwrite"]) == 0


def test_ctrl_c_leaves_whole_files_alone(photo, tmp_path, monkeypatch, capsys, darker):
    del darker
    second = tmp_path / "second.png"
    Image.fromarray(PICTURE).save(second)
    written = command.write_photo

    def interrupted(path, *arguments):
        if "second" in path.name:
            raise KeyboardInterrupt
        written(path, *arguments)

    monkeypatch.setattr(command, "write_photo", interrupted)
    assert deblur([str(photo), str(second)]) == 130
    assert capsys.readouterr().err.endswith("deblur: stopped after 1 of 2 photos\n")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["photo-deblurred.jpg", "photo.jpg", "second.png"]


@pytest.mark.usefixtures("darker")
def test_a_full_disk_ends_in_a_one_line_error_without_output(photo, monkeypatch, capsys):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(images.Path, "write_bytes", full)
    assert deblur([str(photo)]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


def bad_text(folder):
    path = folder / "words.jpg"
    path.write_text("words")
    return [path], "words.jpg: not an image that can be read"


def bad_truncated(folder):
    path = folder / "cut.jpg"
    Image.fromarray(data.chelsea()).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    return [path], "cut.jpg: the image is cut short or damaged"


def bad_tiny(folder):
    path = folder / "dot.png"
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(path)
    return [path], "dot.png: must have at least 32 pixels a side, got 1x1"


def bad_moving(folder):
    path = folder / "moving.webp"
    first, second = Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)
    first.save(path, save_all=True, append_images=[second])
    return [path], "moving.webp: holds 2 pictures, expected one"


def bad_output(folder):
    path = folder / "photo.png"
    Image.fromarray(PICTURE).save(path)
    return [path, "-o", folder / "nowhere" / "out.png"], "nowhere: no such folder; make it first"


def bad_ending(folder):
    arguments, _ = bad_output(folder)
    return [arguments[0], "-o", folder / "out.gif"], "the name must end in one of .jpg"


def bad_model(folder):
    arguments, _ = bad_output(folder)
    return [arguments[0], "--model", "best"], "model must be one of"


def bad_device(folder):
    arguments, _ = bad_output(folder)
    return [arguments[0], "--device", "abacus"], "--device abacus: no such device; available: cpu:0"


def missing(folder):
    return [folder / "none.jpg"], "none.jpg: no such file"


@pytest.mark.parametrize(
    "make",
    [
        bad_text, bad_truncated, bad_tiny, bad_moving, bad_output, bad_ending, bad_model,
        bad_device, missing,
    ],
)  # fmt: skip
def test_bad_arguments_end_in_a_one_line_error_without_output(tmp_path, capsys, make):
    arguments, message = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert deblur([str(argument) for argument in arguments]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strength", "2"], "--strength: must be from 0 to 1, got 2"),
        (["--steps", "0"], "--steps: must be from 1 to 1000, got 0"),
        (["--max-blur", "far"], "--max-blur: invalid number value: 'far'"),
    ],
)
def test_a_number_out_of_range_is_refused(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        deblur(["photo.jpg", *arguments])
    assert message in capsys.readouterr().err
