"""The command on the files of phones and cameras."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_jax.cli.deblur import main as deblur
from deblur_jax.io.images import PHOTO_SUFFIXES, Photo, read_photo, write_photo
from deblur_jax.io.profile import display_transfer
from tests.cli.stubs import PICTURE, darker, save_grey
from tests.io import containers
from tests.io.blocks import HISTORY, block, entries
from tests.io.profiles import make_profile, power


__all__ = ["darker"]  # a fixture
PIXELS = PICTURE.astype(np.float32) / 255


def test_a_heic_photo_becomes_heic_with_its_metadata(tmp_path, darker):
    pytest.importorskip("pillow_heif", reason="needs the extra heif")
    exif = b"Exif\0\0" + block([(271, 2, 8, b"a maker\0")], [(0x9003, 2, 4, b"now\0")])
    profile = make_profile(power(1.8))
    write_photo(tmp_path / "a.heic", Photo(PIXELS, exif=exif, profile=profile))
    assert deblur([str(tmp_path / "a.heic")]) == 0
    assert darker.transfers == [1.801]
    result = read_photo(tmp_path / "a-deblurred.heic")
    np.testing.assert_allclose(result.pixels, PIXELS / 2, atol=0.06)
    assert result.profile == profile
    found = entries(result.exif[6:])
    assert found["first", 271][2] == b"a maker\0"
    assert found[0x8769, 0x9003][2] == b"now\0"
    assert b"motion blur removed" in found["first", HISTORY][2]


def test_a_raw_photo_becomes_a_deep_tiff_restored_in_light(tmp_path, darker, capsys):
    pytest.importorskip("rawpy", reason="needs the extra raw")
    light = containers.light_of(data.chelsea()[:64, :80])
    containers.dng(tmp_path / "a.dng", light, turn=6)
    assert deblur([str(tmp_path / "a.dng"), "--report", str(tmp_path / "reports")]) == 0
    assert darker.transfers == [1.0]
    result = read_photo(tmp_path / "a-deblurred.tif")
    assert (result.bits, display_transfer(result.profile)) == (16, 1.0)
    before = read_photo(tmp_path / "a.dng").pixels
    assert before.shape == (80, 64, 3)
    np.testing.assert_allclose(result.pixels, before / 2, atol=1e-4)
    with Image.open(tmp_path / "a-deblurred.tif") as image:
        assert image.getexif()[271] == "a maker"
    report = read_photo(tmp_path / "reports" / "a.dng-report.png").pixels
    shown = containers.light_of(np.rint(255 * report[40:60, 10:50]).astype(np.uint8))
    assert np.abs(shown.mean() - before[:, :].mean()) < 0.1  # as bright as a display shows it
    assert capsys.readouterr().err == ""


def test_a_raw_photo_goes_through_a_pipe_as_tiff(tmp_path, darker, monkeypatch):
    pytest.importorskip("rawpy", reason="needs the extra raw")
    containers.dng(tmp_path / "a.dng", containers.light_of(PICTURE))
    darker.dark = 2.0  # left unchanged: developed all the same
    output = io.BytesIO()
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "a.dng").read_bytes()))
    )
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output))
    assert deblur(["-", "-q"]) == 0
    (tmp_path / "out.tif").write_bytes(output.getvalue())
    monkeypatch.undo()
    np.testing.assert_array_equal(
        read_photo(tmp_path / "out.tif").pixels, read_photo(tmp_path / "a.dng").pixels
    )


def test_what_a_phone_adds_to_a_photo_is_named_in_one_line_each(tmp_path, darker, capsys):
    del darker
    containers.ultra_hdr(tmp_path / "hdr.jpg", PICTURE)
    containers.mpo(tmp_path / "stereo.mpo", PICTURE, PICTURE)
    assert deblur([str(tmp_path)]) == 0
    behind = "pictures behind the photo (previews, depth or gain map)"
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/hdr.jpg: left out of hdr-deblurred.jpg: gain map (HDR).",
        f"{tmp_path}/stereo.mpo: left out of stereo-deblurred.jpg: {behind}.",
    ]
    for name in ("hdr", "stereo"):
        with Image.open(tmp_path / f"{name}-deblurred.jpg") as image:
            assert (image.format, getattr(image, "n_frames", 1)) == ("JPEG", 1)


def test_without_the_extras_a_folder_gives_the_other_photos(tmp_path, darker, monkeypatch, capsys):
    del darker
    save_grey(tmp_path / "a.png", 100)
    (tmp_path / "b.heic").write_bytes(containers.boxes([containers.item(1, b"hvc1")]))
    containers.dng(tmp_path / "c.dng", containers.light_of(PICTURE))
    for name in ("pillow_heif", "rawpy"):
        monkeypatch.setitem(sys.modules, name, None)
    assert deblur([str(tmp_path)]) == 1
    shown = capsys.readouterr()
    heic, raw = shown.err.splitlines()
    assert heic.startswith(f"deblur: {tmp_path}/b.heic: is HEIC, which needs pillow-heif; ")
    assert heic.endswith("pip install 'deblur-jax[heif]'")
    assert raw.startswith(f"deblur: {tmp_path}/c.dng: is a raw photo, which needs rawpy; ")
    assert raw.endswith("pip install 'deblur-jax[raw]'")
    assert "3 photos: 1 deblurred, 0 left unchanged, 2 failed." in shown.out


def test_the_table_of_formats_names_every_ending():
    page = (containers.ROOT / "deblur_jax" / "cli" / "README.md").read_text()
    assert {ending for ending in PHOTO_SUFFIXES if f"`{ending}`" not in page} == set()
