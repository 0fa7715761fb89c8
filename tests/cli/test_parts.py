"""Many photos: shared among jobs, and continued after a job was stopped or killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from deblur_jax.cli import deblur as command
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.record import read_records
from deblur_jax.io.images import Photo, read_photo, write_photo
from tests.cli.stubs import PICTURE, darker, save_grey


__all__ = ["darker"]  # a fixture
COUNT = 22


@pytest.fixture
def folders(tmp_path):
    """Return a folder of photos that differ in brightness, and an empty one."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    for number in range(COUNT):
        save_grey(photos / f"{number:02}.png", 10 * number)
    return photos, out


def run(folders, *options):
    photos, out = map(str, folders)
    return deblur([photos, "-o", out, *options])


def results(out):
    return {path.name: path.read_bytes() for path in out.glob("*.png")}


class Killed(BaseException):
    """Ends a job at once, as a signal does that cannot be handled."""


def test_four_parts_of_which_one_is_killed_and_started_again_do_each_photo_once(
    folders, darker, monkeypatch, tmp_path, capsys
):
    whole = tmp_path / "whole"
    whole.mkdir()
    darker.dark = 0.1  # the first photos are left unchanged
    assert run((folders[0], whole)) == 0
    capsys.readouterr()
    expected, darker.seen = sorted(darker.seen), []
    write, out = command.write_photo, folders[1]

    def killed(path, photo):
        if path.name == "13.png":  # the fourth photo of part 2
            (path.parent / ".13.png.tmp").write_bytes(b"half")
            raise Killed
        write(path, photo)

    for part in ("1/4", "2/4", "3/4", "4/4"):
        with monkeypatch.context() as patch:
            patch.setattr(command, "write_photo", killed)
            if part == "2/4":
                with pytest.raises(Killed):
                    run(folders, "--part", part)
            else:
                assert run(folders, "--part", part) == 0
    assert "13.png" not in results(out)
    record = out / "deblur-record-2-of-4.jsonl"
    record.write_bytes(record.read_bytes()[:-30])  # and while it wrote a line
    darker.seen.remove(round(130 / 255, 3))  # was not finished
    (out / "09.png").unlink()  # the photo of the line that is cut short
    darker.seen.remove(round(90 / 255, 3))
    capsys.readouterr()
    assert run(folders, "--part", "2/4") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "part 2 of 4: 6 photos: 4 deblurred, 0 left unchanged, 0 failed, 2 done before."
    )
    assert sorted(darker.seen) == expected
    assert results(out) == results(whole)
    assert set(read_records(out)) == {f"{number:02}.png" for number in range(COUNT)}
    assert run(folders) == 0  # without parts there is nothing left
    assert sorted(darker.seen) == expected
    assert f"0 deblurred, 0 left unchanged, 0 failed, {COUNT} done before." in (
        capsys.readouterr().out
    )


def test_more_parts_than_photos_leave_some_jobs_without_work(folders, darker, capsys):
    assert run(folders, "--part", "30/30") == 0
    assert capsys.readouterr().out == (
        "part 30 of 30: 0 photos: 0 deblurred, 0 left unchanged, 0 failed.\n"
    )
    assert darker.seen == []


def test_a_photo_that_was_left_unchanged_is_not_judged_again(folders, darker, capsys):
    darker.dark = 2.0
    assert run(folders) == 0
    assert len(darker.seen) == COUNT
    assert results(folders[1]) == {}
    capsys.readouterr()
    assert run(folders, "--json") == 0
    assert len(darker.seen) == COUNT
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["state"] for line in lines} == {"done before"}
    assert lines[0]["reason"].startswith("the estimated blur explains only 30 %")
    assert not lines[0]["written"]
    assert run(folders, "--force") == 0  # now they are wanted
    assert len(results(folders[1])) == COUNT


def test_other_options_and_another_photo_are_not_taken_for_what_was_done(folders, darker, capsys):
    photos, out = folders
    assert run(folders) == 0
    assert run(folders, "--strength", "0.5") == 1
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == COUNT
    assert complaints[0] == (
        f"deblur: {out}/00.png: is the result of another photo or of other options; give "
        "--overwrite or another -o"
    )
    shutil.copy(photos / "21.png", photos / "00.png")
    assert run(folders) == 1
    assert "00.png: is the result of another photo" in capsys.readouterr().err
    assert len(darker.seen) == COUNT
    assert run(folders, "--strength", "0.5", "--overwrite") == 0
    assert len(darker.seen) == 2 * COUNT
    assert run(folders, "--strength", "0.5") == 0
    assert len(darker.seen) == 2 * COUNT


def test_a_failed_photo_is_tried_again(folders, darker, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(command, "write_photo", lambda *arguments: 1 / 0)
        assert run(folders) == 1
    assert f"0 deblurred, 0 left unchanged, {COUNT} failed." in capsys.readouterr().out
    assert run(folders) == 0
    assert len(darker.seen) == 2 * COUNT
    assert len(results(folders[1])) == COUNT


def test_beside_the_photos_a_newer_result_is_done_and_an_older_one_is_in_the_way(
    folders, darker, capsys
):
    photos, _ = folders
    photo, result = photos / "20.png", photos / "20-deblurred.png"
    assert deblur([str(photo)]) == 0
    capsys.readouterr()
    assert deblur([str(photo)]) == 0
    assert capsys.readouterr().out == (
        f"{photo}: done before: {result}; --overwrite restores it again\n"
    )
    os.utime(photo, (time.time() + 10,) * 2)
    assert deblur([str(photo)]) == 1
    assert f"{result}: exists already; give --overwrite" in capsys.readouterr().err
    assert len(darker.seen) == 1
    assert not list(photos.glob("*.jsonl"))


def test_a_photo_is_not_taken_for_its_own_result(folders, darker, capsys):
    photos, _ = folders
    assert deblur([str(photos), "-o", str(photos)]) == 1
    assert "00.png: exists already; give --overwrite or another -o" in capsys.readouterr().err
    assert darker.seen == []


def test_a_record_that_cannot_be_written_is_named(folders, darker, capsys):
    del darker
    (folders[1] / "deblur-record-1-of-2.jsonl").mkdir()
    assert run(folders, "--part", "1/2") == 1
    assert capsys.readouterr().err.endswith(
        f"{folders[1]}/deblur-record-1-of-2.jsonl: cannot be written (Is a directory); free some "
        "space, or choose another -o\n"
    )


def test_verbose_names_the_photos_that_were_done_before(folders, darker, capsys):
    del darker
    assert run(folders) == 0
    capsys.readouterr()
    assert run(folders, "-v") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == COUNT + 1
    assert lines[0].startswith(f"{folders[0]}/00.png: done before: {folders[1]}/00.png")


def test_a_record_that_makes_no_sense_is_passed_over(folders, darker):
    (folders[1] / "deblur-record.jsonl").write_bytes(b'\xff\n[]\n{"state": "deblurred"}\n{"sta')
    assert run(folders) == 0
    assert len(darker.seen) == COUNT
    assert run(folders) == 0
    assert len(darker.seen) == COUNT


@pytest.mark.slow
def test_four_processes_share_a_folder_and_a_killed_one_goes_on(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        noise = rng.normal(0, 0.01, (40, 48, 3))
        write_photo(photos / f"{number:02}.png", Photo(np.clip(PICTURE / 255 + noise, 0, 1)))
    options = ["--model", "camera-motion", "--steps", "2", "--force", "--device", "cpu"]

    def start(number):
        return subprocess.Popen(
            [sys.executable, "-m", "deblur_jax.cli.deblur", str(photos), "-o", str(out), *options,
             "--part", f"{number}/4"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    jobs = [start(number) for number in (1, 2, 3, 4)]
    second = out / "deblur-record-2-of-4.jsonl"
    until = time.monotonic() + 300
    while not second.exists() and time.monotonic() < until:
        time.sleep(0.01)
    jobs[1].send_signal(signal.SIGKILL)
    assert jobs[1].wait() == -signal.SIGKILL
    done = len(second.read_text().splitlines())
    assert 1 <= done < 6
    jobs[1].stdout.close()
    jobs[1] = start(2)
    summaries = [job.communicate()[0].splitlines()[-1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0, 0]
    assert summaries[0] == "part 1 of 4: 6 photos: 6 deblurred, 0 left unchanged, 0 failed."
    assert summaries[1].startswith("part 2 of 4: 6 photos: ")
    assert summaries[1].endswith(" done before.")
    names = {f"{number:02}.png" for number in range(COUNT)}
    assert set(read_records(out)) == names
    assert set(results(out)) == names
    for path in out.glob("*.png"):
        assert read_photo(path).pixels.shape == (40, 48, 3)
