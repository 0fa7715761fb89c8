"""Metadata other than EXIF: carried where the format has a place for it, else named."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, JpegImagePlugin, PngImagePlugin

from deblur_jax.io.exif import PREFIX
from deblur_jax.io.formats import fitted
from deblur_jax.io.images import read_photo, write_photo
from deblur_jax.io.photo import Photo
from deblur_jax.io.profile import display_transfer
from tests.io.blocks import ORIENTATION, PICTURE, block, jpeg
from tests.io.profiles import SRGB, make_profile, parametric, power


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rating>5</rating></x:xmpmeta>"
FIELDS = b"\x1c\x02\x05\0\x05Title\x1c\x02\x19\0\x04word"
RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(FIELDS)) + FIELDS + bytes(len(FIELDS) % 2)
FORMATS = (".jpg", ".png", ".webp", ".tif", ".bmp")


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(path, *segments):
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"".join(segments) + data[2:])


def make_jpeg(path):
    Image.fromarray(PICTURE).save(
        path, quality=95, subsampling=0, dpi=(300, 240), comment=b"a comment", xmp=XMP
    )
    with_segments(path, segment(0xED, b"Photoshop 3.0\0" + RESOURCES))


def make_png(path):
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    text.add_itxt("Title", "Zürich", lang="de", zip=True)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add(b"gAMA", struct.pack(">I", 100_000))
    text.add(b"cICP", bytes([9, 16, 0, 1]))
    Image.fromarray(PICTURE).save(path, pnginfo=text, dpi=(300, 240))


def make_webp(path):
    Image.fromarray(PICTURE).save(path, lossless=True, xmp=XMP)


def make_tiff(path):
    tifffile.imwrite(
        path, PICTURE, photometric="rgb", metadata=None, resolution=(300, 240),
        resolutionunit="inch", extratags=[
            (700, 1, len(XMP), XMP, True), (33723, 7, len(FIELDS), FIELDS, True),
        ],
    )  # fmt: skip


def make_bmp(path):
    Image.fromarray(PICTURE).save(path, dpi=(300, 240))


MAKE = {
    ".jpg": make_jpeg,
    ".png": make_png,
    ".webp": make_webp,
    ".tif": make_tiff,
    ".bmp": make_bmp,
}
# Left out of a file of the format on the right, for want of a place.
LOST = {
    (".jpg", ".png"): {"IPTC", "comment"},
    (".jpg", ".webp"): {"IPTC", "comment", "resolution"},
    (".jpg", ".tif"): {"comment"},
    (".jpg", ".bmp"): {"XMP", "IPTC", "comment"},
    (".png", ".jpg"): {"texts", "meaning of its values (cICP)"},
    (".png", ".webp"): {"texts", "meaning of its values (cICP)", "resolution"},
    (".png", ".tif"): {"texts", "meaning of its values (cICP)"},
    (".png", ".bmp"): {"texts", "meaning of its values (cICP)", "XMP"},
    (".webp", ".bmp"): {"XMP"},
    (".tif", ".png"): {"IPTC"},
    (".tif", ".webp"): {"IPTC"},
    (".tif", ".bmp"): {"IPTC", "XMP", "EXIF"},
    (".bmp", ".webp"): {"resolution"},
}


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_metadata_are_carried_where_the_format_has_a_place_and_named_otherwise(
    tmp_path, source, target
):
    path, copy = tmp_path / f"photo{source}", tmp_path / f"copy{target}"
    MAKE[source](path)
    photo = read_photo(path)
    _, lost = fitted(photo, copy)
    assert set(lost) == LOST.get((source, target), set())
    write_photo(copy, photo)
    back = read_photo(copy)
    was, now = photo.extras, back.extras
    for name, value in {"XMP": "xmp", "IPTC": "iptc", "comment": "comment"}.items():
        kept = None if name in lost else getattr(was, value)
        assert getattr(now, value) == kept, name
    assert was.dpi is None or "resolution" in lost or np.allclose(now.dpi, was.dpi, atol=0.5)
    if source == target:
        assert now.chunks == was.chunks
        assert (now.sampling, now.lossless) == (was.sampling, was.lossless)


def test_a_jpeg_is_understood_by_another_reader(tmp_path):
    make_jpeg(tmp_path / "photo.jpg")
    write_photo(tmp_path / "copy.jpg", read_photo(tmp_path / "photo.jpg"))
    with Image.open(tmp_path / "copy.jpg") as copy:
        assert JpegImagePlugin.get_sampling(copy) == 0
        assert copy.info["dpi"] == (300, 240)
        assert copy.info["comment"] == b"a comment"
        assert copy.info["xmp"] == XMP
        assert copy.info["photoshop"] == {0x0404: FIELDS}


@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_is_understood_by_another_reader(tmp_path, bits):
    make_png(tmp_path / "photo.png")
    photo = read_photo(tmp_path / "photo.png")
    write_photo(tmp_path / "copy.png", type(photo)(**{**vars(photo), "bits": bits}))
    with Image.open(tmp_path / "copy.png") as copy:
        copy.load()
        assert copy.info["gamma"] == 1
        assert copy.text["Author"] == "somebody"
        assert copy.text["Title"] == "Zürich"
        assert copy.text["Title"].lang == "de"
        assert copy.info["xmp"] == XMP
        assert copy.info["dpi"] == pytest.approx((300, 240), abs=0.1)
    assert b"cICP\x09\x10\0\x01" in (tmp_path / "copy.png").read_bytes()


def test_a_tiff_is_understood_by_another_reader(tmp_path):
    make_tiff(tmp_path / "photo.tif")
    write_photo(tmp_path / "copy.tif", read_photo(tmp_path / "photo.tif"))
    with tifffile.TiffFile(tmp_path / "copy.tif") as file:
        page = file.pages[0]
        assert page.tags[700].value == XMP
        assert bytes(page.tags[33723].value) == FIELDS
        assert page.tags[282].value == (300, 1)
        assert page.tags[283].value == (240, 1)
        np.testing.assert_array_equal(page.asarray(), PICTURE)


@pytest.mark.parametrize("lossless", [True, False])
def test_a_lossless_webp_stays_lossless(tmp_path, lossless):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (24, 40, 4), np.uint8)
    picture[:9, :, 3] = 0  # what cannot be seen is kept all the same
    Image.fromarray(picture).save(tmp_path / "photo.webp", lossless=lossless, exact=True)
    photo = read_photo(tmp_path / "photo.webp")
    write_photo(tmp_path / "copy.webp", photo)
    same = np.array_equal(read_photo(tmp_path / "copy.webp").pixels, photo.pixels)
    assert (photo.extras.lossless, same) == (lossless, lossless)


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1"])
def test_the_sampling_of_colour_is_kept_or_becomes_finer(tmp_path, sampling):
    picture = Image.fromarray(PICTURE)
    picture.save(tmp_path / "photo.jpg", subsampling="4:2:0" if sampling == "4:1:1" else sampling)
    if sampling == "4:1:1":  # which Pillow does not write: samples of luminance 4 by 1
        data = bytearray((tmp_path / "photo.jpg").read_bytes())
        data[data.index(b"\xff\xc0") + 11] = 0x41
        (tmp_path / "photo.jpg").write_bytes(data)
    write_photo(tmp_path / "copy.jpg", read_photo(tmp_path / "photo.jpg"))
    with Image.open(tmp_path / "copy.jpg") as copy:
        expected = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2, "4:1:1": 0}[sampling]
        assert JpegImagePlugin.get_sampling(copy) == expected


TURNED_XMP = (
    b'<rdf tiff:Orientation="6" tiff:ImageWidth="40" exif:PixelYDimension="24"/>',
    b"<rdf><tiff:Orientation>6</tiff:Orientation><tiff:ImageWidth>40</tiff:ImageWidth></rdf>",
)


@pytest.mark.parametrize("xmp", TURNED_XMP)
@pytest.mark.parametrize("stated", [None, 1, 6])
def test_the_orientation_in_xmp_is_updated(tmp_path, xmp, stated):
    exif = block([(ORIENTATION, 3, 1, bytes([stated, 0]))]) if stated else b""
    Image.fromarray(PICTURE).save(tmp_path / "photo.png", exif=exif) if stated else (
        Image.fromarray(PICTURE).save(tmp_path / "photo.png")
    )
    data = (tmp_path / "photo.png").read_bytes()
    body = b"iTXtXML:com.adobe.xmp" + bytes(5) + xmp
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "photo.png").write_bytes(data[:33] + chunk + data[33:])
    photo = read_photo(tmp_path / "photo.png")
    turned = stated != 1  # what EXIF says counts, and without it XMP
    assert photo.pixels.shape[:2] == ((40, 24) if turned else (24, 40))
    assert b"6" not in photo.extras.xmp
    assert (b"24" in photo.extras.xmp.split(b"ImageWidth")[1][:4]) == turned
    write_photo(tmp_path / "copy.png", photo)
    np.testing.assert_array_equal(read_photo(tmp_path / "copy.png").pixels, photo.pixels)


HIDDEN = {
    "a gain map": ("gain map (HDR)", b'<x hdrgm:Version="1.0"/>'),
    "a motion photo": ("motion video", b'<x GCamera:MotionPhoto="1"/>'),
    "XMP in two parts": ("extended XMP", b'<x xmpNote:HasExtendedXMP="00"/>'),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_metadata_that_no_format_can_hold_are_named(tmp_path, name):
    words, xmp = HIDDEN[name]
    Image.fromarray(PICTURE).save(tmp_path / "photo.jpg", xmp=xmp)
    for suffix in FORMATS:
        assert words in fitted(read_photo(tmp_path / "photo.jpg"), Path(f"copy{suffix}"))[1]


def test_extra_pictures_and_private_chunks_are_named(tmp_path):
    first, second = Image.fromarray(PICTURE), Image.fromarray(PICTURE[::2, ::2])
    first.save(tmp_path / "two.jpg", format="MPO", save_all=True, append_images=[second])
    (lost,) = read_photo(tmp_path / "two.jpg").extras.lost
    assert lost == "pictures behind the photo (previews, depth or gain map)"
    first.save(tmp_path / "signed.jpg")
    with_segments(tmp_path / "signed.jpg", segment(0xEB, b"JP\0\0signature"))
    assert read_photo(tmp_path / "signed.jpg").extras.lost == ("JPEG segments of other programs",)
    info = PngImagePlugin.PngInfo()
    info.add(b"caBX", b"signature")
    first.save(tmp_path / "signed.png", pnginfo=info)
    assert read_photo(tmp_path / "signed.png").extras.lost == ("PNG chunk caBX",)
    jpeg(tmp_path / "thumb.jpg", block([(271, 2, 2, b"m\0")], following=8))
    assert read_photo(tmp_path / "thumb.jpg").extras.lost == ("thumbnail of the blurred photo",)


def test_exif_that_imagemagick_keeps_as_text_is_found(tmp_path):
    exif = PREFIX + block([(ORIENTATION, 3, 1, b"\6\0"), (271, 2, 6, b"maker\0")])
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
    Image.fromarray(PICTURE).save(tmp_path / "photo.png", pnginfo=info)
    photo = read_photo(tmp_path / "photo.png")
    assert photo.pixels.shape[:2] == (40, 24)
    assert b"maker" in photo.exif
    assert photo.extras.chunks == ()  # that text would turn the copy again


GAMMA = (b"gAMA", struct.pack(">I", 45455))
DISPLAY = make_profile(power(1.8))
SAID = {
    "nothing": (None, (), None),
    "a gamma": (None, (GAMMA,), 2.2),
    "linear light": (None, ((b"gAMA", struct.pack(">I", 100_000)),), 1.0),
    "a gamma of zero": (None, ((b"gAMA", bytes(4)),), None),
    "a senseless gamma": (None, ((b"gAMA", b"\xff\xff\xff\xff"),), None),
    "a gamma that is cut": (None, ((b"gAMA", b""),), None),
    "sRGB before gamma": (None, (GAMMA, (b"sRGB", b"\0")), "srgb"),
    "a profile before sRGB": (DISPLAY, (GAMMA, (b"sRGB", b"\0")), pytest.approx(1.8, abs=2e-3)),
    "sRGB by its code": (DISPLAY, ((b"cICP", bytes([1, 13, 0, 1])),), "srgb"),
    "linear by its code": (None, (GAMMA, (b"cICP", bytes([1, 8, 0, 1]))), 1.0),
    "PQ, which is not known": (DISPLAY, (GAMMA, (b"cICP", bytes([9, 16, 0, 1]))), None),
    "a code that is cut": (None, (GAMMA, (b"cICP", b"\1")), 2.2),
    "a profile alone": (make_profile(parametric(3, *SRGB)), (), "srgb"),
}


@pytest.mark.parametrize("name", SAID)
def test_light_is_what_profile_and_chunks_mean_together(name):
    profile, chunks, transfer = SAID[name]
    assert display_transfer(profile, chunks) == transfer


@pytest.mark.parametrize("metres", [(0, 0), (0, 9000), (2**32 - 1, 9000), (1, 1)])
def test_an_invalid_resolution_is_left_out(tmp_path, metres):
    info = PngImagePlugin.PngInfo()
    info.add(b"pHYs", struct.pack(">IIB", *metres, 1))
    Image.fromarray(PICTURE).save(tmp_path / "photo.png", pnginfo=info)
    photo = read_photo(tmp_path / "photo.png")
    assert photo.extras.dpi is None
    for suffix in FORMATS:
        write_photo(tmp_path / f"copy{suffix}", photo)


def test_a_photo_too_large_for_a_format_is_refused_before_the_work():
    with pytest.raises(ValueError, match=r"a.webp: WebP holds at most 16383 pixels a side, got 2"):
        fitted(Photo(np.zeros((20000, 2, 3), np.float32)), Path("a.webp"))
    assert fitted(Photo(np.zeros((20000, 2, 3), np.float32)), Path("a.png"))[1] == ()
