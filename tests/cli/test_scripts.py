"""The command in scripts: JSON lines, exit codes, what is printed, standard input and output."""

import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from deblur_jax.cli import deblur as command
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.options import EXIT_CODES, make_parser
from deblur_jax.io.images import read_photo
from tests.cli.stubs import PICTURE, darker, save_grey
from tests.io.containers import ROOT, ultra_hdr


__all__ = ["darker"]  # a fixture
FIELDS = {
    "input", "output", "state", "model", "blur", "kernel_pixels", "longest_motion", "verdict",
    "likely", "explained", "trusted", "written", "reason", "seconds", "lost",
}  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """Return a folder with a photo, a dark one, one with a gain map, and a damaged one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    save_grey(folder / "a.png", 100)
    save_grey(folder / "b.png", 9)
    ultra_hdr(folder / "c.jpg", PICTURE)
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes()[:60])
    return folder


def test_json_describes_each_photo_in_a_line_and_nothing_else_is_printed(photos, darker, capsys):
    darker.dark = 0.1
    assert deblur(["--json", str(photos)]) == 1
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert all(set(line) == FIELDS for line in lines)
    first, second, third, fourth = lines
    assert first == {
        "input": str(photos / "a.png"), "output": str(photos / "a-deblurred.png"),
        "state": "deblurred", "model": "auto", "blur": "motion", "kernel_pixels": None,
        "longest_motion": 5.0, "likely": None, "explained": 0.95, "trusted": True,
        "verdict": "the blur explains 95 % of the photo to within its noise", "written": True,
        "reason": "", "seconds": first["seconds"], "lost": [],
    }  # fmt: skip
    assert first["seconds"] >= 0
    assert (second["state"], second["written"], second["trusted"]) == ("unchanged", False, False)
    assert second["reason"] == second["verdict"]
    assert third["lost"] == ["gain map (HDR)"]
    assert (fourth["state"], fourth["written"]) == ("failed", False)
    assert fourth["reason"].startswith(f"{photos / 'd.png'}: the image is cut short or damaged")
    assert shown.err.splitlines() == [
        f"{photos}/c.jpg: left out of c-deblurred.jpg: gain map (HDR).",
        f"deblur: {fourth['reason']}",
        "4 photos: 2 deblurred, 1 left unchanged, 1 failed.",
    ]


def test_quiet_prints_errors_only(photos, darker, capsys):
    del darker
    assert deblur(["-q", str(photos)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith(f"deblur: {photos}/d.png: ")


def test_verbose_says_where_an_internal_error_was_raised(photos, darker, monkeypatch, capsys):
    del darker

    def fail(*arguments, **options):
        raise KeyError("odd")

    monkeypatch.setattr(command, "restore_photo", fail)
    for options, told in ((["-v"], True), ([], False)):
        assert deblur([*options, str(photos / "a.png")]) == 1
        assert ("Traceback" in capsys.readouterr().out) == told


def test_the_help_lists_the_exit_codes(capsys):
    with pytest.raises(SystemExit, match="0"):
        deblur(["--help"])
    assert EXIT_CODES in capsys.readouterr().out
    for code in (0, 1, 2, command.INTERRUPTED, command.BROKEN_PIPE):
        assert f"\n  {code} " in EXIT_CODES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PHOTO"),
        (["-", "a.jpg"], "- (standard input) must be the only PHOTO"),
        (["a.jpg", "b.jpg", "-o", "-"], "-o - (standard output) is for one PHOTO; give a folder"),
        (["-", "--json"], "--json and the photo cannot both go to standard output; give -o FILE"),
        (["a.jpg", "--part", "0/3"], "--part: must be I/N with I from 1 to N, such as 3/8"),
        (["a.jpg", "--part", "4/3"], "got '4/3'"),
        (["a.jpg", "--part", "two"], "got 'two'"),
        (["a.jpg", "--format", "gif"], "--format: invalid choice: 'gif'"),
        (["a.jpg", "-q", "-v"], "not allowed with argument"),
    ],
)
def test_options_that_make_no_sense_end_with_code_2(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        deblur(arguments)
    assert message in capsys.readouterr().err


def test_the_format_of_results_can_be_chosen(photos, darker, capsys):
    del darker
    assert deblur(["--format", "webp", str(photos / "a.png")]) == 0
    with Image.open(photos / "a-deblurred.webp") as image:
        assert image.format == "WEBP"
    assert deblur(["--format", "webp", str(photos / "a.png"), "-o", str(photos / "x.png")]) == 1
    assert "x.png: the name stands for PNG, and --format for WebP; omit" in capsys.readouterr().err


class Stream:
    """Standard input or output, of bytes."""

    def __init__(self, content=b""):
        self.buffer, self.text = io.BytesIO(content), ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return False


def piped(monkeypatch, content, *options):
    """Return the exit code and the bytes of standard output."""
    output = Stream()
    monkeypatch.setattr(sys, "stdin", Stream(content))
    monkeypatch.setattr(sys, "stdout", output)
    code = deblur([*options])
    monkeypatch.undo()
    assert output.text == ""  # words would be among the bytes
    return code, output.buffer.getvalue()


def as_bytes(kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(PICTURE).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def pipe(darker):
    """Return the stub, and a patch of its own, so that the streams alone are put back."""
    return darker, pytest.MonkeyPatch()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_photo_goes_through_a_pipe_in_its_own_format(pipe, kind, capsys):
    code, data = piped(pipe[1], as_bytes(kind), "-")
    assert code == 0
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == kind
        difference = np.asarray(image.convert("RGB")) - PICTURE / 2
    assert np.abs(difference).mean() < 4
    assert capsys.readouterr().err.splitlines()[-1].startswith("standard output: motion of 5.0")


def test_the_format_of_standard_output_can_be_chosen(pipe, tmp_path):
    code, data = piped(pipe[1], as_bytes("JPEG", quality=95), "-", "--format", "png", "-q")
    assert code == 0
    assert data.startswith(b"\x89PNG")
    (tmp_path / "a.jpg").write_bytes(as_bytes("JPEG", quality=95))
    assert piped(pipe[1], b"", str(tmp_path / "a.jpg"), "-o", "-", "--format", "png", "-q") == (
        0,
        data,
    )


def test_a_photo_that_is_left_unchanged_goes_through_as_it_is(pipe, capsys):
    darker, patch = pipe
    darker.dark, content = 1.0, as_bytes("JPEG")
    assert piped(patch, content, "-") == (0, content)
    assert "standard input: left unchanged: " in capsys.readouterr().err
    code, data = piped(patch, content, "-", "--format", "png")
    assert code == 0
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(content)))
    )


def test_standard_input_to_a_file_can_be_described_in_json(darker, tmp_path, monkeypatch, capsys):
    del darker
    monkeypatch.setattr(sys, "stdin", Stream(as_bytes("PNG")))
    assert deblur(["-", "-o", str(tmp_path / "out.png"), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["input"], line["state"]) == ("standard input", "deblurred")
    assert read_photo(tmp_path / "out.png").pixels.shape == (40, 48, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "deblur: standard input: is empty; expected the bytes of a photo\n"),
        (b"words", "deblur: standard input: not an image that can be read; expected one of jpg,"),
        (as_bytes("PNG")[:99], "deblur: standard input: the image is cut short or damaged"),
    ],
)
def test_bytes_that_are_no_photo_give_one_line_and_no_bytes(pipe, content, message, capsys):
    assert piped(pipe[1], content, "-") == (1, b"")
    shown = capsys.readouterr().err
    assert shown.startswith(message)
    assert len(shown.splitlines()) == 1


def test_bytes_are_not_printed_on_a_terminal(pipe, monkeypatch, capsys):
    monkeypatch.setattr(Stream, "isatty", lambda stream: True)
    assert piped(pipe[1], as_bytes("PNG"), "-") == (1, b"")
    assert "standard output is a terminal; redirect it, or give -o FILE" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--json"], []])
def test_a_reader_that_stops_ends_the_command_quietly(photos, darker, monkeypatch, option, capfd):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert deblur([*option, str(photos)]) == 141
        monkeypatch.undo()
    assert len(darker.seen) <= 1  # the other photos are not restored for nobody
    assert capfd.readouterr().err == ""


def test_the_interpreter_does_not_complain_about_a_closed_pipe():
    shell = f"{sys.executable} -m deblur_jax.cli.deblur --print-completion bash | true"
    done = subprocess.run(
        ["bash", "-c", f'{shell}; echo "${{PIPESTATUS[0]}}"'],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_no_bar_is_drawn_where_there_is_no_terminal(photos, darker, capsys):
    del darker
    assert deblur([str(photos / "a.png")]) == 0
    assert "%|" not in capsys.readouterr().err


def test_the_page_names_every_field_and_exit_code():
    section = (ROOT / "deblur_jax" / "cli" / "README.md").read_text().split("## Scripts")[1]
    rows = re.findall(r"^\| (.+?) \|", section.split("\n## ")[0], re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == FIELDS
    codes = re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)
    assert [row for row in rows if row.isdigit()] == codes


def test_every_option_has_help():
    assert all(action.help for action in make_parser()._actions)
