"""HEIC and AVIF: pixels, metadata, what is lost, and files that are damaged."""

import importlib.util
import struct
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features
from skimage import data

from deblur_jax.data.photos import PhotoSource, folder_photos
from deblur_jax.io import boxes
from deblur_jax.io.formats import fitted
from deblur_jax.io.images import Photo, read_grey, read_photo, read_rgb, write_photo
from tests.io import containers
from tests.io.blocks import block
from tests.io.containers import box, full, item, refer


PICTURE = data.chelsea()[:64, :80]
PIXELS = PICTURE.astype(np.float32) / 255
EXIF = b"Exif\0\0" + block([(271, 2, 8, b"a maker\0")], [(0x9003, 2, 4, b"now\0")])
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rating>5</rating></x:xmpmeta>"
ENDINGS = [
    pytest.param(
        ".heic",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("pillow_heif") is None, reason="needs the extra heif"
        ),
    ),
    pytest.param(
        ".avif",
        marks=pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF"),
    ),
]


@pytest.fixture
def heif():
    return pytest.importorskip("pillow_heif", reason="needs the extra heif")


def encoded(heif, mode, values, **options):
    buffer = BytesIO()
    size = (values.shape[1], values.shape[0])
    heif.encode(mode, size, np.ascontiguousarray(values).tobytes(), buffer, quality=95, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["colour", "grey", "alpha"])
def test_a_photo_comes_back_with_its_metadata(tmp_path, ending, kind):
    alpha = np.tile(np.linspace(0, 1, 80, dtype=np.float32), (64, 1)) if kind == "alpha" else None
    path, profile = tmp_path / f"a{ending}", b"a profile " * 20
    photo = Photo(PIXELS, alpha, grey=kind == "grey", profile=profile, exif=EXIF)
    write_photo(path, photo)
    back = read_photo(path)
    shown = PIXELS.mean(-1, keepdims=True) if kind == "grey" else PIXELS
    np.testing.assert_allclose(back.pixels, shown + 0 * PIXELS, atol=0.06)
    assert np.abs(back.pixels - shown).mean() < 0.01
    assert (back.profile, back.exif, back.grey) == (profile, EXIF, kind == "grey")
    assert (back.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_allclose(back.alpha, alpha, atol=0.03)


@pytest.mark.parametrize("ending", ENDINGS)
def test_xmp_is_kept_and_the_turn_is_undone_once(tmp_path, ending):
    exif = Image.Exif()
    exif[0x0112], exif[271] = 6, "a maker"
    path = tmp_path / f"turned{ending}"
    if ending == ".heic":
        import pillow_heif

        options = {"exif": exif.tobytes(), "xmp": XMP}  # libheif turns by it
        path.write_bytes(encoded(pillow_heif, "RGB", PICTURE, **options))
    else:
        Image.fromarray(PICTURE).save(path, exif=exif, xmp=XMP, quality=95)
    for name in (path, tmp_path / f"again{ending}"):
        photo = read_photo(name)
        np.testing.assert_allclose(photo.pixels, np.rot90(PIXELS, -1), atol=0.06)
        assert photo.extras.xmp == XMP
        assert b"a maker" in photo.exif
        assert b"\x12\x01" not in photo.exif  # the orientation
        write_photo(tmp_path / f"again{ending}", photo)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder_of_phone_photos_trains(tmp_path, ending):
    for number in range(3):
        write_photo(tmp_path / f"{number}{ending}", Photo(PIXELS))
    source = PhotoSource(folder_photos(str(tmp_path)), smallest=32, in_memory=False)
    assert len(source) == 3
    np.testing.assert_allclose(source[1]["sharp"], PICTURE, atol=15)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_of_another_format_does_not_matter(tmp_path, ending):
    write_photo(tmp_path / f"a{ending}", Photo(PIXELS))
    (tmp_path / f"a{ending}").rename(tmp_path / "a.jpg")
    np.testing.assert_allclose(read_photo(tmp_path / "a.jpg").pixels, PIXELS, atol=0.06)


def test_ten_bits_are_kept_in_heic_and_named_elsewhere(tmp_path, heif):
    deep = np.rint(np.linspace(0, 65535, 64 * 80 * 3)).reshape(64, 80, 3).astype(np.uint16)
    (tmp_path / "a.heic").write_bytes(encoded(heif, "RGB;16", deep, chroma=444))
    photo = read_photo(tmp_path / "a.heic")
    assert (photo.bits, photo.extras.depth) == (16, 10)
    assert np.abs(photo.pixels - deep / 65535).mean() < 1 / 255
    write_photo(tmp_path / "b.heic", photo)
    again = read_photo(tmp_path / "b.heic")
    assert (again.bits, again.extras.depth, again.extras.sampling) == (16, 10, 0)
    np.testing.assert_allclose(again.pixels, photo.pixels, atol=0.01)
    assert fitted(photo, tmp_path / "c.heic")[1] == ()
    assert fitted(photo, tmp_path / "c.png")[1] == ()
    assert fitted(photo, tmp_path / "c.jpg")[1] == ("10 bits a channel (8 are written)",)
    deeper = Photo(photo.pixels, bits=16)
    assert fitted(deeper, tmp_path / "c.heic")[1] == ("16 bits a channel (10 are written)",)
    with pytest.raises(ValueError, match="a.heic: 16-bit, expected 8-bit RGB"):
        read_rgb(tmp_path / "a.heic")
    assert read_grey(tmp_path / "a.heic").shape == (64, 80)


def test_the_code_points_of_colours_are_kept(tmp_path, heif):
    codes = {
        "color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9,
        "full_range_flag": 1,
    }  # fmt: skip
    (tmp_path / "a.heic").write_bytes(encoded(heif, "RGB", PICTURE, **codes))
    photo = read_photo(tmp_path / "a.heic")
    assert photo.extras.chunks == ((b"cICP", bytes([9, 16, 0, 1])),)
    for name in ("b.heic", "b.png"):
        write_photo(tmp_path / name, photo)
        assert read_photo(tmp_path / name).extras.chunks == photo.extras.chunks
    lost = fitted(photo, tmp_path / "b.jpg")[1]
    assert lost == ("meaning of its values (cICP)",)


def test_further_pictures_are_named_and_the_main_one_is_read(tmp_path, heif):
    opened = heif.from_bytes("RGB", (80, 64), PICTURE.tobytes())
    opened.add_frombytes("RGB", (80, 64), np.ascontiguousarray(255 - PICTURE).tobytes())
    opened.save(tmp_path / "two.heic", quality=95, primary_index=1)
    photo = read_photo(tmp_path / "two.heic")
    np.testing.assert_allclose(photo.pixels, 1 - PIXELS, atol=0.06)
    assert photo.extras.lost == ("further pictures",)


def auxiliary(name):
    return full(b"auxC", name, b"\0")


PHOTO, SECOND = item(1, b"hvc1"), item(2, b"hvc1")
NAMED = {
    "nothing": (([PHOTO],), ()),
    "tiles": (
        ([item(1, b"grid"), item(2, b"hvc1"), item(3, b"hvc1")], [refer(b"dimg", 1, 2, 3)]), (),
    ),
    "thumbnail": (([PHOTO, SECOND], [refer(b"thmb", 2, 1)]), ()),
    "alpha": (
        ([PHOTO, SECOND], [refer(b"auxl", 2, 1)], [auxiliary(b"urn:mpeg:hevc:2015:auxid:1")]), (),
    ),
    "gain map of a phone": (
        (
            [PHOTO, SECOND],
            [refer(b"auxl", 2, 1)],
            [auxiliary(b"urn:com:apple:photo:2020:aux:hdrgainmap")],
        ),
        ("gain map (HDR)",),
    ),
    "gain map of ISO 21496-1": (
        ([PHOTO, item(2, b"hvc1", hidden=True), item(3, b"tmap")], [refer(b"dimg", 3, 1, 2)]),
        ("gain map (HDR)",),
    ),
    "depth and mattes": (
        (
            [PHOTO, SECOND, item(3, b"hvc1")],
            [refer(b"auxl", 2, 1), refer(b"auxl", 3, 1)],
            [
                auxiliary(b"urn:mpeg:hevc:2015:auxid:2"),
                auxiliary(b"urn:com:apple:photo:2018:aux:portraiteffectsmatte"),
            ],
        ),
        ("depth map", "mattes"),
    ),
    "unknown": (([PHOTO, SECOND], [refer(b"auxl", 2, 1)], [auxiliary(b"urn:x")]),
                ("auxiliary pictures",)),
    "burst": (([PHOTO, SECOND, item(3, b"hvc1")],), ("further pictures",)),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_what_lies_beside_the_photo_is_named(tmp_path, name):
    parts, lost = NAMED[name]
    (tmp_path / "a.heic").write_bytes(containers.boxes(*parts))
    assert boxes.container_of(tmp_path / "a.heic") == "HEIF"
    assert boxes.read_facts(tmp_path / "a.heic").lost == lost


def test_a_motion_video_and_the_colours_and_bits_of_avif_are_found(tmp_path):
    nclx = box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0x80))
    depth = box(b"av1C", bytes([0x81, 0x20, 0x60, 0]))
    other = box(b"colr", b"nclx", struct.pack(">HHHB", 1, 13, 6, 0x80))
    video = box(b"mpvd", bytes(9))
    (tmp_path / "a.avif").write_bytes(
        containers.boxes(
            [item(1, b"av01")], (), [other, nclx, depth], [2, 3], brand=b"avif", behind=video
        )
    )
    assert boxes.container_of(tmp_path / "a.avif") == "AVIF"
    facts = boxes.read_facts(tmp_path / "a.avif")
    assert facts == boxes.Facts(("motion video",), (9, 16, 9, 1), 12)


def test_damaged_boxes_give_what_can_be_read(tmp_path):
    parts, _ = NAMED["depth and mattes"]
    for content in containers.damaged(containers.boxes(*parts), 40):
        (tmp_path / "a.heic").write_bytes(content)
        assert isinstance(boxes.read_facts(tmp_path / "a.heic"), boxes.Facts)


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(containers.boxes([PHOTO]))
    words = r"a\.heic: is HEIC, which needs pillow-heif; pip install 'deblur-jax\[heif\]'"
    with pytest.raises(ValueError, match=words):
        read_photo(tmp_path / "a.heic")
    with pytest.raises(ValueError, match=r"b\.heic: is HEIC, which needs pillow-heif"):
        write_photo(tmp_path / "b.heic", Photo(PIXELS))
    assert [path.name for path in tmp_path.iterdir()] == ["a.heic"]


def test_a_build_without_an_encoder_is_named(tmp_path, monkeypatch, heif):
    monkeypatch.setattr(heif, "libheif_info", lambda: {"HEIF": ""})
    with pytest.raises(ValueError, match=r"a\.heic: HEIC cannot be written by this build"):
        write_photo(tmp_path / "a.heic", Photo(PIXELS))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_the_bits_that_avif_loses_are_named(tmp_path, monkeypatch):
    write_photo(tmp_path / "a.avif", Photo(PIXELS))
    assert read_photo(tmp_path / "a.avif").extras.lost == ()
    monkeypatch.setattr(boxes, "read_facts", lambda path: boxes.Facts(bits=10))
    lost = read_photo(tmp_path / "a.avif").extras.lost
    assert lost == ("10 bits a channel (8 are read)",)
