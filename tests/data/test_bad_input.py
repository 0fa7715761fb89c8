"""Every kind of bad file: a source stops with the whole list, or skips them with a count."""

import re
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from deblur_jax.data import frames, pairs, photos, segments
from deblur_jax.data.builders.registry import prepare
from deblur_jax.io.flow import TAG
from tests.data.trees import KINDS, SAVE, SIZE, noise, open_source, save


def cut_short(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def make_grey(path):
    save(path, noise(0)[..., 0])


def make_transparent(path):
    Image.fromarray(noise(0)).convert("RGBA").save(path)


def make_deep(path):
    cv2.imwrite(str(path), noise(0).astype(np.uint16) * 256)


def make_other_size(path):
    save(path, noise(0, SIZE[::-1]))


def make_other_mask(path):
    save(path, noise(0, SIZE[::-1])[..., 0])


def make_coloured(path):
    save(path, noise(0))


def remove(path):
    path.unlink()


def make_bad_header(path):
    path.write_bytes(b"HIEP" + path.read_bytes()[4:])


def put_nan(path):
    flow = np.zeros((*SIZE, 2), "<f4")
    flow[2, 3] = np.nan
    path.write_bytes(TAG + struct.pack("<ii", SIZE[1], SIZE[0]) + flow.tobytes())


COLOURS = [
    (make_deep, "16-bit, expected 8-bit RGB; convert it"),
    (make_grey, "grey, expected 8-bit RGB; convert it"),
    (make_transparent, "with transparency, expected 8-bit RGB; convert it"),
]
# Of each kind of source: which file of an example is spoilt, how, and what is said of it.
CASES = {
    "folder": [
        ("{}.png", spoil, told)
        for spoil, told in [(cut_short, "the image is cut short or damaged"), *COLOURS]
    ],
    "pairs": [
        ("blur/{}.png", cut_short, "the image is cut short or damaged"),
        *[("sharp/{}.png", spoil, told) for spoil, told in COLOURS],
        ("sharp/{}.png", make_other_size, "16x20 pixels, expected 20x16 pixels as in"),
        ("sharp/{}.png", remove, "no matching"),
        ("flow/{}.flo", make_bad_header, "not a Middlebury flow; the file must begin with PIEH"),
        ("flow/{}.flo", put_nan, "the flow is NaN or infinite at 1 of 320 pixels"),
    ],
    "segments": [
        ("images/{}.png", cut_short, "the image is cut short or damaged"),
        *[("images/{}.png", spoil, told) for spoil, told in COLOURS],
        ("segments/{}.png", make_other_mask, "16x20 pixels, expected 20x16 pixels as in"),
        ("segments/{}.png", make_coloured, "a colour image, expected a grey PNG"),
        ("segments/{}.png", remove, "no segments found"),
        ("segments/{}.png", cut_short, "not an image that can be read"),
        ("images/{}.png", remove, "no photo found"),
    ],
    "frames": [
        ("{}/1.png", spoil, told)
        for spoil, told in [
            (cut_short, "the image is cut short or damaged"),
            *COLOURS,
            (make_other_size, "16x20 pixels, expected 20x16 pixels as in"),
        ]
    ],
}


def spoil_all(kind, root):
    """Write a good example, and one for each case; returns what must be said of those."""
    SAVE[kind](root, "good", 0)
    lines = []
    for number, (file, spoil, told) in enumerate(CASES[kind]):
        name = f"{number}_{spoil.__name__}"
        SAVE[kind](root, name, number + 1)
        spoil(root / file.format(name))
        lines.append((name, told))
    return lines


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stops_with_the_list_of_all_bad_files(tmp_path, kind):
    expected = spoil_all(kind, tmp_path)
    with pytest.raises(ValueError, match="cannot be used; fix or remove them:") as caught:
        open_source(kind, tmp_path)
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == len(expected)
    for name, told in expected:
        (line,) = [line for line in lines if f"/{name}" in line.partition(":")[0]]
        assert line.startswith(str(tmp_path))
        assert told in line


@pytest.mark.parametrize("kind", KINDS)
def test_on_bad_skip_skips_and_counts_bad_files(tmp_path, kind, capsys):
    expected = spoil_all(kind, tmp_path)
    source = open_source(kind, tmp_path, on_bad="skip")
    assert len(source) == 1
    assert "good" in source.name(0)
    assert len(source.skipped) == len(expected)
    written = capsys.readouterr().err
    assert f"{len(expected)} " in written
    assert " skipped, " in written
    for line in source.skipped:
        assert line in written


@pytest.mark.parametrize("error", [OSError, ValueError, MemoryError, TypeError, struct.error])
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_reader_raises_is_one_line_about_one_file(tmp_path, monkeypatch, kind, error):
    for number, name in enumerate(("good", "odd", "fine")):
        SAVE[kind](tmp_path, name, number)
    module = {"folder": photos, "pairs": pairs, "segments": segments, "frames": frames}[kind]
    read = module.read_rgb

    def fail(path):
        if "odd" in path.relative_to(tmp_path).as_posix():
            raise error("not\nright")
        return read(path)

    monkeypatch.setattr(module, "read_rgb", fail)
    source = open_source(kind, tmp_path, on_bad="skip")
    assert len(source) == 2
    for line in source.skipped:
        assert re.fullmatch(rf"{tmp_path}/\S*odd\S*: cannot be read \(\w+: not right\)", line)


@pytest.mark.parametrize(
    ("kind", "folders"),
    [("folder", ()), ("pairs", ("blur", "sharp")), ("segments", ("images",)), ("frames", ())],
)
def test_an_empty_folder_is_named(tmp_path, kind, folders):
    for name in folders:
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=rf"{tmp_path}: no ") as caught:
        open_source(kind, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("on_bad", ["stop", "skip"])
def test_preparing_names_a_mask_of_another_size_and_a_missing_one(tmp_path, on_bad, capsys):
    for name in ("motion0001", "motion0002", "motion0003"):
        save(tmp_path / "image" / f"{name}.jpg", noise(0))
        save(tmp_path / "gt" / f"{name}.png", noise(0)[..., 0])
    make_other_mask(tmp_path / "gt" / "motion0002.png")
    remove(tmp_path / "gt" / "motion0003.png")
    lines = [
        f"{tmp_path}/gt/motion0002.png: 16x20 pixels, expected 20x16 pixels as in",
        f"{tmp_path}/gt/motion0003.png: no such file",
    ]
    if on_bad == "stop":
        with pytest.raises(ValueError, match="these files cannot be used") as caught:
            prepare("cuhk", tmp_path, tmp_path / "records")
        told = str(caught.value)
    else:
        prepare("cuhk", tmp_path, tmp_path / "records", on_bad="skip")
        told = capsys.readouterr().err
        assert "2 files skipped, 1 used:" in told
    for line in lines:
        assert line in told


def test_preparing_names_a_flow_with_a_bad_header_or_nan(tmp_path):
    flows = tmp_path / "optical_flow" / "scene"
    for number in range(3):
        save(tmp_path / "frames_cleanpass" / "scene" / "left" / f"{number:04}.png", noise(number))
        for way, folder in (("Future", "into_future"), ("Past", "into_past")):
            path = flows / folder / "left" / f"OpticalFlowInto{way}_{number:04}_L.pfm"
            path.parent.mkdir(parents=True, exist_ok=True)
            header = f"PF\n{SIZE[1]} {SIZE[0]}\n-1\n".encode()
            value = np.nan if number == 1 and way == "Future" else 1.0
            path.write_bytes(header + np.full((*SIZE, 3), value, "<f4").tobytes())
    bad = flows / "into_future" / "left" / "OpticalFlowIntoFuture_0000_L.pfm"
    bad.write_bytes(b"P6" + bad.read_bytes()[2:])
    with pytest.raises(ValueError, match="these files cannot be used") as caught:
        prepare("monkaa", tmp_path, tmp_path / "records")
    nan = bad.with_name("OpticalFlowIntoFuture_0001_L.pfm")
    assert f"{bad}: not a colour PFM file; it must begin with PF, got b'P6'" in str(caught.value)
    assert f"{nan}: the flow is NaN or infinite at 320 of 320 pixels" in str(caught.value)
