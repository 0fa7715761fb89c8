"""Videos as folders and files: round trips and errors."""

import numpy as np
import pytest

from deblur_jax.io.images import Photo, write_photo
from deblur_jax.io.video import RATE, frame_rate, read_frames, write_frames


def frames(count=3, height=34, width=48):
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows / height, columns / width, 0.5 + 0 * rows], axis=-1)
    return [(f"a{i}", (smooth * (1 - 0.1 * i)).astype(np.float32)) for i in range(count)]


@pytest.mark.parametrize(
    ("name", "error"), [("seen", 0.5), ("seen.mkv", 0.5), ("seen.avi", 0.5), ("seen.mp4", 16)]
)
def test_what_is_written_is_read_again(tmp_path, name, error):
    path = tmp_path / name
    assert write_frames(path, iter(frames()), rate=24.0) == 3
    found = list(read_frames(path))
    assert [x for x, _ in found] == (
        ["a0", "a1", "a2"] if name == "seen" else ["000000", "000001", "000002"]
    )
    for (_, before), (_, after) in zip(frames(), found, strict=True):
        assert after.dtype == np.float32
        np.testing.assert_allclose(after, before, atol=(error + 0.01) / 255)
    assert frame_rate(path) == (RATE if name == "seen" else 24.0)
    assert [x.name for x in tmp_path.iterdir()] == [name]
    with pytest.raises(FileExistsError, match="exists already"):
        write_frames(path, frames())


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="give a folder of frames or a file"):
        read_frames(tmp_path / "gone.mp4")
    with pytest.raises(ValueError, match=r"holds no frame; expected files ending in \.jpg"):
        read_frames(tmp_path)
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    with pytest.raises(ValueError, match="not a video that OpenCV can read here; give its frames"):
        read_frames(text)


def test_a_video_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match=r"as a file that ends in one of \.mp4, \.mov"):
        write_frames(tmp_path / "seen.gif", frames())
    with pytest.raises(ZeroDivisionError):
        write_frames(tmp_path / "seen", ((f"{1 / number}", None) for number in [0]))
    with pytest.raises(ValueError, match="there is no frame to write"):
        write_frames(tmp_path / "seen.mp4", [])
    odd = [*frames(1), ("small", np.zeros((32, 32, 3), np.float32))]
    with pytest.raises(ValueError, match="frame small is 32x32, expected 48x34 as the first one"):
        write_frames(tmp_path / "seen.mkv", odd)
    with pytest.raises(ValueError, match="must have even sides, got 47x34; write a folder"):
        write_frames(tmp_path / "seen.mkv", frames(width=47))
    with pytest.raises(FileNotFoundError, match="no such folder; make it first"):
        write_frames(tmp_path / "gone" / "seen.mkv", frames())
    assert not list(tmp_path.iterdir())


def test_grey_frames_are_read_in_three_channels(tmp_path):
    pixels = frames(1)[0][1]
    write_photo(tmp_path / "grey.png", Photo(pixels, grey=True))
    [(name, found)] = read_frames(tmp_path)
    assert (name, found.shape) == ("grey", pixels.shape)
