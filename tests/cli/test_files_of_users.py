"""The command on unusual photos: a failure does not stop the batch, and lost metadata are named."""

import io
import os
import stat
import struct
import sys
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from deblur_jax import deblurring
from deblur_jax.cli import deblur as command
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.deblurring import Result
from deblur_jax.io.images import read_photo
from deblur_jax.ops.operators import LineBlur
from tests.io.blocks import HISTORY, block, entries, jpeg


PICTURE = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


@pytest.fixture(autouse=True)
def darker(monkeypatch):
    """Stands in for the restoration, since only files matter here: all becomes half as bright."""

    def half(image, network, **options):
        flow = np.full((*image.shape[:2], 2), 3.0, np.float32)
        return Result(image / 2, LineBlur(flow), np.zeros_like(image), 0.95)

    monkeypatch.setattr(deblurring, "deblur", half)


def odd_files(folder):
    """Write files of the kinds that users report; returns the names of those without a result."""
    deep = PICTURE.astype(np.uint16) * 257
    jpeg(folder / "altitude.jpg", block(place=[(6, 10, 1, struct.pack("<ii", -5, 1))]), PICTURE)
    jpeg(folder / "full.jpg", block(details=[(0x927C, 7, 65400, bytes(65400))]), PICTURE)
    jpeg(folder / "unit.jpg", block([(0x128, 4, 1, struct.pack("<I", 70000))]), PICTURE)
    tifffile.imwrite(folder / "a_first.tif", PICTURE, photometric="rgb", bigtiff=True)
    tifffile.imwrite(folder / "white.tif", deep[..., 0], photometric="miniswhite")
    tifffile.imwrite(folder / "floats.tif", PICTURE.astype(np.float32), photometric="rgb")
    tifffile.imwrite(
        folder / "inks.tif", np.concatenate([deep, deep[..., :1]], -1), photometric="separated"
    )
    (folder / "._photo.jpg").write_bytes(b"\0\5\x16\7" + bytes(200))
    (folder / "empty.png").write_bytes(b"")
    return ["._photo.jpg", "empty.png", "floats.tif", "inks.tif"]


def test_a_batch_gives_a_result_or_one_line_for_each(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    bad = odd_files(photos)
    names = sorted(path.name for path in photos.iterdir())
    arguments = [str(photos / name) for name in names]
    assert deblur([*arguments, "--force", "-o", str(out)]) == 1
    shown = capsys.readouterr()
    results = {path.name for path in out.iterdir()} - {"deblur-record.jsonl"}
    assert results == set(names) - set(bad)
    complaints = [line for line in shown.err.splitlines() if line.startswith("deblur: ")]
    assert [line.split(": ")[1].rsplit("/")[-1] for line in complaints] == sorted(bad)
    assert shown.out.splitlines()[-1].startswith(f"{len(names)} photos: 5 deblurred, 0 left")
    assert deblur([str(photos / "unit.jpg"), "--force", "-o", str(out), "--overwrite"]) == 0
    white = read_photo(out / "white.tif").pixels
    np.testing.assert_allclose(white, (255 - PICTURE[..., :1]) / 510 + 0 * white, atol=1e-4)


@pytest.mark.parametrize("place", ["read_photo", "restore_photo", "write_photo"])
@pytest.mark.parametrize(
    "error",
    [
        TypeError, KeyError, RuntimeError, MemoryError, struct.error, cv2.error, AssertionError,
        ValueError, OSError,
    ],
)  # fmt: skip
def test_any_exception_leaves_the_next_photo_to_be_restored(
    tmp_path, monkeypatch, capsys, place, error
):
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(PICTURE).save(tmp_path / name)
    done = getattr(command, place)

    def fail(path, *arguments, **options):
        if path.name.startswith("a"):
            raise error("odd\nvery odd")
        return done(path, *arguments, **options)

    monkeypatch.setattr(command, place, fail)
    assert deblur([str(tmp_path / name) for name in ("a.png", "b.png", "c.png")]) == 1
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith(f"deblur: {tmp_path}/a.png: ")
    assert "odd" in line
    assert "3 photos: 2 deblurred, 0 left unchanged, 1 failed" in shown.out


def test_a_name_without_a_photo_fails_alone(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "out").mkdir()
    Image.fromarray(PICTURE).save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "._a.png").write_bytes(b"")
    names = [str(tmp_path / "*.webp"), str(tmp_path / "photos"), "-o", str(tmp_path / "out")]
    assert deblur(names) == 1
    shown = capsys.readouterr()
    assert shown.err == f"deblur: {names[0]}: no photo matches this pattern\n"
    assert shown.out.splitlines()[-1] == (
        "1 hidden files and folders in the folders were left out."
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@pytest.mark.parametrize("error", [TypeError, RuntimeError, cv2.error, ValueError, MemoryError])
def test_any_exception_leaves_the_next_video_to_be_restored(tmp_path, monkeypatch, capsys, error):
    class Restores:
        restored = True

    def restore(video, output, model):
        if video.name == "a":
            raise error("odd\nvery odd")
        return f"{video}: done"

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(command, "find_network", lambda name: Mock(model=Restores))
    monkeypatch.setattr(command, "deblur_file", restore)
    videos = [str(tmp_path / name) for name in ("a", "b")]
    assert deblur([*videos, "--model", "frames"]) == 1
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith(f"deblur: {tmp_path}/a: ")
    assert "odd very odd" in line
    assert shown.out == f"{tmp_path}/b: done\n"


def test_lost_metadata_are_named_before_the_work(tmp_path, monkeypatch, capsys):
    said = []

    def look(image, network, **options):
        said.append(capsys.readouterr().err)
        raise ValueError("deblur: image was only looked at")

    monkeypatch.setattr(deblurring, "deblur", look)
    rgba = np.concatenate([PICTURE, PICTURE[..., :1]], -1)
    Image.fromarray(rgba).save(tmp_path / "a.png", exif=b"Exif\0\0" + block([(271, 2, 2, b"m\0")]))
    assert deblur([str(tmp_path / "a.png"), "-o", str(tmp_path / "a.bmp")]) == 1
    assert said[0].splitlines()[0] == (f"{tmp_path}/a.png: left out of a.bmp: transparency, EXIF.")


def test_a_full_block_makes_room_for_the_history(tmp_path, capsys):
    jpeg(tmp_path / "a.jpg", block(details=[(0x927C, 7, 65400, bytes(65400))]), PICTURE)
    assert deblur([str(tmp_path / "a.jpg")]) == 0
    assert "a.jpg: left out of a-deblurred.jpg: MakerNote." in capsys.readouterr().err
    exif = read_photo(tmp_path / "a-deblurred.jpg").exif
    assert b"motion blur removed" in entries(exif[6:])["first", HISTORY][2]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("name", [b"caf\xe9.png", "é 雪.png".encode(), b"plain.png"])
@pytest.mark.parametrize("report", [False, True])
def test_file_names_in_any_encoding_work_on_a_strict_terminal(
    tmp_path, monkeypatch, encoding, name, report
):
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118  pathlib has no bytes
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, "PNG")
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(buffer.getvalue())
    for stream in ("stdout", "stderr"):
        wrapper = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        monkeypatch.setattr(sys, stream, wrapper)
    more = ["--report", str(tmp_path / "report")] if report else []
    assert deblur([os.fsdecode(path), *more]) == 0
    assert deblur([os.fsdecode(path) + "x"]) == 1  # standard error takes it, too
    sys.stdout.flush()
    sys.stderr.flush()
    assert b"-deblurred.png: motion of" in sys.stdout.buffer.getvalue()
    assert b"no such file" in sys.stderr.buffer.getvalue()
    assert os.path.exists(path.replace(b".png", b"-deblurred.png"))  # noqa: PTH110


@pytest.mark.parametrize("length", [238, 245, 255])
def test_a_long_name_works_in_a_folder_and_is_refused_beside_the_photo(tmp_path, capsys, length):
    photo, out = tmp_path / f"{'x' * (length - 4)}.png", tmp_path / "out"
    out.mkdir()
    Image.fromarray(PICTURE).save(photo)
    assert deblur([str(photo), "-o", str(out), "--report", str(tmp_path / "reports")]) == 0
    assert [path.name for path in out.iterdir()] == [photo.name]
    (report,) = (tmp_path / "reports").iterdir()
    assert report.name.endswith("-report.png")
    too_long = length + len("-deblurred") > 255
    assert deblur([str(photo)]) == too_long
    told = "-deblurred.png: cannot be written (File name too long); choose another place"
    assert (told in capsys.readouterr().err) == too_long


def test_overwriting_keeps_the_mode_and_the_link(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    assert deblur([str(tmp_path / "a.png"), "-o", str(link), "--overwrite"]) == 0
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    np.testing.assert_allclose(read_photo(real).pixels, PICTURE / 510, atol=0.003)


def test_light_follows_the_colour_chunks_of_a_png(tmp_path, monkeypatch):
    seen = []

    def look(image, network, *, transfer, **options):
        seen.append(transfer)
        raise ValueError("deblur: image was only looked at")

    monkeypatch.setattr(deblurring, "deblur", look)
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100_000))
    Image.fromarray(PICTURE).save(tmp_path / "linear.png", pnginfo=info)
    assert deblur([str(tmp_path / "linear.png")]) == 1
    assert seen == [1.0]
