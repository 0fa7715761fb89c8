import cv2
import numpy as np
import pytest

from deblur_jax.data.frame_filter import largest_motion, optical_flow, slow_windows


def moving_frames(offsets, size=64):
    """A smooth random texture, seen through a window that moves by `offsets` pixels."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.random((2 * size, 2 * size)), (0, 0), 3.0)
    texture = np.uint8(255 * (texture - texture.min()) / np.ptp(texture))
    frames = []
    for x in offsets:
        move = np.array([[1.0, 0.0, x - size / 2], [0.0, 1.0, -size / 2]])
        frame = cv2.warpAffine(texture, move, (size, size), flags=cv2.INTER_CUBIC)
        frames.append(np.repeat(frame[..., None], 3, axis=-1))
    return frames


def test_optical_flow_points_where_things_go():
    flow = optical_flow(*moving_frames([0.0, 3.0]))
    np.testing.assert_allclose(np.median(flow, axis=(0, 1)), [3, 0], atol=0.2)


def test_motion_is_measured_between_consecutive_frames():
    frames = moving_frames([0.0, 0.5, 1.0, 4.0, 4.0])
    motion = largest_motion(frames, quantile=0.5)
    np.testing.assert_allclose(motion, [0.5, 0.5, 3.0, 0.0], atol=0.2)


def test_windows_run_through_the_counts_and_do_not_overlap():
    assert list(slow_windows(np.zeros(19), (3, 5))) == [(0, 3), (3, 5), (8, 3), (11, 5), (16, 3)]


def test_no_window_spans_a_jump():
    motion = np.zeros(14)
    motion[[3, 9]] = 2.0  # from frame 3 to 4, and from 9 to 10
    assert list(slow_windows(motion, (3,))) == [(0, 3), (4, 3), (7, 3), (10, 3)]
    assert list(slow_windows(motion, (5,))) == [(4, 5), (10, 5)]
    assert list(slow_windows(np.full(14, 2.0), (3,))) == []


def test_the_limit_is_the_one_given():
    assert list(slow_windows(np.full(2, 2.0), (3,), limit=2.0)) == [(0, 3)]


def test_too_few_frames_give_no_window():
    assert list(slow_windows(np.zeros(3), (5,))) == []


def test_an_even_count_is_refused():
    with pytest.raises(ValueError, match=r"counts must be odd so that one frame is in the middle"):
        list(slow_windows(np.zeros(9), (7, 8)))


def test_frames_that_cannot_be_compared_are_refused():
    frame = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match="frames must be uint8, got float32 and uint8"):
        optical_flow(frame.astype(np.float32), frame)
    with pytest.raises(ValueError, match="must have one size of at least 16 pixels a side, got"):
        optical_flow(frame, frame[:-1])
