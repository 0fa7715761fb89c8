"""The routes of the page without a browser: responses, errors and recovery."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import resources
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from deblur_jax import deblurring
from deblur_jax.cli import deblur_page as page_command
from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.deblur_page import is_loopback
from deblur_jax.cli.deblur_page import main as deblur_page
from deblur_jax.deblurring import Result
from deblur_jax.ops.operators import LineBlur


pytest.importorskip("starlette", reason="needs the extra 'page'")
pytest.importorskip("httpx2", reason="starlette's test client needs httpx2")

from starlette.exceptions import HTTPException

from deblur_jax.cli.page import jobs, server, worker
from deblur_jax.cli.page.guard import accepted_names
from deblur_jax.cli.page.jobs import KEPT, LINE, cleaned
from deblur_jax.cli.page.methods import METHODS, offered_methods
from deblur_jax.cli.page.work import TRY_SIDE
from deblur_jax.cli.page.worker import DiedError, Worker, start_process
from tests.cli.pages import LIMITS, page_client, start_thread, third_as_bright


PICTURE = data.chelsea()[:64, :80]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def send(page, path, name=None, **query):
    """Return the key of an uploaded photo, or the message of the refusal."""
    query["name"] = path.name if name is None else name
    answer = page.post("/photos", params=query, content=path.read_bytes())
    return answer.json()["key" if answer.status_code == 202 else "message"]


def state(page, key):
    return page.get(f"/photos/{key}").json()


def reaches(page, key, *states):
    """Return the state of a photo once it is one of these."""
    end = time.monotonic() + 60
    while (now := state(page, key))["state"] not in states:
        assert time.monotonic() < end, now
        time.sleep(0.02)
    return now


def outcome(page, key):
    return reaches(page, key, "done", "failed")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


@pytest.fixture
def page(folder):
    with page_client(folder) as client:
        yield client


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
    explained = [0.95]
    with third_as_bright(
        monkeypatch, share=0.5, judged=lambda: {"explained": explained[0]}
    ) as wait:
        yield explained, wait


@pytest.mark.usefixtures("darker")
@pytest.mark.parametrize("strength", [1.0, 0.35])
def test_the_download_is_byte_for_byte_what_the_command_writes(page, photo, strength, tmp_path):
    key = send(page, photo)
    assert outcome(page, key)["state"] == "done"
    answer = page.get(f"/photos/{key}/download?strength={strength}&force=yes")
    assert answer.status_code == 200
    output = tmp_path / "by command.jpg"
    assert deblur([str(photo), "-o", str(output), "--force", f"--strength={strength}"]) == 0
    assert answer.content == output.read_bytes()
    assert answer.headers["Content-Disposition"].lower() == (
        "attachment; filename*=utf-8''a%20cat%27s%20photo-deblurred.jpg"
    )
    with Image.open(output) as kept:
        assert kept.getexif()[271] == "a maker"
        assert kept.info["icc_profile"] == SRGB


@pytest.mark.parametrize("strength", [1.0, 0.35])
def test_what_is_trusted_in_part_is_downloaded_as_the_command_writes_it(
    page, tmp_path, monkeypatch, strength
):
    def judged(image, network, *, strength, progress, **options):
        trust = np.linspace(0, 1, image[..., :1].size, dtype=np.float32).reshape(64, 80, 1)
        mixed = deblurring.mix(image, image / 3, strength * trust)
        flow, nothing = jnp.zeros((64, 80, 2)), np.zeros_like(image)
        return Result(
            mixed, LineBlur(flow), nothing, 1.0, likely=0.97, restored=image / 3, trust=trust
        )

    monkeypatch.setattr(deblurring, "deblur", judged)
    Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    key = send(page, tmp_path / "deep.png")
    done = outcome(page, key)
    assert done["trusted"]
    assert done["likely"] == 0.97
    answer = page.get(f"/photos/{key}/download?strength={strength}")
    output = tmp_path / "by command.png"
    assert deblur([str(tmp_path / "deep.png"), "-o", str(output), f"--strength={strength}"]) == 0
    assert answer.content == output.read_bytes()


@pytest.mark.usefixtures("darker")
def test_a_photo_is_drawn_as_it_was_restored_and_with_its_blur(page, photo):
    key = send(page, photo)
    done = outcome(page, key)
    assert (done["width"], done["height"], done["name"]) == (80, 64, photo.name)
    assert "motion of 4.2 pixels on average" in done["description"]
    assert done["verdict"] == "the blur explains 95 % of the photo to within its noise"
    assert not done["whole"]
    for name in ("before.jpg", "after.jpg", "blur.jpg"):
        answer = page.get(f"/photos/{key}/{name}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert len(answer.content) > 500
    assert page.get(f"/photos/{key}/whole-before.jpg").status_code == 404


@pytest.mark.usefixtures("darker")
def test_a_photo_larger_than_its_preview_is_drawn_whole_as_well(page, tmp_path):
    Image.fromarray(np.zeros((11, 1700, 3), np.uint8)).save(tmp_path / "thin.png")
    key = send(page, tmp_path / "thin.png")
    assert outcome(page, key)["whole"]
    sizes = {}
    for name in ("before.jpg", "whole-before.jpg"):
        (tmp_path / name).write_bytes(page.get(f"/photos/{key}/{name}").content)
        with Image.open(tmp_path / name) as picture:
            sizes[name] = picture.width
    assert sizes == {"before.jpg": 1600, "whole-before.jpg": 1700}


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
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyError("lost"), "internal error in deblur_jax (KeyError: 'lost')"),
        (MemoryError(), "does not fit in memory; reduce the photo"),
    ],
)
def test_an_error_of_any_kind_fails_one_photo_only(page, photo, monkeypatch, error, says):
    def broken(*arguments, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(deblurring, "deblur", broken)
        assert outcome(page, send(page, photo))["says"] == f"{photo.name}: {says}"
    assert outcome(page, send(page, photo))["state"] == "done"


@pytest.mark.usefixtures("darker")
def test_a_dead_process_fails_its_photo_only_and_is_replaced(folder, photo):
    started = []

    def start():
        pool = start_thread()
        if not started:
            pool.executor.submit = dying  # of the helper, which draws the first photo
        started.append(pool)
        return pool

    def dying(*arguments):
        raise worker.BrokenExecutor

    with page_client(folder, start=start) as page:
        assert outcome(page, send(page, photo))["says"] == (
            f"{photo.name}: the process that restored it died, probably because it ran out of "
            "memory; reduce the photo"
        )
        assert outcome(page, send(page, photo))["state"] == "done"
    assert len(started) == 3


def test_a_process_that_dies_or_is_stopped_fails_one_call():
    async def use():
        restorer = Worker(start_process)
        with pytest.raises(DiedError):
            await restorer.run(os.abort)
        first = await restorer.run(os.getpid)
        assert first != os.getpid()
        slow, waiting = (asyncio.create_task(restorer.run(time.sleep, 600)) for _ in range(2))
        after = asyncio.create_task(restorer.run(os.getpid))
        await asyncio.sleep(0.05)
        waiting.cancel()
        slow.cancel()
        assert await after != first
        restorer.stop()
        return first

    def runs(process):
        return Path(f"/proc/{process}").exists()

    stopped = asyncio.run(use())
    end = time.monotonic() + 60
    while runs(stopped):
        assert time.monotonic() < end
        time.sleep(0.02)


ORPHAN = """
import asyncio, os
from deblur_jax.cli.page.worker import Worker
async def use():
    print(await Worker().run(os.getpid), flush=True)
    os._exit(9)
if __name__ == "__main__":
    asyncio.run(use())
"""


def test_a_process_does_not_outlive_a_server_that_is_killed(tmp_path):
    (tmp_path / "orphan.py").write_text(ORPHAN)
    done = subprocess.run(
        [sys.executable, tmp_path / "orphan.py"],
        stdout=subprocess.PIPE,  # at its end once no process holds it
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
    )
    assert done.returncode == 9
    assert int(done.stdout) > 0


STOPPED_AT_ONCE = """
import asyncio, time
from deblur_jax.cli.page.worker import Worker
async def use():
    worker = Worker()
    call = asyncio.create_task(worker.run(time.sleep, 600))
    await asyncio.sleep(0)
    worker.stop()
    call.cancel()
if __name__ == "__main__":
    asyncio.run(use())
"""


def test_a_process_that_is_stopped_before_it_has_started_ends(tmp_path):
    (tmp_path / "stopped.py").write_text(STOPPED_AT_ONCE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, tmp_path / "stopped.py"], env=environment, timeout=120, check=True
    )


def test_photos_are_restored_one_after_the_other_and_not_too_many_wait(page, photo, darker):
    _, may_go_on = darker
    may_go_on.clear()
    first = send(page, photo)
    while state(page, first)["share"] != 0.5:
        time.sleep(0.02)
    working = state(page, first)
    assert working["state"] == "working"
    assert working["seconds_left"] is not None
    others = [send(page, photo) for _ in range(LINE)]
    told = [state(page, key) for key in others]
    assert [job["state"] for job in told] == LINE * ["waiting"]
    assert [job["ahead"] for job in told] == list(range(1, LINE + 1))
    assert f"{LINE} photos are already waiting; try again later" in send(page, photo)
    for key in others[1:]:
        page.delete(f"/photos/{key}")
    may_go_on.set()
    assert outcome(page, others[0])["state"] == "done"
    assert [page.get(f"/photos/{key}").status_code for key in others[1:]] == (LINE - 1) * [404]


def test_a_photo_that_is_removed_while_it_is_restored_makes_room(page, photo, darker, folder):
    _, may_go_on = darker
    may_go_on.clear()
    first, second = send(page, photo), send(page, photo)
    reaches(page, first, "working")
    page.delete(f"/photos/{first}")
    reaches(page, second, "working")
    may_go_on.set()
    assert outcome(page, second)["state"] == "done"
    assert [path.name for path in folder.iterdir()] == [second]


@pytest.mark.usefixtures("darker")
def test_deleted_and_old_results_are_removed(page, folder, photo, monkeypatch):
    keys = []
    for _ in range(KEPT + 2):
        keys.append(send(page, photo))
        outcome(page, keys[-1])
    assert sorted(path.name for path in folder.iterdir()) == sorted(keys[-KEPT:])
    assert page.delete(f"/photos/{keys[-1]}").status_code == 200
    assert not (folder / keys[-1]).exists()
    assert page.get(f"/photos/{keys[-1]}/download").status_code == 404
    monkeypatch.setattr(jobs, "KEPT_BYTES", 2.5 * 16 * 80 * 64)  # of two results
    keys.append(send(page, photo))
    outcome(page, keys[-1])
    assert sorted(path.name for path in folder.iterdir()) == sorted([keys[-3], keys[-1]])


def test_an_untrusted_result_is_downloaded_only_on_request(page, photo, darker):
    explained, _ = darker
    explained[0] = 0.4
    key = send(page, photo)
    assert not outcome(page, key)["trusted"]
    refused = page.get(f"/photos/{key}/download")
    assert refused.status_code == 409
    assert "the estimated blur explains only 40 % of the photo" in refused.json()["message"]
    assert page.get(f"/photos/{key}/download?force=yes").status_code == 200
    for strength in ("2", "-1", "much", "nan"):
        refused = page.get(f"/photos/{key}/download?force=yes&strength={strength}")
        assert refused.status_code == 400
        assert refused.json()["message"] == f"strength must be from 0 to 1, got {strength!r}"


def test_a_part_is_restored_while_its_photo_and_others_wait(page, tmp_path, darker):
    _, may_go_on = darker
    may_go_on.clear()
    Image.fromarray(data.chelsea()[:64, :300]).save(tmp_path / "cat.png")
    busy, key = send(page, tmp_path / "cat.png"), send(page, tmp_path / "cat.png")
    reaches(page, busy, "working")
    while "width" not in state(page, key):
        time.sleep(0.02)
    part = page.post(f"/photos/{key}/part?across=1&down=0.5&model=camera-motion").json()
    assert (part["left"], part["top"]) == (300 - TRY_SIDE, 0)
    assert (part["width"], part["height"]) == (TRY_SIDE, 64)
    assert part["network"] == "camera-motion"
    means = {}
    for when in ("before", "after"):
        (tmp_path / part[when]).write_bytes(page.get(f"/photos/{key}/{part[when]}").content)
        with Image.open(tmp_path / part[when]) as picture:
            assert picture.size == (TRY_SIDE, 64)
            means[when] = np.mean(picture)
    assert means["after"] < 0.4 * means["before"]
    assert state(page, key)["state"] == "waiting"
    assert state(page, key)["model"] == "auto"


@pytest.mark.usefixtures("darker")
def test_only_the_pictures_of_the_last_parts_are_kept(page, photo, folder):
    key = send(page, photo)
    outcome(page, key)
    for _ in range(jobs.PARTS + 1):
        assert page.post(f"/photos/{key}/part").status_code == 200
    assert len(list((folder / key).glob("part-*-after.jpg"))) == jobs.PARTS


@pytest.mark.usefixtures("darker")
def test_a_photo_is_restored_once_more_with_another_model_on_offer(page, photo):
    key = send(page, photo, model="blind")
    assert outcome(page, key)["network"] == "blind"
    assert page.post(f"/photos/{key}/restore?model=camera-motion").status_code == 202
    assert outcome(page, key)["network"] == "camera-motion"
    for address in (f"/photos/{key}/restore?model=", f"/photos/{key}/part?model=/etc/passwd"):
        refused = page.post(address)
        assert refused.status_code == 400
        assert "model must be one of auto, blind, camera-motion, " in refused.json()["message"]
    assert send(page, photo, model="../weights") == (
        "model must be one of auto, blind, camera-motion, learned-plug-and-play, kernel-basis, got "
        "'../weights'"
    )
    assert page.post(f"/photos/{key}/part?across=2").status_code == 400


def test_a_process_is_prepared_once_when_the_page_is_opened(folder, monkeypatch):
    prepared = []

    def note(image, network, **options):
        prepared.append((image.shape, network.name))
        raise ValueError("nothing to see")

    monkeypatch.setattr(deblurring, "deblur", note)
    with page_client(folder, warm=True) as page:
        assert page.get("/limits").json()["fast"] == "camera-motion"
        page.get("/limits")
        key = page.post("/photos?name=a.jpg", content=b"words").json()["key"]
        outcome(page, key)  # after the preparation
    assert prepared == [((TRY_SIDE, TRY_SIDE, 3), "camera-motion")]


def test_the_model_of_the_command_is_offered_first():
    assert [method.model for method in offered_methods(None)] == [m.model for m in METHODS]
    assert offered_methods("blind")[0].model == "blind"
    assert len(offered_methods("blind")) == len(METHODS)
    assert offered_methods("mine.safetensors")[0].title == "mine.safetensors"
    assert len(offered_methods("mine.safetensors")) == len(METHODS) + 1


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


def test_an_upload_without_a_length_is_refused(page, folder):
    answer = page.post("/photos?name=a.jpg", content=iter([b"12", b"34"]))
    assert answer.status_code == 411
    assert answer.json()["message"] == "expected a file with its length"
    assert list(folder.iterdir()) == []


def test_an_upload_that_stops_is_given_up(monkeypatch):
    async def stops():
        yield b"12"
        await asyncio.sleep(600)

    async def read():
        with pytest.raises(HTTPException, match="the upload was cut off"):
            async for _ in server._in_time(stops()):
                pass

    monkeypatch.setattr(server, "TIMEOUT", 0.01)
    asyncio.run(read())


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Origin": "http://evil.example"}],
)
def test_another_site_cannot_use_the_page(page, folder, photo, headers):
    for path in ("/", "/limits", "/page.js"):
        assert page.get(path, headers=headers).status_code == 403
    refused = page.post("/photos?name=a.jpg", content=photo.read_bytes(), headers=headers)
    assert refused.status_code == 403
    assert "start it with --allow-host" in refused.json()["message"]
    assert list(folder.iterdir()) == []


def test_the_page_itself_may_use_it(page):
    origin = f"http://{page.base_url.host}:{page.base_url.port}"
    assert page.get("/limits", headers={"Origin": origin}).status_code == 200


def test_another_name_of_this_machine_can_be_allowed(folder):
    with page_client(folder, hosts=["Camera.local"]) as page:
        assert page.get("/", headers={"Host": "camera.LOCAL:8467"}).status_code == 200
        assert page.get("/", headers={"Host": "camera.local:1"}).status_code == 403
    assert "[::1]:8467" in accepted_names("::1", 8467, [])
    assert "camera.local" in accepted_names("0.0.0.0", 80, ["Camera.local"])
    assert "localhost" not in accepted_names("127.0.0.1", 8467, [])


@pytest.mark.usefixtures("darker")
def test_no_name_of_a_client_becomes_a_path(page, folder, photo):
    before = sorted(folder.parent.iterdir())
    for name in ("../../evil.jpg", "..", "/etc/passwd", "C:\\evil.png", "a\0b\r\nX: y.jpg", ""):
        key = send(page, photo, name)
        assert outcome(page, key)["state"] == "done"
        assert page.get(f"/photos/{key}/download").status_code == 200
        assert {path.name.split(".")[0] for path in (folder / key).iterdir()} == {
            "photo", "restored", "trust", "before", "after", "blur",
        }  # fmt: skip
    assert sorted(folder.parent.iterdir()) == before
    outside = ("/%2e%2e/jobs.py", "/photos/../../etc/passwd", "/photos/x/restored.npy", "/static/x")
    inside = (f"/photos/{key}/{name}" for name in ("restored.npy", "photo", "..%2f..%2fevil.jpg"))
    for path in (*outside, *inside):
        assert page.get(path).status_code == 404


def test_names_are_for_people():
    assert cleaned("../../a b.jpg") == "a b.jpg"
    assert cleaned("C:\\photos\\ü.png") == "ü.png"
    assert cleaned("a\r\nb\0.jpg") == "ab.jpg"
    assert cleaned("..") == cleaned("") == cleaned("x/") == "photo"
    assert len(cleaned(1000 * "a" + ".jpg")) == 100


def test_the_page_needs_no_network(page):
    names = {path.name for path in (resources.files("deblur_jax.cli.page") / "static").iterdir()}
    assert {"index.html", "page.css", "page.js"} <= names
    for name in ("", *names):
        answer = page.get(f"/{name}")
        assert answer.status_code == 200
        text = answer.text.replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(^|\s)// ", "", text)
        assert answer.headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )


def test_only_this_machine_is_served_by_default(capsys):
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert deblur_page(["--port", port, "--no-browser"]) == 1
    message = f"deblur-page: cannot listen on 127.0.0.1:{port} (Address already in use)"
    assert message in capsys.readouterr().err
    assert deblur_page(["--model", "best", "--no-browser"]) == 1
    assert "deblur-page: model must be one of" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(page_command, "PACKAGES", ("starlette", "nowhere"))
    assert deblur_page(["--no-browser"]) == 1
    assert capsys.readouterr().err == (
        "deblur-page: needs nowhere; install the extra: pip install 'deblur-jax[page]'\n"
    )


# A shell has what it starts in the background ignore Ctrl-C, and so would what that starts.
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from deblur_jax.cli.deblur_page import main; sys.exit(main())"
)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(tmp_path, name):
    process = subprocess.Popen(
        [sys.executable, "-c", START, "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
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
        _, errors = process.communicate()
    assert errors == ""
    assert list(tmp_path.iterdir()) == []
