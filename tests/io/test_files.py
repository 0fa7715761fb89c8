"""Replacing files: links and modes are kept, and every name that the system allows works."""

import os
import stat

import pytest

from deblur_jax.io.files import check_writable, whole_file


def write(path, text="new"):
    check_writable(path)
    with whole_file(path) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "photo.jpg"
    path.write_text("old")
    path.chmod(mode)
    write(path)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_mode_of_any_other(tmp_path, mask):
    before = os.umask(mask)
    try:
        write(tmp_path / "photo.jpg")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "photo.jpg").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path, there):
    (tmp_path / "deeper").mkdir()
    real, middle, link = (tmp_path / name for name in ("deeper/real.jpg", "b.jpg", "a.jpg"))
    if there:
        real.write_text("old")
    middle.symlink_to(real)
    link.symlink_to("b.jpg")
    write(link)
    assert link.is_symlink()
    assert middle.is_symlink()
    assert real.read_text() == "new"
    assert len(list(tmp_path.rglob("*"))) == 4


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_text("old")
    os.chown(path, 1234, 1235)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


@pytest.mark.parametrize("length", [1, 237, 238, 250, 255])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_every_name_that_the_system_allows_is_written(tmp_path, length, letter):
    stem = letter * ((length - 4) // len(letter.encode())) or "x"
    path = tmp_path / f"{stem}.jpg"
    write(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_name_that_is_too_long_is_refused_before_the_work(tmp_path):
    with pytest.raises(OSError, match=r"cannot be written \(File name too long\); choose another"):
        check_writable(tmp_path / f"{252 * 'x'}.jpg")
    assert list(tmp_path.iterdir()) == []


def test_circular_links_are_refused_before_the_work(tmp_path):
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    with pytest.raises(OSError, match=r"a\.jpg: cannot be written"):
        check_writable(tmp_path / "a.jpg")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_into_a_missing_folder_is_refused_before_the_work(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone" / "b.jpg")
    with pytest.raises(FileNotFoundError, match="gone: no such folder; make it first"):
        check_writable(tmp_path / "a.jpg")
