"""Raw photos: developed to light, upright, with a profile that says so."""

import os
import shutil
import struct
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from deblur_jax.io import raw
from deblur_jax.io.images import read_orientation, read_photo, read_rgb, write_photo
from deblur_jax.io.profile import display_transfer, linear_profile
from tests.io.blocks import block, entries
from tests.io.containers import dng, encoded_jpeg, light_of


PICTURE = data.chelsea()[:96, :128]
LIGHT = light_of(PICTURE)
# From the primaries of sRGB to those of Rec. 2020 (ITU-R BT.2087).
TO_WIDE = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


@pytest.fixture
def rawpy():
    return pytest.importorskip("rawpy", reason="needs the extra raw")


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.usefixtures("rawpy")
def test_a_raw_photo_is_the_light_of_the_scene(tmp_path, linear):
    dng(tmp_path / "a.dng", LIGHT, linear=linear)
    photo = read_photo(tmp_path / "a.dng")
    assert photo.bits == 16
    assert display_transfer(photo.profile) == 1
    inside = (slice(8, -8), slice(8, -8))
    error = np.abs(photo.pixels - LIGHT @ TO_WIDE.T)[inside]
    assert error.mean() < (0.0005 if linear else 0.01)  # a Bayer pattern is interpolated


@pytest.mark.usefixtures("rawpy")
def test_the_white_balance_of_the_camera_is_used_and_nothing_is_brightened(tmp_path):
    grey = np.full((64, 64, 3), 0.2)
    for balance in ((0.5, 1.0, 0.5), (0.8, 1.0, 0.3)):
        dng(tmp_path / "a.dng", grey, balance=balance)
        np.testing.assert_allclose(read_photo(tmp_path / "a.dng").pixels, 0.2, atol=0.002)


@pytest.mark.usefixtures("rawpy")
def test_a_turned_raw_photo_is_developed_upright_once(tmp_path):
    dng(tmp_path / "a.dng", LIGHT, turn=6, linear=True)
    photo = read_photo(tmp_path / "a.dng")
    np.testing.assert_allclose(photo.pixels, np.rot90(LIGHT @ TO_WIDE.T, -1), atol=0.01)
    write_photo(tmp_path / "a.tif", photo)
    again = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(again.pixels, photo.pixels)
    assert (again.bits, again.profile) == (16, photo.profile)
    assert read_orientation(tmp_path / "a.dng") == 1


def test_the_linear_profile_means_what_it_says():
    profile = ImageCms.ImageCmsProfile(BytesIO(linear_profile()))
    assert ImageCms.getProfileDescription(profile).strip() == "Linear Rec. 2020"
    wide = Image.fromarray(np.rint(255 * LIGHT @ TO_WIDE.T).astype(np.uint8))
    shown = ImageCms.profileToProfile(wide, profile, ImageCms.createProfile("sRGB"))
    bright = PICTURE.min(-1) > 60  # where 8 bits of light are fine enough
    difference = np.asarray(shown)[bright].astype(int) - PICTURE[bright]
    assert np.abs(difference).mean() < 1.5


@pytest.mark.usefixtures("rawpy")
def test_the_metadata_of_the_camera_are_kept_and_those_of_the_sensor_are_not(tmp_path):
    dng(tmp_path / "a.dng", LIGHT, details=[(0x0132, 2, 0, "2026:01:02 03:04:05")])
    write_photo(tmp_path / "a.tif", read_photo(tmp_path / "a.dng"))
    with Image.open(tmp_path / "a.tif") as image:
        kept = image.getexif()
        assert (kept[271], kept[306]) == ("a maker", "2026:01:02 03:04:05")
        assert not set(kept) & {0xC612, 0xC621, 0xC628, 0x828E, 0x0112}


@pytest.mark.usefixtures("rawpy")
def test_light_is_not_written_with_8_bits(tmp_path):
    dng(tmp_path / "a.dng", LIGHT)
    photo = read_photo(tmp_path / "a.dng")
    with pytest.raises(ValueError, match=r"a\.jpg: the photo holds light, of which 8 bits"):
        write_photo(tmp_path / "a.jpg", photo)
    with pytest.raises(ValueError, match=r"a\.dng: a raw photo, expected 8-bit RGB; convert it"):
        read_rgb(tmp_path / "a.dng")


@pytest.mark.usefixtures("rawpy")
def test_a_raw_photo_is_known_by_what_it_holds(tmp_path):
    dng(tmp_path / "a.dng", LIGHT)
    shutil.copy(tmp_path / "a.dng", tmp_path / "upload")
    assert read_photo(tmp_path / "upload").bits == 16


@pytest.mark.usefixtures("rawpy")
def test_a_name_in_any_encoding_is_read(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.dng")
    dng(tmp_path / "a.dng", LIGHT)
    (tmp_path / "a.dng").rename(path)
    assert read_photo(path).bits == 16


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (b"FUJIFILMCCD-RAW 0201", True), (b"IIU\0" + bytes(20), True),
        (b"IIRO" + bytes(20), True), (b"\0\0\0\x18ftypcrx " + bytes(8), True),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(20), True), (b"\0\0\0\x18ftypheic" + bytes(8), False),
        (encoded_jpeg(PICTURE), False), (b"II*\0\x08\0\0\0" + bytes(20), False),
    ],
)  # fmt: skip
def test_the_files_of_cameras_are_known_by_their_first_bytes(tmp_path, head, known):
    (tmp_path / "file").write_bytes(head)
    assert raw.is_raw(tmp_path / "file") == known


@pytest.mark.usefixtures("rawpy")
@pytest.mark.parametrize("content", [b"", b"words", encoded_jpeg(PICTURE), bytes(5000)])
def test_a_file_that_only_has_the_ending_is_named(tmp_path, content):
    (tmp_path / "a.nef").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.nef: (is not a raw photo|the image is cut short)"):
        read_photo(tmp_path / "a.nef")


@pytest.mark.usefixtures("rawpy")
def test_a_large_raw_photo_is_refused_before_it_is_developed(tmp_path):
    dng(tmp_path / "a.dng", LIGHT)
    with pytest.raises(ValueError, match=r"a\.dng: has 128x96 pixels .* resize the photo"):
        read_photo(tmp_path / "a.dng", most_pixels=1000)


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    dng(tmp_path / "a.dng", LIGHT)
    words = r"a\.dng: is a raw photo, which needs rawpy; pip install 'deblur-jax\[raw\]'"
    with pytest.raises(ValueError, match=words):
        read_photo(tmp_path / "a.dng")


def test_the_block_of_a_raw_file_is_cut_to_what_a_copy_needs(tmp_path):
    maker = (0x010F, 2, 2, b"m\0")
    sensor = (0xC621, 3, 1, struct.pack("<H", 5))
    (tmp_path / "a.nef").write_bytes(
        block([maker, sensor], [(0x829A, 5, 1, bytes(8)), (0x927C, 7, 20, bytes(20))])
    )
    kept, lost = raw.read_block(tmp_path / "a.nef")
    assert lost == ("MakerNote",)
    assert {tag for _, tag in entries(kept)} == {0x010F, 0x829A}
