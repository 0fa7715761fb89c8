"""16-bit files: every layout of the pixels is read correctly, or refused by name."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from deblur_jax.io.images import Photo, read_grey, read_photo, write_photo
from tests.io.blocks import TURNS


HEIGHT, WIDTH = 37, 50
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
COLOURS = np.stack(
    [COLUMNS * 1300, ROWS * 1700, (ROWS + COLUMNS) * 700],
    axis=-1,
    dtype=np.uint16,
    casting="unsafe",
)
ALPHA = (20000 + ROWS * 1200).astype(np.uint16)
MASK = np.full((HEIGHT, WIDTH), 7, np.uint16)


def values(photo):
    return np.rint(photo.pixels.astype(np.float64) * 65535).astype(np.uint16)


EXTRAS = {
    "none": ([], None),
    "straight alpha": (["unassalpha"], ALPHA),
    "premultiplied alpha": (["assocalpha"], ALPHA),
    "a mask": (["unspecified"], None),
    "a mask, then alpha": (["unspecified", "unassalpha"], ALPHA),
}
LAYOUTS = {
    "plain": {}, "big-endian": {"byteorder": ">"}, "strips": {"rowsperstrip": 5},
    "zip with predictor": {"compression": "zlib", "predictor": True},
    "tiles": {"tile": (16, 32), "compression": "zlib"}, "BigTIFF": {"bigtiff": True},
}  # fmt: skip


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["rgb", "minisblack", "miniswhite"])
def test_photometric_planes_and_extra_samples_are_respected(tmp_path, photometric, planar, extra):
    samples, alpha = EXTRAS[extra]
    colour = COLOURS if photometric == "rgb" else COLOURS[..., :1]
    stored = 65535 - colour if photometric == "miniswhite" else colour
    if extra == "premultiplied alpha":
        if photometric == "miniswhite":
            pytest.skip("no writer defines what that means")
        stored = np.rint(stored * (ALPHA[..., None] / 65535)).astype(np.uint16)
    planes = {"unspecified": MASK, "unassalpha": ALPHA, "assocalpha": ALPHA}
    stored = np.concatenate([stored, *(planes[name][..., None] for name in samples)], axis=-1)
    if stored.shape[-1] == 1:
        stored = stored[..., 0]
    elif planar == "separate":
        stored = np.moveaxis(stored, -1, 0)
    tifffile.imwrite(
        tmp_path / "deep.tif", stored, photometric=photometric, extrasamples=samples,
        planarconfig=planar if stored.ndim == 3 else None,
    )  # fmt: skip
    photo = read_photo(tmp_path / "deep.tif")
    assert photo.bits == 16
    assert photo.grey == (photometric != "rgb")
    close = 4 if extra == "premultiplied alpha" else 0  # as it was rounded, of alpha above 0.3
    np.testing.assert_allclose(
        values(photo).astype(int), np.broadcast_to(colour, COLOURS.shape).astype(int), atol=close
    )
    assert (photo.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(np.rint(photo.alpha * 65535), alpha)
    assert ("extra channels" in photo.extras.lost) == ("mask" in extra)


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["rgb", "minisblack", "miniswhite"])
def test_the_same_layouts_are_read_at_eight_bits(tmp_path, photometric, planar, extra):
    samples, alpha = EXTRAS[extra]
    colour = COLOURS[..., : 3 if photometric == "rgb" else 1] >> 8
    stored = 255 - colour if photometric == "miniswhite" else colour
    if extra == "premultiplied alpha":
        if photometric == "miniswhite":
            pytest.skip("no writer defines what that means")
        stored = np.rint(stored * ((ALPHA[..., None] >> 8) / 255)).astype(np.uint16)
    planes = {"unspecified": MASK, "unassalpha": ALPHA >> 8, "assocalpha": ALPHA >> 8}
    stored = np.concatenate([stored, *(planes[name][..., None] for name in samples)], axis=-1)
    stored = np.ascontiguousarray(np.squeeze(stored).astype(np.uint8))
    if stored.ndim == 3 and planar == "separate":
        stored = np.moveaxis(stored, -1, 0)
    tifffile.imwrite(
        tmp_path / "flat.tif", stored, photometric=photometric, extrasamples=samples,
        planarconfig=planar if stored.ndim == 3 else None,
    )  # fmt: skip
    photo = read_photo(tmp_path / "flat.tif")
    assert (photo.bits, photo.grey) == (8, photometric != "rgb")
    close = 4 if extra == "premultiplied alpha" else 0
    found = np.rint(photo.pixels * 255)
    np.testing.assert_allclose(found, np.broadcast_to(colour, COLOURS.shape), atol=close)
    assert (photo.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(np.rint(photo.alpha * 255), ALPHA >> 8)
    assert ("extra channels" in photo.extras.lost) == ("mask" in extra)
    with pytest.raises(
        ValueError, match=r"flat.tif: has 50x37 pixels \(0.00185 million\), expected"
    ):
        read_photo(tmp_path / "flat.tif", most_pixels=1000)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_every_arrangement_of_the_bytes_is_read(tmp_path, layout, planar):
    stored = np.moveaxis(COLOURS, -1, 0) if planar == "separate" else COLOURS
    options = dict(LAYOUTS[layout])
    if options.pop("predictor", False):
        write_with_predictor(tmp_path / "deep.tif", COLOURS)
    else:
        tifffile.imwrite(
            tmp_path / "deep.tif", stored, photometric="rgb", planarconfig=planar, **options
        )
    np.testing.assert_array_equal(values(read_photo(tmp_path / "deep.tif")), COLOURS)


def write_with_predictor(path, colours):
    """Write a TIFF file of differences along the rows, as Photoshop does."""
    differences = np.diff(colours, axis=1, prepend=np.zeros_like(colours[:, :1]))
    tifffile.imwrite(path, differences, photometric="rgb", compression="zlib", metadata=None)
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    records = [bytes(data[start + 2 + 12 * n :][:12]) for n in range(count)]
    records.append(struct.pack("<HHIHH", 317, 3, 1, 2, 0))
    records.sort(key=lambda record: struct.unpack_from("<H", record))
    data[4:8] = struct.pack("<I", len(data))
    path.write_bytes(data + struct.pack("<H", count + 1) + b"".join(records) + bytes(4))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rows", [4, 37])
@pytest.mark.parametrize("predictor", [1, 2])
def test_lzw_is_read_without_its_package(tmp_path, channels, rows, predictor):
    stored = COLOURS[..., 0] if channels == 1 else COLOURS
    options = [
        cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_ROWSPERSTRIP, rows,
        cv2.IMWRITE_TIFF_PREDICTOR, predictor,
    ]  # fmt: skip
    cv2.imwrite(str(tmp_path / "lzw.tif"), stored[..., ::-1] if channels == 3 else stored, options)
    with tifffile.TiffFile(tmp_path / "lzw.tif") as file:
        assert (file.pages[0].compression, file.pages[0].predictor) == (5, predictor)
    expected = COLOURS if channels == 3 else np.repeat(COLOURS[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(values(read_photo(tmp_path / "lzw.tif")), expected)


RGBA = np.concatenate([COLOURS, ALPHA[..., None]], axis=-1)
NOT_TAKEN = {
    "inks": (RGBA, {"photometric": "separated"}, "holds 16-bit SEPARATED pixels"),
    "Lab": (COLOURS, {"photometric": "cielab"}, "holds 16-bit CIELAB pixels"),
    "floats": (COLOURS.astype(np.float32), {"photometric": "rgb"}, "holds 32-bit floats"),
    "half floats": (COLOURS.astype(np.float16), {"photometric": "rgb"}, "holds 16-bit floats"),
    "doubles": (COLOURS[..., 0].astype(float), {}, "holds 64-bit floats"),
    "32 bits": (COLOURS.astype(np.uint32), {"photometric": "rgb"}, "holds 32-bit whole numbers"),
    "signed": (COLOURS.astype(np.int16), {"photometric": "rgb"}, "holds 16-bit signed whole"),
    "complex": (COLOURS[..., 0].astype(np.complex64), {}, "holds 64-bit complex numbers"),
    "a sensor's pattern": (COLOURS[..., 0], {"photometric": "cfa"}, "holds 16-bit CFA pixels"),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_an_unsupported_layout_is_named(tmp_path, name):
    stored, options, words = NOT_TAKEN[name]
    options = {"photometric": "minisblack", **options}
    tifffile.imwrite(tmp_path / "odd.tif", stored, **options)
    with pytest.raises(ValueError, match=f"odd.tif: {words}.*convert it") as caught:
        read_photo(tmp_path / "odd.tif")
    assert "\n" not in str(caught.value)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize(
    ("photometric", "channels"),
    [("icclab", 3), ("logluv", 3), ("linear_raw", 3), ("mask", 1), ("cfa", 1), ("depth_map", 1)],
)
def test_an_intact_file_of_eight_bits_that_is_not_read_is_named(tmp_path, photometric, channels):
    stored = COLOURS.astype(np.uint8) if channels == 3 else COLOURS[..., 0].astype(np.uint8)
    planes = "contig" if channels == 3 else None
    tifffile.imwrite(tmp_path / "odd.tif", stored, photometric=photometric, planarconfig=planes)
    kind = f"{channels} channels of 8-bit {photometric.upper()} pixels, which are not read"
    with pytest.raises(ValueError, match=f"odd.tif: holds {kind}; convert it to grey or RGB"):
        read_photo(tmp_path / "odd.tif")


@pytest.mark.parametrize("first", ["photo", "preview"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_smaller_copy_in_the_file_is_passed_over_and_two_pictures_are_not(tmp_path, first, dtype):
    picture = (COLOURS >> (8 if dtype is np.uint8 else 0)).astype(dtype)
    pages = [(picture, 0), (picture[::2, ::2], 1)][:: 1 if first == "photo" else -1]
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for page, kind in pages:
            file.write(np.ascontiguousarray(page), photometric="rgb", subfiletype=kind)
    photo = read_photo(tmp_path / "pages.tif")
    np.testing.assert_array_equal(np.rint(photo.pixels * np.iinfo(dtype).max), picture)
    assert photo.extras.lost == ("smaller copies or masks (TIFF pages)",)
    with tifffile.TiffWriter(tmp_path / "two.tif") as file:
        for page in (picture, picture):
            file.write(page, photometric="rgb", metadata=None)
    with pytest.raises(ValueError, match="two.tif: holds 2 pictures, expected one"):
        read_photo(tmp_path / "two.tif")


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_our_own_deep_files_come_back(tmp_path, suffix, grey, alpha):
    pixels = np.repeat(COLOURS[..., :1], 3, axis=-1) if grey else COLOURS
    photo = Photo(
        pixels.astype(np.float32) / 65535,
        ALPHA.astype(np.float32) / 65535 if alpha else None,
        grey=grey,
        bits=16,
    )
    write_photo(tmp_path / f"own{suffix}", photo)
    back = read_photo(tmp_path / f"own{suffix}")
    np.testing.assert_array_equal(values(back), pixels)
    assert (back.grey, back.bits, back.alpha is not None) == (grey, 16, alpha)
    if alpha:
        np.testing.assert_array_equal(np.rint(back.alpha * 65535), ALPHA)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_a_turned_tiff_is_read_upright_once(tmp_path, turn, bits):
    stored = COLOURS if bits == 16 else (COLOURS >> 8).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "turned.tif", stored, photometric="rgb", metadata=None,
        extratags=[(274, 3, 1, turn, True)],
    )  # fmt: skip
    photo = read_photo(tmp_path / "turned.tif")
    for channel in range(3):
        plane = Image.fromarray(np.ascontiguousarray(stored[..., channel]))
        upright = np.asarray(plane.transpose(TURNS[turn]) if turn > 1 else plane)
        found = np.rint(photo.pixels[..., channel].astype(float) * np.iinfo(stored.dtype).max)
        np.testing.assert_array_equal(found, upright)
    write_photo(tmp_path / "again.tif", photo)
    np.testing.assert_array_equal(read_photo(tmp_path / "again.tif").pixels, photo.pixels)


def png(kind, bits, rows, more=b""):
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )  # fmt: skip


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


TRANSPARENT = {
    "grey of 16 bits": (0, 16, COLOURS[..., 0], 2600),
    "grey of 8 bits": (0, 8, COLOURS[..., 0] >> 8, 10),
    "colours of 16 bits": (2, 16, COLOURS, tuple(COLOURS[3, 4])),
    "colours of 8 bits": (2, 8, COLOURS >> 8, tuple(COLOURS[3, 4] >> 8)),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_a_png_s_transparent_value_becomes_transparency(tmp_path, name):
    kind, bits, picture, value = TRANSPARENT[name]
    rows = [row.astype(">u2" if bits == 16 else np.uint8).tobytes() for row in picture]
    key = chunk(b"tRNS", np.atleast_1d(value).astype(">u2").tobytes())
    (tmp_path / "key.png").write_bytes(png(kind, bits, rows, key))
    photo = read_photo(tmp_path / "key.png")
    picture = picture.reshape(HEIGHT, WIDTH, -1)
    through = (picture == value).all(axis=-1)
    assert through.any()
    assert not through.all()
    assert (photo.bits, photo.grey) == (bits, kind == 0)
    np.testing.assert_array_equal(photo.alpha, np.where(through, 0, 1))
    np.testing.assert_array_equal(
        np.rint(photo.pixels * (2**bits - 1)), np.broadcast_to(picture, COLOURS.shape)
    )


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_eight_bits_become_straight(tmp_path, mode):
    alpha = np.full((8, 8, 1), 128, np.uint8)
    colour = np.full((8, 8, len(mode) - 1), 100, np.uint8)
    half = np.concatenate([(colour * (128 / 255)).round().astype(np.uint8), alpha], axis=-1)
    tifffile.imwrite(
        tmp_path / "half.tif", half, photometric="rgb" if mode == "RGBa" else "minisblack",
        planarconfig="contig", extrasamples=["assocalpha"],
    )  # fmt: skip
    photo = read_photo(tmp_path / "half.tif")
    np.testing.assert_allclose(photo.pixels * 255, 100, atol=1)
    assert photo.grey == (mode == "La")
    assert photo.alpha is not None


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
def test_a_mask_beside_eight_bits_is_named_and_no_transparency(tmp_path, photometric):
    stored = np.full((8, 8, 4 if photometric == "rgb" else 2), 90, np.uint8)
    tifffile.imwrite(
        tmp_path / "mask.tif", stored, photometric=photometric, planarconfig="contig",
        extrasamples=["unspecified"],
    )  # fmt: skip
    photo = read_photo(tmp_path / "mask.tif")
    assert photo.alpha is None
    assert photo.extras.lost == ("extra channels",)


@pytest.mark.parametrize("photometric", ["rgb", "minisblack", "miniswhite"])
def test_a_mask_of_sixteen_bits_reads_as_grey(tmp_path, photometric):
    stored = COLOURS if photometric == "rgb" else COLOURS[..., 0]
    tifffile.imwrite(tmp_path / "mask.tif", stored, photometric=photometric)
    bright = stored >> 8 if photometric != "miniswhite" else (65535 - stored) >> 8
    expected = np.asarray(Image.fromarray(bright.astype(np.uint8)).convert("L"))
    np.testing.assert_array_equal(read_grey(tmp_path / "mask.tif"), expected)
