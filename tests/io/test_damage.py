"""Damaged files of every format: each is read, or named in one line and nothing else."""

import importlib.util

import numpy as np
import pytest
from PIL import Image, features
from skimage import data

from deblur_jax.io.images import Photo, read_photo, write_photo
from tests.io.blocks import block
from tests.io.containers import damaged, dng, light_of, mpo, ultra_hdr


PICTURE = data.chelsea()[:64, :80]
EXIF = b"Exif\0\0" + block([(271, 2, 8, b"a maker\0")], [(0x9003, 2, 4, b"now\0")])
INSTALLED = {
    "HEIC": importlib.util.find_spec("pillow_heif") is not None,
    "raw": importlib.util.find_spec("rawpy") is not None,
    "AVIF": features.check("avif"),
}


def plain(path, **options):
    write_photo(path, Photo(PICTURE.astype(np.float32) / 255, exif=EXIF, **options))


def deep(path):
    plain(path, bits=16)


def squeezed(path):
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257).save(path, compression="tiff_lzw")


FILES = {
    "JPEG": ("a.jpg", plain),
    "Ultra HDR": ("a.jpg", lambda path: ultra_hdr(path, PICTURE)),
    "MPO": ("a.mpo", lambda path: mpo(path, PICTURE, PICTURE[::2, ::2])),
    "PNG": ("a.png", plain),
    "PNG of 16 bits": ("a.png", deep),
    "TIFF": ("a.tif", plain),
    "TIFF of 16 bits": ("a.tif", deep),
    "TIFF by LZW": ("a.tif", squeezed),
    "WebP": ("a.webp", plain),
    "BMP": ("a.bmp", plain),
    "HEIC": ("a.heic", plain),
    "AVIF": ("a.avif", plain),
    "raw": ("a.dng", lambda path: dng(path, light_of(PICTURE))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_named_in_one_line(tmp_path, name, capfd):
    if not INSTALLED.get(name, True):
        pytest.skip(f"{name} needs a package that is not installed")
    file, make = FILES[name]
    path, complaints = tmp_path / file, []
    make(path)
    for content in damaged(path.read_bytes(), 25):
        path.write_bytes(content)
        try:
            photo = read_photo(path)
        except ValueError as error:
            complaints.append(str(error))
        else:
            assert photo.pixels.shape[-1] == 3
    assert len(complaints) >= 12  # most of those that are cut short
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in complaints)
    assert capfd.readouterr() == ("", "")  # decoders write there on their own
