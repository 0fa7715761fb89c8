"""EXIF blocks: an invalid entry never fails the photo, and kept entries keep their bytes."""

import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.photos import PhotoSource
from deblur_jax.io import tiff
from deblur_jax.io.directories import tag_name
from deblur_jax.io.exif import PREFIX, shortened, upright_block, with_history
from deblur_jax.io.formats import fitted
from deblur_jax.io.images import read_photo, read_rgb, write_photo
from deblur_jax.io.metadata import APART
from tests.io.blocks import (
    DETAILS,
    HISTORY,
    ORIENTATION,
    PICTURE,
    PLACE,
    TURNS,
    block,
    entries,
    jpeg,
    random_block,
)


MARKS = (b"II*\0", b"MM\0*")
FORMATS = (".jpg", ".png", ".webp", ".tif", ".bmp")
SIZES_STATED = (0x0100, 0x0101, 0xA002, 0xA003)
LAYOUT = {*tiff.LAYOUT, *APART}

# Entries of an unexpected type or value, as users report them.
ODD = {
    "GPS version as text": block(place=[(0, 2, 4, b"2.2\0")]),
    "altitude below the sea": block(place=[(6, 10, 1, struct.pack("<ii", -5, 1))]),
    "resolution as text": block([(0x11A, 2, 3, b"72\0")]),
    "resolution of zero": block([(0x11A, 5, 1, bytes(8)), (0x128, 3, 1, b"\2\0")]),
    "resolution of one byte": block([(0x11A, 1, 1, b"\x48"), (0x128, 3, 1, b"\2\0")]),
    "a microscope's tag": block([(34412, 1, 4, b"lsm\0")]),
    "resolution unit 70000": block([(0x128, 4, 1, struct.pack("<I", 70000))]),
    "time as a rational": block([(0x132, 5, 1, struct.pack("<II", 1, 2))]),
    "negative exposure": block(details=[(0x829A, 10, 1, struct.pack("<ii", -1, 60))]),
    "undefined as bytes": block(details=[(0x9000, 1, 4, b"0232")]),
    "several software": block([(0x131, 3, 4, bytes(range(8)))]),
    "an undefined type": block([(0x10F, 77, 3, b"abc")]),
    "a value beyond the end": block([(0x10F, 2, 99, 4000), (0x110, 2, 2, b"m\0")]),
    "details beyond the end": block([(DETAILS, 4, 1, 9999)]),
    "details inside themselves": block([(DETAILS, 4, 1, 8)]),
    "more entries than bytes": b"II*\0\x08\0\0\0\xff\xff" + bytes(9),
    "letters outside ASCII": block([(0x13B, 2, 13, "Café Zürich".encode())]),
    "letters in Latin-1": block([(0x13B, 2, 5, b"Caf\xe9\0")]),
    "big-endian": block([(0x10F, 2, 6, b"maker\0")], [(0x9003, 2, 3, b"no\0")], order=">"),
    "a thumbnail": block([(0x10F, 2, 6, b"maker\0")], following=8),
    "sizes as text": block(details=[(0xA002, 2, 4, b"big\0"), (0xA003, 3, 1, b"\3\0")]),
    "no directory": b"II*\0\x08\0\0\0",
    "no block": b"nonsense",
    "nothing": b"",
}


def check_kept(folder, exif, disorder=False, suffixes=FORMATS):
    """Reads a photo with this block, writes it in these formats, and compares the entries."""
    jpeg(folder / "photo.jpg", exif)
    read_rgb(folder / "photo.jpg")
    photo = read_photo(folder / "photo.jpg")
    turned = photo.pixels.shape[0] == 40  # from 24 rows and 40 columns
    before = entries(exif) if exif[:4] in MARKS and not disorder else {}
    fixed = {key: entry for key, entry in before.items() if key[1] not in SIZES_STATED}
    fixed.pop(("first", ORIENTATION), None)
    fixed.pop(("first", HISTORY), None)
    if turned and {("first", 0x11A), ("first", 0x11B)} <= set(fixed):
        across, down = fixed["first", 0x11A], fixed["first", 0x11B]
        fixed["first", 0x11A], fixed["first", 0x11B] = down, across
    for suffix in suffixes:
        path = folder / f"copy{suffix}"
        kept, lost = fitted(photo, path)
        write_photo(path, dataclasses.replace(kept, exif=with_history(kept.exif, "made sharp")))
        copy = read_photo(path)
        assert copy.pixels.shape == photo.pixels.shape
        if suffix == ".bmp":
            assert ("EXIF" in lost) == (photo.exif is not None)
            continue
        after = entries(copy.exif.removeprefix(PREFIX))
        assert after["first", HISTORY][2].endswith(b"made sharp\0")
        for (directory, tag), entry in fixed.items():
            if (
                suffix == ".tif"
                and directory == "first"
                and (tag in LAYOUT or tag_name(tag) in lost)
            ):
                continue
            assert after[directory, tag] == entry, (suffix, hex(tag), lost)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_entry_costs_neither_the_photo_nor_its_own_bytes(tmp_path, name):
    check_kept(tmp_path, ODD[name])


def test_random_blocks_are_kept(tmp_path):
    rng = np.random.default_rng(21)
    for number in range(300):
        check_kept(tmp_path, *random_block(rng), FORMATS[number % 5 :][:1])


@pytest.mark.slow
def test_very_many_random_blocks_are_kept(tmp_path):
    rng = np.random.default_rng(5000)
    for _ in range(5000):
        check_kept(tmp_path, *random_block(rng))


def test_only_what_changes_is_edited(tmp_path):
    exif = block(
        [(ORIENTATION, 3, 1, b"\6\0"), (0x11A, 5, 1, struct.pack("<II", 300, 1)),
         (0x11B, 5, 1, struct.pack("<II", 150, 1))],
        [(0x927C, 7, 20, bytes(range(20))), (0xA002, 3, 1, b"\x28\0"), (0xA003, 3, 1, b"\x18\0")],
        [(1, 2, 2, b"N\0")],
    )  # fmt: skip
    edited, lost = upright_block(exif, (24, 40), sideways=True)
    assert len(edited) == len(exif)
    assert lost == ()
    before, after = entries(exif), entries(edited)
    assert after == {
        **{key: entry for key, entry in before.items() if key[1] != ORIENTATION},
        ("first", 0x11A): before["first", 0x11B],
        ("first", 0x11B): before["first", 0x11A],
        (DETAILS, 0xA002): (3, 1, b"\x18\0"),
        (DETAILS, 0xA003): (3, 1, b"\x28\0"),
    }
    changed = [n for n in range(len(exif)) if exif[n] != edited[n]]
    assert max(changed) < exif.index(bytes(range(20)))  # the notes count offsets from the start


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_turn_is_undone_by_every_reader(tmp_path, turn, order):
    exif = block([(ORIENTATION, 3, 1, struct.pack(order + "H", turn))], order=order)
    picture = np.random.default_rng(turn).integers(0, 256, (24, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    expected = np.asarray(Image.fromarray(picture).transpose(TURNS[turn])) if turn > 1 else picture
    np.testing.assert_array_equal(read_rgb(tmp_path / "turned.png"), expected)
    np.testing.assert_array_equal(255 * read_photo(tmp_path / "turned.png").pixels, expected)


NOTE, COMMENT = (0x927C, 7, 65000, bytes(65000)), (0x9286, 7, 30000, bytes(30000))
FULL = {
    "a note of 65 kB": ([NOTE], 65000, ("MakerNote",)),
    "the note goes before a longer comment": (
        [(0x927C, 7, 9000, bytes(9000)), (0x9286, 7, 60000, bytes(60000))], 65533, ("MakerNote",),
    ),
    "then the longest": ([NOTE, COMMENT], 20000, ("MakerNote", "UserComment")),
}  # fmt: skip


@pytest.mark.parametrize("name", FULL)
def test_a_block_that_is_too_long_loses_and_names_its_least_important_entries(name):
    details, most, lost = FULL[name]
    exif = PREFIX + block([(0x10F, 2, 6, b"maker\0")], details, [(1, 2, 2, b"N\0")])
    short, names = shortened(exif, most)
    assert names == lost
    assert len(short) <= most
    kept = entries(short.removeprefix(PREFIX))
    assert kept["first", 0x10F] == (2, 6, b"maker\0")
    assert kept[PLACE, 1] == (2, 2, b"N\0")
    for tag, kind, count, value in details:
        if tag_name(tag) not in lost:
            assert kept[DETAILS, tag] == (kind, count, value)


def test_entries_are_dropped_for_the_history_before_the_work(tmp_path):
    jpeg(tmp_path / "full.jpg", block(details=[(0x927C, 7, 65400, bytes(65400))]))
    photo = read_photo(tmp_path / "full.jpg")
    kept, lost = fitted(photo, Path("copy.jpg"), growth=200)
    assert lost == ("MakerNote",)
    write_photo(
        tmp_path / "copy.jpg", dataclasses.replace(kept, exif=with_history(kept.exif, "x" * 99))
    )
    after = entries(read_photo(tmp_path / "copy.jpg").exif.removeprefix(PREFIX))
    assert after["first", HISTORY] == (2, 100, b"x" * 99 + b"\0")
    assert fitted(photo, Path("copy.png"), growth=200)[1] == ()


def test_a_history_in_another_encoding_keeps_its_bytes():
    exif = PREFIX + block([(HISTORY, 2, 5, b"Caf\xe9\0"), (0x10F, 2, 2, b"m\0")])
    after = entries(with_history(exif, "sharp").removeprefix(PREFIX))
    assert after["first", HISTORY][2] == b"Caf\xe9; sharp\0"
    assert after["first", 0x10F] == (2, 2, b"m\0")


def test_odd_blocks_stop_no_training(tmp_path):
    paths = []
    for number, exif in enumerate(ODD.values()):
        paths.append(tmp_path / f"{number}.jpg")
        jpeg(paths[-1], exif)
    (tmp_path / "words.jpg").write_text("words")
    source = PhotoSource(
        [*paths, tmp_path / "words.jpg"], smallest=8, in_memory=False, on_bad="skip"
    )
    assert len(source) == len(ODD)
    assert len(source.skipped) == 1


@pytest.mark.parametrize("error", [TypeError, KeyError, struct.error, RecursionError, MemoryError])
def test_whatever_a_decoder_raises_skips_one_photo(tmp_path, monkeypatch, error):
    for name in ("a.png", "b.png"):
        Image.fromarray(PICTURE).save(tmp_path / name)
    opened = Image.open

    def fail(file, *arguments):
        if Path(file).name == "a.png":
            raise error("odd")
        return opened(file, *arguments)

    monkeypatch.setattr(Image, "open", fail)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    source = PhotoSource(paths, smallest=8, in_memory=False, on_bad="skip")
    assert source.paths == (paths[1],)
    assert "a.png: " in source.skipped[0]
