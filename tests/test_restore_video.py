"""Video: the neighbours of each frame, errors, and the command."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax import deblur_video, load
from deblur_jax.cli.deblur import main as deblur_photos
from deblur_jax.cli.deblur_video import main
from deblur_jax.io.video import read_frames, write_frames
from deblur_jax.io.weights import write_weights
from deblur_jax.models.flow_rnn import FlowRnnNet
from deblur_jax.pretrained import Pretrained


@dataclasses.dataclass(frozen=True)
class Weighted:
    """Stands for a network: the first frame, and a tenth and a hundredth of its neighbours."""

    frames: int

    def apply(self, variables, *images):
        assert len(images) == self.frames
        return sum(image * 0.1**place for place, image in enumerate(images))

    def restored(self, estimate):
        return estimate


def network(frames):
    return Pretrained("weighted", Weighted(frames), {}, {})


def video(*values):
    return [np.full((32, 40, 3), value, np.float32) for value in values]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (1, [0.1, 0.2, 0.3]),
        # The next frame; the one before for the last one.
        (2, [0.12, 0.23, 0.32]),
        # And the one before; the next one for the first one.
        (3, [0.122, 0.231, 0.322]),
    ],
)
def test_each_frame_is_restored_with_its_neighbours(frames, expected):
    restored = list(deblur_video(video(0.1, 0.2, 0.3), network(frames)))
    assert all(frame.shape == (32, 40, 3) for frame in restored)
    np.testing.assert_allclose([frame[0, 0, 0] for frame in restored], expected, atol=1e-6)


def test_the_only_frame_is_its_own_neighbour():
    [restored] = deblur_video(video(0.5), network(2))
    np.testing.assert_allclose(restored, 0.55, atol=1e-6)


def test_frames_are_taken_one_at_a_time():
    taken = []

    def frames():
        for value in (0.1, 0.2, 0.3, 0.4):
            taken.append(value)
            yield from video(value)

    next(deblur_video(frames(), network(2)))
    assert taken == [0.1, 0.2]


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (np.ones((32, 40, 3), np.uint8), TypeError, "photo must be a float array .* got uint8"),
        (np.ones((32, 40, 1)), ValueError, "frame 1 must have 3 channels, got 1; repeat a grey"),
        (np.ones((32, 40, 4)), ValueError, "frame 1 must have 3 channels, got 4; .* drop alpha"),
        (np.ones((40, 31, 3)), ValueError, "frame 1 must have at least 32 pixels a side"),
        (np.full((32, 40, 3), 255.0), ValueError, r"frame 1 must be finite and in \[0, 1\]"),
        (np.ones((40, 40, 3)), ValueError, "frame 1 is 40x40, expected 40x32 like the first one"),
    ],
)
def test_a_frame_that_cannot_be_restored_is_refused(frame, error, message):
    with pytest.raises(error, match=message):
        list(deblur_video([*video(0.1), frame], network(2)))


def test_a_network_that_does_not_restore_is_refused():
    with pytest.raises(ValueError, match="holds a MotionContextNet, expected a network that rest"):
        deblur_video(video(0.1), load("motion-context"))


def test_the_command_restores_a_folder_of_frames(tmp_path, capsys):
    model = FlowRnnNet(width=2, recurrence="none")  # is compiled soonest
    photo = jnp.zeros((1, 64, 64, 3))
    shapes = jax.eval_shape(model.init, jax.random.key(0), photo, photo)
    weights = tmp_path / "net.safetensors"
    card = {"model": {"name": "flow_rnn", "width": 2, "recurrence": "none"}}
    write_weights(weights, jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes), card)
    write_frames(tmp_path / "blurry", [("a", video(0.2)[0]), ("b", video(0.4)[0])])
    command = [str(tmp_path / "blurry"), "--model", str(weights), "-o"]
    assert main([*command, str(tmp_path / "sharp")]) == 0
    assert "2 frames deblurred" in capsys.readouterr().out
    found = list(read_frames(tmp_path / "sharp"))
    assert [(name, frame.shape) for name, frame in found] == [
        ("a", (32, 40, 3)), ("b", (32, 40, 3))
    ]  # fmt: skip
    assert main([*command, str(tmp_path / "again"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main([*command, str(tmp_path / "sharp")]) == 1
    assert "exists already" in capsys.readouterr().err

    # The command for photos does the same when it is given such a network.
    write_frames(tmp_path / "clip.mkv", found)
    photo = tmp_path / "blurry" / "a.png"
    videos = [str(tmp_path / "blurry"), str(tmp_path / "clip.mkv"), str(photo)]
    assert deblur_photos([*videos, "--model", str(weights)]) == 1
    shown = capsys.readouterr()
    assert shown.err == (
        f"deblur: {photo}: not a video, but {weights} restores videos; give a folder of frames "
        "or a file that ends in one of .mp4, .mov, .mkv, .avi, .m4v, .webm\n"
    )
    for (_, ours), (_, theirs) in zip(
        read_frames(tmp_path / "blurry-deblurred"), found, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert len(list(read_frames(tmp_path / "clip-deblurred.mkv"))) == 2
    assert deblur_photos([*videos, "--model", str(weights), "-o", str(tmp_path / "x")]) == 1
    assert "-o is for one video" in capsys.readouterr().err
    assert deblur_photos([str(tmp_path / "clip.mkv")]) == 1
    assert (
        "clip.mkv: is a video; use --model with the weights of a network that restores frames"
        in (capsys.readouterr().err)
    )
