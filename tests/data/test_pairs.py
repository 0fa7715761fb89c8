"""Pairs from plain folders: how files are matched, and every problem named with its path."""

import numpy as np
import pytest
from PIL import Image

from deblur_jax.data.pairs import PairFiles, PairSource, folder_pairs
from deblur_jax.io.flow import write_flow


def save(path, value=100, size=(9, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def save_pair(folder, name, value=100, size=(9, 12)):
    save(folder / "blur" / f"{name}.png", value, size)
    save(folder / "sharp" / f"{name}.png", value + 1, size)


def test_pairs_are_matched_by_name_whatever_their_ending_and_folder(tmp_path):
    save_pair(tmp_path, "video/b", 20)
    save(tmp_path / "blur" / "a.n-8.bmp", 10)
    save(tmp_path / "sharp" / "a.n-8.PNG", 11)
    (tmp_path / "blur" / "readme.txt").write_text("no image")
    source = folder_pairs(tmp_path)
    assert len(source) == 2
    values = [[int(source[i][kind][0, 0, 0]) for kind in ("blurry", "sharp")] for i in range(2)]
    assert values == [[10, 11], [20, 21]]
    assert source[0]["blurry"].dtype == np.uint8
    assert source[0].keys() == {"blurry", "sharp"}
    assert source.skipped == ()


def test_flow_and_kernel_come_with_the_pair(tmp_path):
    save_pair(tmp_path, "a")
    for kind in ("flow", "kernels"):
        (tmp_path / kind).mkdir()
    flow = np.random.default_rng(0).normal(size=(9, 12, 2)).astype(np.float32)
    kernel = np.random.default_rng(1).random((3, 3))
    write_flow(tmp_path / "flow" / "a.flo", flow)
    np.save(tmp_path / "kernels" / "a.npy", kernel)
    pair = folder_pairs(tmp_path)[0]
    np.testing.assert_array_equal(pair["flow"], flow)
    np.testing.assert_array_equal(pair["kernels"], kernel.astype(np.float32)[None])


def make_bad(folder):
    """One good pair, and bad ones; returns what must be said of each."""
    save_pair(folder, "good")
    save_pair(folder, "small", size=(4, 12))
    save(folder / "sharp" / "only.png")
    save_pair(folder, "twice")
    save(folder / "sharp" / "twice.jpg")
    return [
        f"{folder}/blur/small.png: 12x4 pixels, expected at least 8 a side",
        f"{folder}/sharp/only.png: no matching {folder}/blur/only.*",
        f"{folder}/sharp/twice.png: {folder}/sharp/twice.jpg has the same name; remove one",
    ]


def test_every_problem_is_listed_before_the_run_begins(tmp_path):
    expected = make_bad(tmp_path)
    with pytest.raises(ValueError, match="these pairs cannot be used; fix or remove") as caught:
        folder_pairs(tmp_path, smallest=8)
    for line in expected:
        assert line in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1 + len(expected)
    assert "good.png" not in str(caught.value)


def test_what_is_skipped_is_counted_and_named(tmp_path, capsys):
    expected = make_bad(tmp_path)
    source = folder_pairs(tmp_path, smallest=8, on_bad="skip")
    assert [files.blurry.stem for files in source.pairs] == ["good", "twice"]
    assert len(source) == 2
    assert len(source.skipped) == len(expected)
    written = capsys.readouterr().err
    assert "3 pairs skipped, 2 used:" in written
    for line in expected:
        assert line in written


def test_a_source_without_a_good_file_is_refused_even_when_skipping(tmp_path):
    save(tmp_path / "blur" / "a.png")
    save(tmp_path / "sharp" / "b.png")
    with pytest.raises(ValueError, match="cannot be used"):
        folder_pairs(tmp_path, on_bad="skip")
    with pytest.raises(ValueError, match="no pairs found"):
        PairSource([], smallest=1)


def test_a_missing_or_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder; give an"):
        folder_pairs(tmp_path / "nowhere")
    (tmp_path / "blur").mkdir()
    with pytest.raises(FileNotFoundError, match="sharp: no such folder"):
        folder_pairs(tmp_path)
    (tmp_path / "sharp").mkdir()
    with pytest.raises(ValueError, match="no images in blur/ and sharp/; expected files ending"):
        folder_pairs(tmp_path)


def test_flow_of_another_size_or_missing_or_unknown_is_named(tmp_path):
    for name in ("a", "b", "c"):
        save_pair(tmp_path, name)
    (tmp_path / "flow").mkdir()
    write_flow(tmp_path / "flow" / "a.flo", np.zeros((9, 11, 2)))
    write_flow(tmp_path / "flow" / "b.flo", np.full((9, 12, 2), np.nan))  # marked as unknown
    with pytest.raises(ValueError, match="cannot be used") as caught:
        folder_pairs(tmp_path)
    message = str(caught.value)
    assert f"{tmp_path}/flow/a.flo: 11x9 pixels, expected 12x9 pixels as in" in message
    assert f"{tmp_path}/flow/b.flo: the flow is unknown at 108 of 108 pixels" in message
    assert f"{tmp_path}/blur/c.png: no matching {tmp_path}/flow/c.*" in message


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.ones((4, 4)), r"a.npy: float64\[4, 4\], expected real numbers \[s, s\] or"),
        (np.ones((3, 5)), r"a.npy: float64\[3, 5\], expected"),
        (np.full((3, 3), np.nan), "a.npy: the kernel has NaN or infinite values"),
        (None, "a.npy: not a NumPy array"),
    ],
)
def test_a_bad_kernel_is_named(tmp_path, kernel, message):
    save_pair(tmp_path, "a")
    (tmp_path / "kernels").mkdir()
    if kernel is None:
        (tmp_path / "kernels" / "a.npy").write_text("words")
    else:
        np.save(tmp_path / "kernels" / "a.npy", kernel)
    with pytest.raises(ValueError, match=message):
        folder_pairs(tmp_path)


def test_a_kernel_that_does_not_fit_in_a_batch_with_the_others_is_named(tmp_path):
    (tmp_path / "kernels").mkdir()
    for name, side in (("a", 3), ("b", 5), ("c", 3)):
        save_pair(tmp_path, name)
        np.save(tmp_path / "kernels" / f"{name}.npy", np.ones((side, side)))
    with pytest.raises(
        ValueError,
        match=r"b.npy: has no flow and kernels \[1, 5, 5\], most have no flow and kernels \[1, 3",
    ):
        folder_pairs(tmp_path)
    assert len(folder_pairs(tmp_path, on_bad="skip")) == 2


def test_a_deleted_file_is_named(tmp_path):
    files = PairFiles(tmp_path / "a.png", tmp_path / "b.png")
    with pytest.raises(ValueError, match="a.png: no such file"):
        PairSource([files], smallest=1)


def test_the_error_for_an_unknown_option_lists_the_known_ones(tmp_path):
    save_pair(tmp_path, "a")
    with pytest.raises(ValueError, match=r"on_bad must be one of \['skip', 'stop'\], got 'no'"):
        folder_pairs(tmp_path, on_bad="no")
