"""JPEG files with more behind the photo: the photo is read, and what a copy loses is named."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_jax.io.images import read_photo, write_photo
from tests.io.containers import mpo, ultra_hdr


PICTURE = data.chelsea()[:64, :80]
BEHIND = "pictures behind the photo (previews, depth or gain map)"


@pytest.mark.parametrize("iso", [False, True])
def test_the_main_picture_of_an_ultra_hdr_photo_is_read(tmp_path, iso):
    ultra_hdr(tmp_path / "a.jpg", PICTURE, iso=iso)
    photo = read_photo(tmp_path / "a.jpg")
    np.testing.assert_allclose(photo.pixels, PICTURE / 255, atol=0.1)
    assert photo.extras.lost == ("gain map (HDR)",)


def test_a_copy_does_not_claim_a_gain_map_that_it_lacks(tmp_path):
    ultra_hdr(tmp_path / "a.jpg", PICTURE)
    write_photo(tmp_path / "b.jpg", read_photo(tmp_path / "a.jpg"))
    copy = (tmp_path / "b.jpg").read_bytes()
    for claim in (b"hdrgm:Version", b"GainMap", b"Container:Directory", b"21496"):
        assert claim not in copy
    with Image.open(tmp_path / "b.jpg") as image:
        assert b'xmp:Rating="5"' in image.info["xmp"]  # all else stays
        assert image.info["xmp"].startswith(b"<x:xmpmeta")
    assert read_photo(tmp_path / "b.jpg").extras.lost == ()


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (b' GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"', "motion video"),
        (b' HDRGainMap:HDRGainMapVersion="65536"', "gain map (HDR)"),
        (b" GDepth:Format='RangeLinear'", "depth map"),
    ],
)
def test_what_xmp_says_of_parts_behind_the_photo_is_named_and_removed(tmp_path, words, lost):
    xmp = b"<x:xmpmeta><rdf:Description xmp:Rating='5'%s/></x:xmpmeta>"
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", xmp=xmp % words)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.extras.lost == (lost,)
    assert photo.extras.xmp == xmp % b""


def test_the_first_picture_of_an_mpo_file_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    mpo(tmp_path / "a.mpo", PICTURE, 255 - PICTURE, exif=exif)
    photo = read_photo(tmp_path / "a.mpo")
    np.testing.assert_allclose(photo.pixels, np.rot90(PICTURE) / 255, atol=0.1)
    assert photo.extras.lost == (BEHIND,)
