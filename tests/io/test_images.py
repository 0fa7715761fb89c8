"""Photos in files: exact round trips, upright pixels, and nothing half-written."""

import dataclasses

import numpy as np
import pytest
from PIL import Image, ImageOps

from deblur_jax.io import images
from deblur_jax.io.exif import PROCESSING_SOFTWARE, with_history
from deblur_jax.io.files import check_writable, whole_file
from deblur_jax.io.images import Photo, read_photo, read_rgb, turned_upright, write_photo


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def as_photo(pixels, **fields):
    return Photo(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max, **fields)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_eight_bits_come_back_exactly(tmp_path, pixels, suffix):
    path = tmp_path / f"photo{suffix}"
    write_photo(path, as_photo(pixels))
    np.testing.assert_array_equal(read_photo(path).pixels, as_photo(pixels).pixels)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_alpha_profile_and_maker_come_back_exactly(tmp_path, alpha, suffix):
    rng = np.random.default_rng(1)
    deep = rng.integers(0, 65536, (9, 7, 4), dtype=np.uint16).astype(np.float32) / 65535
    path = tmp_path / f"deep{suffix}"
    profile = b"a profile"
    exif = Image.Exif()
    exif[271] = "a maker"
    write_photo(
        path,
        Photo(
            deep[..., :3],
            deep[..., 3] if alpha else None,
            bits=16,
            profile=profile,
            exif=exif.tobytes(),
        ),
    )
    back = read_photo(path)
    assert back.bits == 16
    assert back.exif == exif.tobytes()
    assert back.profile == profile
    np.testing.assert_array_equal(back.pixels, deep[..., :3])
    assert (back.alpha is None) != alpha
    if alpha:
        np.testing.assert_array_equal(back.alpha, deep[..., 3])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_of_pixels_reads_as_colour(tmp_path, pixels, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / f"photo{suffix}", quality=100)
    photo = read_photo(tmp_path / f"photo{suffix}")
    assert photo.pixels.shape == (12, 20, 3)
    assert photo.grey == (mode in ("L", "LA"))
    assert (photo.alpha is not None) == (mode in ("LA", "RGBA"))


def test_a_grey_photo_stays_grey(tmp_path, pixels):
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    write_photo(tmp_path / "again.png", read_photo(tmp_path / "grey.png"))
    with Image.open(tmp_path / "again.png") as again:
        assert again.mode == "L"
        np.testing.assert_array_equal(np.asarray(again), pixels[..., 0])


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_a_turned_photo_is_read_upright_and_not_turned_again(tmp_path, pixels, turn, deep):
    exif = Image.Exif()
    exif[images.ORIENTATION] = turn
    exif[271] = "a maker"
    path = tmp_path / "turned.png"
    Image.fromarray(pixels).save(path, exif=exif)
    with Image.open(path) as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    photo = read_photo(path)
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), upright)
    if deep:  # the path that decodes 16 bits turns by itself
        np.testing.assert_array_equal(turned_upright(pixels, turn), upright)
    write_photo(tmp_path / "again.png", photo)
    with Image.open(tmp_path / "again.png") as again:
        assert again.getexif().get(images.ORIENTATION, 1) == 1
        assert again.getexif()[271] == "a maker"
        np.testing.assert_array_equal(np.asarray(again), upright)


def test_a_colour_profile_is_kept(tmp_path, pixels):
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        write_photo(tmp_path / f"a{suffix}", as_photo(pixels, profile=b"icc" * 50))
        assert read_photo(tmp_path / f"a{suffix}").profile == b"icc" * 50


def test_everything_but_the_orientation_is_kept(tmp_path, pixels):
    exif = Image.Exif()
    exif[images.ORIENTATION], exif[271] = 6, "a maker"
    exif.get_ifd(0x8769).update(
        {0x9003: "2026:01:02 03:04:05", 0x829A: 0.5, 0xA002: 20, 0xA003: 12}
    )
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 30.0)})
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    photo = read_photo(tmp_path / "turned.jpg")
    done = dataclasses.replace(photo, exif=with_history(photo.exif, "made sharp"))
    write_photo(tmp_path / "again.jpg", done)
    with Image.open(tmp_path / "again.jpg") as image:
        assert image.size == (12, 20)
        kept = image.getexif()
        assert kept[271] == "a maker"
        assert kept[PROCESSING_SOFTWARE] == "made sharp"
        assert images.ORIENTATION not in kept
        details = kept.get_ifd(0x8769)
        assert details[0x9003] == "2026:01:02 03:04:05"
        assert details[0x829A] == 0.5
        assert (details[0xA002], details[0xA003]) == (12, 20)
        assert kept.get_ifd(0x8825)[2] == (48.0, 8.0, 30.0)


def test_history_is_added_to_history():
    block = Image.Exif()
    block.load(with_history(with_history(None, "one"), "two"))
    assert dict(block) == {PROCESSING_SOFTWARE: "one; two"}


def test_the_layout_of_a_tiff_is_not_carried_into_other_files(tmp_path, pixels):
    write_photo(tmp_path / "a.tif", as_photo(pixels))
    assert read_photo(tmp_path / "a.tif").exif is None


def test_cmyk_is_converted_by_its_profile(tmp_path, pixels):
    inks = Image.fromarray(pixels).convert("CMYK")
    inks.save(tmp_path / "inks.jpg", quality=100, icc_profile=b"no profile of inks")
    photo = read_photo(tmp_path / "inks.jpg")
    assert photo.profile is None
    with Image.open(tmp_path / "inks.jpg") as stored:
        plain = np.asarray(stored.convert("RGB"))
    np.testing.assert_array_equal(np.rint(photo.pixels * 255), plain)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".gif"])
def test_a_file_of_several_pictures_is_refused(tmp_path, pixels, suffix):
    path = tmp_path / f"moving{suffix}"
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    first.save(path, save_all=True, append_images=[second])
    with pytest.raises(ValueError, match=rf"moving\{suffix}: holds 2 pictures, expected one"):
        read_photo(path)


def test_the_preview_behind_a_phone_s_photo_is_passed_over(tmp_path, pixels):
    path = tmp_path / "phone.jpg"
    first, preview = Image.fromarray(pixels), Image.fromarray(pixels[::2, ::2])
    first.save(path, format="MPO", save_all=True, append_images=[preview])
    assert read_photo(path).pixels.shape == (12, 20, 3)


def test_floats_are_refused(tmp_path):
    Image.fromarray(np.zeros((12, 20), np.float32)).save(tmp_path / "light.tif")
    with pytest.raises(ValueError, match="light.tif: holds 32-bit floats, expected whole numbers"):
        read_photo(tmp_path / "light.tif")


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("words")
    with pytest.raises(ValueError, match=r"a\.jpg: not an image that can be read; expected one of"):
        read_photo(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match="b.jpg: no such file"):
        read_photo(tmp_path / "b.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_truncated_image_is_refused(tmp_path, pixels, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.repeat(np.repeat(pixels, 8, 0), 8, 1)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        ValueError, match=f"a{suffix}: the image is cut short or damaged|not an image"
    ):
        read_photo(path)


def test_an_unknown_ending_is_refused(tmp_path, pixels):
    with pytest.raises(ValueError, match=r"must end in one of \.jpg.*got '\.xyz'"):
        write_photo(tmp_path / "a.xyz", as_photo(pixels))


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    assert path.read_text() == "old"


def test_a_missing_folder_and_a_folder_as_file_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        check_writable(tmp_path / "nowhere" / "a.png")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_writable(tmp_path)


def test_a_data_set_s_image_is_read_upright_and_exact(tmp_path, pixels):
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(tmp_path / "turned.png"), np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("L", "grey"), ("LA", "with transparency"), ("RGBA", "with transparency"), ("P", "of mode P")],
)
def test_an_image_that_is_not_rgb_is_named(tmp_path, pixels, mode, kind):
    Image.fromarray(pixels).convert(mode).save(tmp_path / "odd.png")
    with pytest.raises(ValueError, match=f"odd.png: {kind}, expected 8-bit RGB; convert it"):
        read_rgb(tmp_path / "odd.png")


@pytest.mark.parametrize(("grey", "kind"), [(False, "16-bit"), (True, "grey")])
def test_a_sixteen_bit_image_is_named(tmp_path, pixels, grey, kind):
    write_photo(tmp_path / "deep.png", as_photo(pixels, bits=16, grey=grey))
    with pytest.raises(ValueError, match=f"deep.png: {kind}, expected 8-bit RGB"):
        read_rgb(tmp_path / "deep.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_an_image_cut_short_is_named(tmp_path, pixels, suffix):
    path = tmp_path / f"photo{suffix}"
    write_photo(path, as_photo(np.tile(pixels, (9, 9, 1))))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"photo\{suffix}: "):
        read_rgb(path)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, pixels):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    assert read_photo(path, most_pixels=240).pixels.shape == (12, 20, 3)
    path.write_bytes(path.read_bytes()[:100])  # what would not be decoded
    with pytest.raises(
        ValueError,
        match=r"has 20x12 pixels \(0.00024 million\), expected at most 0.000239 million; resize",
    ):
        read_photo(path, most_pixels=239)


def test_a_panorama_is_read_and_a_decompression_bomb_is_refused(tmp_path, pixels, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)  # of 240 pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # from 89 million on Pillow warns
    np.testing.assert_array_equal(np.rint(read_photo(path).pixels * 255), pixels)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # from twice as many on it refuses
    with pytest.raises(
        ValueError, match=r"a\.png: Image size \(240 pixels\) .*; crop or resize it"
    ):
        read_photo(path)
