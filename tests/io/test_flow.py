"""Flow files: exact round trips, and every damage named with the file's path."""

import struct

import numpy as np
import pytest
from scipy.io import savemat

from deblur_jax.io.flow import read_flow, read_mat, write_flow
from tests.real_data import needs, real_path


def real(name):
    return pytest.param(real_path(name), id=name, marks=needs(name))


@pytest.fixture
def flow():
    return np.random.default_rng(0).normal(0, 9, (5, 7, 2)).astype(np.float32)


def test_a_flow_comes_back_exactly(tmp_path, flow):
    write_flow(tmp_path / "a.flo", flow)
    back = read_flow(tmp_path / "a.flo")
    np.testing.assert_array_equal(back, flow)
    assert back.dtype == np.float32


def test_u_is_stored_before_v_and_rows_one_after_another(tmp_path):
    flow = np.zeros((2, 3, 2))
    flow[0, 1] = (4, -5)  # right, down; the second pixel of the first row
    write_flow(tmp_path / "a.flo", flow)
    data = (tmp_path / "a.flo").read_bytes()
    assert struct.unpack_from("<fii", data) == (202021.25, 3, 2)
    assert struct.unpack_from("<ff", data, 12 + 8) == (4, -5)


def test_an_unknown_motion_is_nan_in_memory_and_a_mark_in_the_file(tmp_path, flow):
    flow[2, 3] = np.nan
    write_flow(tmp_path / "a.flo", flow)
    with pytest.raises(ValueError, match="a.flo: the flow is unknown at 1 of 35 pixels"):
        read_flow(tmp_path / "a.flo")
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo", unknown="nan"), flow)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pfm_flow_is_stored_upwards_with_a_third_channel(tmp_path, flow, order):
    stored = np.concatenate([flow, np.zeros((5, 7, 1), np.float32)], axis=-1)[::-1]
    header = b"PF\n7 5\n" + (b"-1\n" if order == "<" else b"1\n")
    (tmp_path / "a.pfm").write_bytes(header + stored.astype(f"{order}f4").tobytes())
    np.testing.assert_array_equal(read_flow(tmp_path / "a.pfm"), flow)


def test_the_only_flow_of_a_mat_file_is_read(tmp_path, flow):
    savemat(tmp_path / "a.mat", {"mfmap": flow.astype(np.float64), "note": 3.0})
    np.testing.assert_array_equal(read_flow(tmp_path / "a.mat"), flow)


def flo(width, height, count):
    return b"PIEH" + struct.pack("<ii", width, height) + bytes(4 * count)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.flo", b"HEIP" + bytes(20), "a.flo: not a Middlebury flow; the file must begin with"),
        ("a.flo", b"", "a.flo: not a Middlebury flow"),
        ("a.flo", b"PIEH\1\0", "a.flo: the header is cut short; copy the file again"),
        ("a.flo", flo(-3, 2, 12), "a.flo: the header says -3x2 pixels; expected 1 to 99999"),
        ("a.flo", flo(100000, 2, 12), "a.flo: the header says 100000x2 pixels"),
        ("a.flo", flo(3, 2, 11), "is cut short; 3x2 pixels take 48 bytes after the header, got 44"),
        ("a.flo", flo(3, 2, 13), "a.flo: the flow is too long; 3x2 pixels take 48"),
        ("a.pfm", b"P5\n3 2\n-1\n" + bytes(72), "a.pfm: not a colour PFM file; it must begin"),
        ("a.pfm", b"PF\nwords\n", "a.pfm: not a PFM file; expected a size and a scale after PF"),
        ("a.pfm", b"PF\n3 2\n-1\n" + bytes(70), "a.pfm: the flow is cut short"),
        ("a.mat", b"words", "a.mat: damaged or not a MATLAB file"),
        ("a.mat", b"", "a.mat: damaged or not a MATLAB file"),
        ("a.png", b"", "a.png: the name must end in one of .flo, .pfm, .mat"),
    ],
)
def test_damage_is_named_with_the_path(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_flow(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_in_a_file_are_refused(tmp_path, flow, value):
    flow[0, 0, 1] = value
    data = b"PIEH" + struct.pack("<ii", 7, 5) + flow.tobytes()
    (tmp_path / "a.flo").write_bytes(data)
    with pytest.raises(ValueError, match="a.flo: the flow is NaN or infinite at 1 of 35 pixels"):
        read_flow(tmp_path / "a.flo", unknown="nan")


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_mat_file_cut_short_is_named(tmp_path, flow, keep):
    path = tmp_path / "a.mat"
    savemat(path, {"mfmap": flow}, do_compression=True)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"a\.mat: (damaged|expected one variable)"):
        read_flow(path)


def test_the_error_for_a_mat_file_without_a_single_flow_lists_its_arrays(tmp_path):
    savemat(tmp_path / "a.mat", {"kernel": np.ones((3, 3))})
    with pytest.raises(ValueError, match=r"expected one variable \[h, w, 2\], got kernel \[3, 3\]"):
        read_flow(tmp_path / "a.mat")


def test_a_missing_file_is_named(tmp_path):
    for read in (read_flow, read_mat):
        with pytest.raises(FileNotFoundError, match="a.mat: no such file"):
            read(tmp_path / "a.mat")


def test_what_cannot_be_written_is_refused_and_leaves_no_file(tmp_path, flow):
    with pytest.raises(ValueError, match=r"must be \[h, w, 2\], got \[5, 7\]"):
        write_flow(tmp_path / "a.flo", flow[..., 0])
    with pytest.raises(ValueError, match="beyond 1e9 pixels; NaN marks an unknown motion"):
        write_flow(tmp_path / "a.flo", flow * np.inf)
    with pytest.raises(ValueError, match="file ending in .flo"):
        write_flow(tmp_path / "a.png", flow)
    assert not list(tmp_path.iterdir())


def test_the_error_for_an_unknown_option_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"unknown must be one of \['nan', 'stop'\], got 'skip'"):
        read_flow(tmp_path / "a.flo", unknown="skip")


@pytest.mark.parametrize(
    "path", [real("flow/Venus/flow10.flo"), real("flow/FlyingChairs/0000000-gt.flo")]
)
def test_real_files_are_read_and_written_byte_for_byte(path, tmp_path):
    write_flow(tmp_path / "again.flo", read_flow(path))
    assert (tmp_path / "again.flo").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", [real("flow/RubberWhale/flow10.flo")])
def test_the_unknown_pixels_of_a_real_file_are_found(path):
    flow = read_flow(path, unknown="nan")
    assert flow.shape == (388, 584, 2)
    assert np.isnan(flow).any(axis=-1).sum() == 3622
    assert np.nanmax(np.abs(flow)) < 5


@pytest.mark.parametrize("path", [real("gong2017_generator/8143_001_mfmap.mat")])
def test_the_published_motion_flow_is_read(path):
    flow = read_flow(path)
    assert flow.shape == (301, 461, 2)
    assert (flow.min(), flow.max()) == (-14, 20)
