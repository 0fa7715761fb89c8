"""The server of the page without a browser: responses, errors and recovery."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from importlib import resources
from urllib.parse import quote

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from deblur_jax import deblurring
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.deblur_page import is_loopback
from deblur_jax.cli.deblur_page import main as deblur_page
from deblur_jax.cli.page.jobs import KEPT, LINE, cleaned
from deblur_jax.cli.page.worker import Worker
from deblur_jax.deblurring import Result
from deblur_jax.ops.operators import LineBlur
from tests.cli.pages import LIMITS, served_page


PICTURE = data.chelsea()[:64, :80]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def ask(server, path, body=None, method=None, **headers):
    """Return the status, the body and the headers of an answer."""
    address = f"http://127.0.0.1:{server.server_port}{path}"
    request = urllib.request.Request(address, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def send(server, path, name=None):
    status, body, _ = ask(server, f"/photos?name={quote(name or path.name)}", path.read_bytes())
    return json.loads(body)["key"] if status == 202 else json.loads(body)["message"]


def state(server, key):
    return json.loads(ask(server, f"/photos/{key}")[1])


def outcome(server, key):
    """Return the state of a photo once it is settled."""
    end = time.monotonic() + 60
    while (now := state(server, key))["state"] not in ("done", "failed"):
        assert time.monotonic() < end, now
        time.sleep(0.02)
    return now


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


@pytest.fixture
def page(folder):
    with served_page(folder) as server:
        yield server


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a cat's photo.jpg"
    exif = Image.Exif()
    exif[271], exif[0x0112] = "a maker", 6
    Image.fromarray(np.rot90(PICTURE)).save(path, exif=exif, icc_profile=SRGB, quality=95)
    return path


@pytest.fixture
def darker(monkeypatch):
    """Stands in for the restoration; returns what explains and what must happen first."""
    explained, may_go_on = [0.95], threading.Event()
    may_go_on.set()

    def half(image, network, *, strength, progress, **options):
        deblurring.check_photo(image, "deblur: image")
        progress(0.5)
        assert may_go_on.wait(60)
        flow = jnp.full((*image.shape[:2], 2), 3.0)
        mixed = deblurring.mix(image, image / 3, strength)
        residual = np.zeros_like(image)
        return Result(mixed, LineBlur(flow), residual, explained[0], restored=image / 3)

    monkeypatch.setattr(deblurring, "deblur", half)
    yield explained, may_go_on
    may_go_on.set()


@pytest.mark.usefixtures("darker")
@pytest.mark.parametrize("strength", [1.0, 0.35])
def test_the_download_is_byte_for_byte_what_the_command_writes(page, photo, strength, tmp_path):
    key = send(page, photo)
    assert outcome(page, key)["state"] == "done"
    address = f"/photos/{key}/download?strength={strength}&force=yes"
    status, downloaded, headers = ask(page, address)
    assert status == 200
    output = tmp_path / "by command.jpg"
    assert deblur([str(photo), "-o", str(output), "--force", f"--strength={strength}"]) == 0
    assert downloaded == output.read_bytes()
    assert headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''a%20cat%27s%20photo-deblurred.jpg"
    )
    with Image.open(output) as kept:
        assert kept.getexif()[271] == "a maker"
        assert kept.info["icc_profile"] == SRGB


@pytest.mark.usefixtures("darker")
def test_a_photo_is_drawn_as_it_was_restored_and_with_its_motion(page, photo):
    key = send(page, photo)
    done = outcome(page, key)
    assert (done["width"], done["height"], done["name"]) == (80, 64, photo.name)
    assert "motion of 4.2 pixels on average" in done["description"]
    assert done["verdict"] == "the blur explains 95 % of the photo to within its noise"
    for name in ("before.jpg", "after.jpg", "motion.png"):
        status, body, headers = ask(page, f"/photos/{key}/{name}")
        assert status == 200
        assert headers["Content-Type"] == f"image/{'png' if name.endswith('png') else 'jpeg'}"
        assert len(body) > 500


def bad_text(path):
    path.with_suffix(".jpg").write_text("words")
    return path.with_suffix(".jpg")


def bad_truncated(path):
    Image.fromarray(PICTURE).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    return path


def bad_tiny(path):
    Image.fromarray(PICTURE[:9, :9]).save(path)
    return path


@pytest.mark.usefixtures("darker")
def test_a_bad_photo_gets_the_command_s_error_and_the_next_is_restored(
    page, photo, tmp_path, capsys
):
    for make in (bad_text, bad_truncated, bad_tiny):
        path = make(tmp_path / "bad.png")
        told = outcome(page, send(page, path))
        assert told["state"] == "failed"
        capsys.readouterr()
        assert deblur([str(path)]) == 1
        by_command = capsys.readouterr().err.strip().splitlines()[-1]
        assert f"deblur: {tmp_path}/{told['says']}" == by_command
        path.unlink()
    assert outcome(page, send(page, photo))["state"] == "done"


@pytest.mark.usefixtures("darker")
def test_an_internal_error_fails_one_photo_only(page, photo, monkeypatch, capsys):
    whole = deblurring.deblur

    def broken(*arguments, **options):
        raise KeyError("lost")

    monkeypatch.setattr(deblurring, "deblur", broken)
    told = outcome(page, send(page, photo))
    assert told["says"] == f"{photo.name}: internal error in deblur_jax (KeyError: 'lost')"
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setattr(deblurring, "deblur", whole)
    assert outcome(page, send(page, photo))["state"] == "done"


def test_a_dead_worker_is_reported_and_replaced(folder, photo):
    started = []

    def start():
        ours, theirs = multiprocessing.Pipe()

        def die_or_restore():
            theirs.recv()
            if len(started) > 1:
                theirs.send(("done", {"trusted": True}))
            theirs.close()

        started.append(threading.Thread(target=die_or_restore))
        started[-1].start()
        return Worker(ours, theirs.close)

    with served_page(folder, start=start) as server:
        told = outcome(server, send(server, photo))
        assert told["says"] == (
            f"{photo.name}: the worker process died, probably because it ran out of memory; reduce "
            "the photo"
        )
        assert outcome(server, send(server, photo))["state"] == "done"
    assert len(started) == 2


def test_photos_are_restored_one_after_the_other_and_not_too_many_wait(page, photo, darker):
    _, may_go_on = darker
    may_go_on.clear()
    first = send(page, photo)
    while state(page, first)["share"] != 0.5:
        time.sleep(0.02)
    assert state(page, first)["state"] == "working"
    others = [send(page, photo) for _ in range(LINE)]
    told = [state(page, key) for key in others]
    assert [job["state"] for job in told] == LINE * ["waiting"]
    assert [job["ahead"] for job in told] == list(range(1, LINE + 1))
    assert f"{LINE} photos are already waiting; try again later" in send(page, photo)
    for key in others[1:]:
        ask(page, f"/photos/{key}", method="DELETE")
    may_go_on.set()
    assert outcome(page, others[0])["state"] == "done"
    assert [ask(page, f"/photos/{key}")[0] for key in others[1:]] == (LINE - 1) * [404]


def test_deleted_and_old_results_are_removed(page, folder, photo, darker):
    del darker
    keys = []
    for _ in range(KEPT + 2):
        keys.append(send(page, photo))
        outcome(page, keys[-1])
    while len(list(folder.iterdir())) > KEPT:
        time.sleep(0.02)
    assert sorted(path.name for path in folder.iterdir()) == sorted(keys[-KEPT:])
    assert ask(page, f"/photos/{keys[-1]}", method="DELETE")[0] == 200
    assert not (folder / keys[-1]).exists()
    assert ask(page, f"/photos/{keys[-1]}/download")[0] == 404


def test_an_untrusted_result_is_downloaded_only_on_request(page, photo, darker):
    explained, _ = darker
    explained[0] = 0.4
    key = send(page, photo)
    assert not outcome(page, key)["trusted"]
    status, body, _ = ask(page, f"/photos/{key}/download")
    assert status == 409
    assert b"the estimated blur explains only 40 % of the photo" in body
    assert ask(page, f"/photos/{key}/download?force=yes")[0] == 200
    for strength in ("2", "-1", "much", "nan"):
        assert ask(page, f"/photos/{key}/download?force=yes&strength={strength}")[0] == 400


def test_a_large_upload_is_refused_before_it_is_read_or_decoded(page, folder, tmp_path):
    (tmp_path / "long.jpg").write_bytes(bytes(LIMITS.most_bytes + 1))
    message = "long.jpg: has 1.0 million bytes, at most 1 million are accepted; reduce it"
    assert send(page, tmp_path / "long.jpg") == message
    assert list(folder.iterdir()) == []
    Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(tmp_path / "wide.png")
    assert outcome(page, send(page, tmp_path / "wide.png"))["says"] == (
        "wide.png: has 200x200 pixels (0.04 million), expected at most 0.02 million; "
        "resize the photo"
    )


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Origin": "http://evil.example"}],
)
def test_another_site_cannot_use_the_page(page, folder, photo, headers):
    for path, body in (("/", None), ("/limits", None), ("/photos?name=a.jpg", photo.read_bytes())):
        assert ask(page, path, body, **headers)[0] == 403
    assert list(folder.iterdir()) == []


def test_another_name_of_this_machine_can_be_allowed(folder):
    with served_page(folder, hosts=["Camera.local"]) as server:
        assert ask(server, "/", Host=f"camera.LOCAL:{server.server_port}")[0] == 200
        assert ask(server, "/", Host="camera.local:1")[0] == 403


@pytest.mark.usefixtures("darker")
def test_no_name_of_a_client_becomes_a_path(page, folder, photo):
    before = sorted(folder.parent.iterdir())
    for name in ("../../evil.jpg", "..", "/etc/passwd", "C:\\evil.png", "a\0b\r\nX: y.jpg", ""):
        key = send(page, photo, name)
        assert outcome(page, key)["state"] == "done"
        assert ask(page, f"/photos/{key}/download")[0] == 200
        names = {path.name for path in (folder / key).iterdir()}
        assert {name.split(".")[0] for name in names} == {
            "photo", "result", "restored", "before", "after", "motion",
        }  # fmt: skip
    assert sorted(folder.parent.iterdir()) == before
    for path in ("/../jobs.py", "/photos/../../etc/passwd", "/photos/x/restored.npy", "/static/x"):
        assert ask(page, path)[0] == 404


def test_names_are_for_people():
    assert cleaned("../../a b.jpg") == "a b.jpg"
    assert cleaned("C:\\photos\\ü.png") == "ü.png"
    assert cleaned("a\r\nb\0.jpg") == "ab.jpg"
    assert cleaned("..") == cleaned("") == cleaned("x/") == "photo"
    assert len(cleaned(1000 * "a" + ".jpg")) == 100


def test_the_page_needs_no_network(page):
    for path in ("/", "/page.css", "/page.js"):
        status, body, headers = ask(page, path)
        assert status == 200
        assert b"//" not in body.replace(b"  // ", b"")
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
    names = {path.name for path in (resources.files("deblur_jax.cli.page") / "static").iterdir()}
    assert names == {"index.html", "page.css", "page.js"}


def test_only_this_machine_is_served_by_default(page, capsys):
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    taken = str(page.server_port)
    assert deblur_page(["--port", taken, "--no-browser"]) == 1
    message = f"deblur-page: cannot listen on 127.0.0.1:{taken} (Address already in use)"
    assert message in capsys.readouterr().err
    assert deblur_page(["--model", "best", "--no-browser"]) == 1
    assert "deblur-page: model must be one of" in capsys.readouterr().err


# A shell has what it starts in the background ignore Ctrl-C, and so would what that starts.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from deblur_jax.cli.deblur_page import main; sys.exit(main())"
)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(tmp_path, name):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        address = re.fullmatch(r"Serving at (http://127\.0\.0\.1:\d+/) until Ctrl-C\.\n", line)[1]
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert answer.status == 200
        assert [path.name[:12] for path in tmp_path.iterdir()] == ["deblur-page-"]
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    assert list(tmp_path.iterdir()) == []
