"""The page in a headless browser, used as a person would."""

import base64

import numpy as np
import pytest
from PIL import Image
from skimage import data


pytest.importorskip("starlette", reason="needs the extra 'page'")
pytest.importorskip("playwright.sync_api", reason="needs the package playwright")


from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.page.worker import start_process
from tests.cli.browser import find_browser, opened_browser, wait_until
from tests.cli.pages import served_page, third_as_bright


BROWSER = find_browser()
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
PICTURE = data.chelsea()[:240, :320]
COLOURS = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser():
    with opened_browser(BROWSER) as opened:
        yield opened


@pytest.fixture
def darker(monkeypatch):
    """Stands in for the restoration; returns how likely it is and what whole photos wait for."""
    likely = [0.97]
    with third_as_bright(
        monkeypatch, share=0.3, judged=lambda: {"explained": 1.0, "likely": likely[0]}
    ) as wait:
        yield likely, wait


@pytest.fixture
def limits():
    from deblur_jax.cli.page.server import Limits

    return Limits(most_bytes=1_000_000, most_pixels=1_000_000)


@pytest.fixture
def page(browser, darker, limits, tmp_path):
    """An opened page; the test fails if the browser complains of anything."""
    del darker
    (tmp_path / "served").mkdir()
    with served_page(tmp_path / "served", limits=limits) as address:
        context = browser.new_context(viewport={"width": 1200, "height": 700})
        opened = context.new_page()
        complaints = []
        opened.on("console", lambda message: complaints.append(message.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(address)
        wait_until(opened, "limits.textContent.includes('JPG')")
        yield opened
        context.close()
    assert complaints == []


def photo_at(path, picture=PICTURE):
    Image.fromarray(picture).save(path, quality=95)
    return str(path)


def title(page, words):
    wait_until(page, f"document.getElementById('title').textContent == {words!r}")


def test_several_photos_are_restored_and_one_is_downloaded_as_the_command_writes_it(page, tmp_path):
    (tmp_path / "words.jpg").write_text("words")
    names = [photo_at(tmp_path / name) for name in ("a cat.jpg", "second.png")]
    page.set_input_files("#files", [*names, str(tmp_path / "words.jpg")])
    wait_until(page, "document.querySelectorAll('li[data-state=done]').length == 2")
    title(page, "Very likely better")
    assert page.locator("#words").inner_text().startswith("Better than the photo with a prob")

    page.locator("#strength").focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.locator("#amount").inner_text() == "50 %"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#stage .after')).opacity") == "0.5"
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "a cat-deblurred.jpg"
    by_command = tmp_path / "by-command.jpg"
    assert deblur([names[0], "-o", str(by_command), "--strength", "0.5"]) == 0
    assert download.value.path().read_bytes() == by_command.read_bytes()

    page.get_by_role("button", name="words.jpg Failed").click()
    title(page, "This photo could not be restored")
    words = page.locator("#words").inner_text()
    assert words.startswith("Not an image that can be read; expected one of jpg")
    assert words.endswith(".")
    page.get_by_role("button", name="Remove words.jpg").click()
    assert page.locator("#photos li").count() == 2
    page.reload()
    wait_until(page, "document.querySelectorAll('li[data-state=done]').length == 2")


def test_progress_and_time_left_of_each_photo_are_shown_and_spoken(page, darker, tmp_path):
    _, may_go_on = darker
    may_go_on.clear()
    names = [photo_at(tmp_path / name) for name in ("first.jpg", "second.jpg")]
    page.set_input_files("#files", names)
    wait_until(page, "document.querySelector('#photos').textContent.includes('30 %')")
    assert "30 %" in page.locator("li").nth(0).inner_text()
    assert "left" in page.locator("li").nth(0).inner_text()
    wait_until(
        page, "document.querySelector('#photos').textContent.includes('Waiting for 1 other')"
    )
    assert page.locator("#progress").get_attribute("value") == "0.3"
    assert page.title() == "30 % · deblur"
    assert page.get_by_role("status").first.inner_text()
    may_go_on.set()
    wait_until(page, "news.textContent.includes('Very likely better')")


def test_the_divider_and_the_zoom_follow_the_mouse_and_the_keys(page, tmp_path):
    page.set_input_files("#files", photo_at(tmp_path / "wide.jpg", np.tile(PICTURE, (3, 4, 1))))
    title(page, "Very likely better")
    handle = page.get_by_role("slider", name="Divider between before and after")
    box = page.locator("#stage").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle[1])
    page.mouse.up()
    assert handle.get_attribute("aria-valuenow") == "25"
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert handle.get_attribute("aria-valuetext") == "37 % before, 63 % after"
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"

    size = "document.querySelector('#stage .sheet').getBoundingClientRect()"
    page.keyboard.press("1")
    assert page.evaluate(f"{size}.width") == 4 * 320
    assert page.get_by_role("button", name="100 %").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="200 %").click()
    assert page.evaluate(f"{size}.width") == 8 * 320
    left = page.evaluate(f"{size}.left")
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 50, middle[1])
    page.mouse.up()
    assert page.evaluate(f"{size}.left") == left + 50
    page.mouse.dblclick(*middle)
    assert page.evaluate(f"{size}.width") == pytest.approx(box["width"], abs=1)


def test_a_photo_larger_than_its_preview_is_shown_whole_when_enlarged(page, tmp_path):
    page.set_input_files("#files", photo_at(tmp_path / "large.png", np.tile(PICTURE, (1, 6, 1))))
    title(page, "Very likely better")
    shown = (
        "[...document.querySelectorAll('#stage .before, #stage .after')].map(p => p.naturalWidth)"
    )
    wait_until(page, f"{shown}.every(width => width == 1600)")
    page.keyboard.press("1")
    wait_until(page, f"{shown}.every(width => width == 1920)")


def test_a_part_is_tried_first_and_its_method_taken_for_the_whole_photo(page, darker, tmp_path):
    likely, may_go_on = darker
    may_go_on.clear()
    page.set_input_files("#files", photo_at(tmp_path / "cat.jpg", np.tile(PICTURE, (2, 2, 1))))
    wait_until(page, "title.textContent == 'Restoring' && !document.getElementById('try').hidden")
    box = page.locator("#stage").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 350, box["y"] + 200)  # a drag is no choice
    page.mouse.up()
    assert page.locator("#part").is_hidden()
    page.locator("#stage").click(position={"x": 300, "y": 200})
    wait_until(page, "!part.hidden")
    assert page.locator("#judged").inner_text() == "Very likely better"
    wait_until(page, "document.querySelector('#stage .patch').naturalWidth == 256")
    likely[0] = 0.5
    page.get_by_role("radio", name="Any shake").check()
    wait_until(page, "judged.textContent == 'Left as it is'")
    page.get_by_role("radio", name="Straight motion", exact=False).first.check()
    wait_until(page, "judged.textContent == 'Very likely better'")
    likely[0] = 0.94
    page.get_by_role("button", name="Restore the whole photo this way").click()
    may_go_on.set()
    title(page, "Probably better")
    assert "model camera-motion" in page.locator("#description").text_content()
    page.get_by_role("button", name="Blur", exact=True).click()
    assert page.locator("#hint").inner_text() == "Paths of points of light, enlarged 12 times"
    assert page.locator("#stage .before").get_attribute("src").split("?")[0].endswith("blur.jpg")


def test_a_place_is_chosen_with_the_keys(page, tmp_path):
    page.set_input_files("#files", photo_at(tmp_path / "cat.jpg", np.tile(PICTURE, (2, 2, 1))))
    title(page, "Very likely better")
    page.locator("#try summary").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Choose a place").focus()
    page.keyboard.press("Enter")
    place = "document.querySelector('#stage .place').getBoundingClientRect()"
    top = page.evaluate(f"{place}.top")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(f"{place}.top") > top
    page.keyboard.press("Enter")
    wait_until(page, "!part.hidden")


def test_what_is_unlikely_to_be_better_is_downloaded_on_request_only(page, darker, tmp_path):
    likely, _ = darker
    likely[0] = 0.4
    page.set_input_files("#files", photo_at(tmp_path / "cat.jpg"))
    title(page, "Left as it is")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download anyway").click()
    assert download.value.path().stat().st_size > 0


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_photo_is_pasted_or_dropped(page, tmp_path, kind):
    photo_at(tmp_path / "cat.png")
    coded = base64.b64encode((tmp_path / "cat.png").read_bytes()).decode()
    page.evaluate(
        """([kind, coded]) => {
          const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
          const given = new DataTransfer();
          given.items.add(new File([bytes], "given.png", { type: "image/png" }));
          const options = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(kind == "paste"
            ? new ClipboardEvent(kind, { ...options, clipboardData: given })
            : new DragEvent(kind, { ...options, dataTransfer: given }));
        }""",
        [kind, coded],
    )
    title(page, "Very likely better")
    assert "given.png" in page.locator("#photos").inner_text()


def test_a_photo_that_is_stopped_is_removed(page, darker, tmp_path):
    _, may_go_on = darker
    may_go_on.clear()
    page.set_input_files("#files", photo_at(tmp_path / "cat.jpg"))
    wait_until(page, "title.textContent == 'Restoring'")
    page.get_by_role("button", name="Stop and remove").click()
    wait_until(page, "document.body.classList.contains('empty')")
    while list((tmp_path / "served").iterdir()):
        page.wait_for_timeout(20)


def test_a_file_that_is_too_large_is_not_uploaded(page, limits, tmp_path):
    (tmp_path / "long.jpg").write_bytes(bytes(limits.most_bytes + 1))
    page.set_input_files("#files", str(tmp_path / "long.jpg"))
    title(page, "This photo could not be restored")
    assert page.locator("#words").inner_text() == (
        "Has 1 million bytes, at most 1 million are accepted; reduce it."
    )
    assert list((tmp_path / "served").iterdir()) == []


def test_every_control_has_a_name_and_is_reached_with_the_keys(page, tmp_path):
    page.set_input_files("#files", photo_at(tmp_path / "cat.jpg"))
    title(page, "Very likely better")
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, a, input, [role=slider], img")].filter(
          (thing) => thing.checkVisibility() && !(thing.ariaLabel || thing.textContent.trim() ||
            thing.labels?.length || thing.hasAttribute("alt"))).length"""
    )
    assert unnamed == 0
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(
            "(({id, className, tagName}) => id || className || tagName)(document.activeElement)"
        ))  # fmt: skip
    order = ["files", "photo", "remove", "stage", "handle", "compare", "blur", "fit", "strength"]
    assert [name for name in reached if name in order] == order


def test_narrow_screens_and_dark_mode_are_served(page, tmp_path):
    page.set_input_files("#files", photo_at(tmp_path / "cat.jpg"))
    title(page, "Very likely better")
    light = page.evaluate(COLOURS)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(COLOURS) != light
    for width in (320, 700, 1000):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#stage").bounding_box()["width"] > min(width, 550) - 50


@pytest.mark.slow  # a process that compiles
def test_a_process_restores_a_photo(browser, limits, tmp_path):
    name = photo_at(tmp_path / "cat.jpg", PICTURE[:96, :128])
    (tmp_path / "served").mkdir()
    options = {"start": start_process, "limits": limits, "model": "camera-motion"}
    with served_page(tmp_path / "served", **options) as address:
        page = browser.new_page()
        page.goto(address)
        page.set_input_files("#files", name)
        done = "document.querySelectorAll('li[data-state=done]').length == 1"
        wait_until(page, done, seconds=300)
        with page.expect_download() as download:
            page.locator("#download").click()
        by_command = tmp_path / "by-command.jpg"
        given = ["-o", str(by_command), "--force", "--model", "camera-motion"]
        assert deblur([name, *given]) == 0
        assert download.value.path().read_bytes() == by_command.read_bytes()
        page.close()
