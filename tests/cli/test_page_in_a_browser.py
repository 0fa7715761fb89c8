"""The page in a headless browser, used as a person would."""

import functools

import pytest
from PIL import Image
from skimage import data

from deblur_jax.cli.deblur import main as deblur
from deblur_jax.cli.page.worker import start_process
from deblur_jax.cli.restore_photo import Settings
from tests.cli.browser import find_browser, opened_browser
from tests.cli.pages import served_page


BROWSER = find_browser()


@pytest.mark.slow  # a browser and a process that compiles
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_photo_is_dropped_compared_mixed_and_downloaded_and_a_bad_one_reported(tmp_path):
    photo, words, served = tmp_path / "cat.jpg", tmp_path / "words.jpg", tmp_path / "served"
    Image.fromarray(data.chelsea()[:120, :160]).save(photo, quality=95)
    words.write_text("words")
    served.mkdir()
    start = functools.partial(start_process, Settings())
    with (
        served_page(served, start=start) as server,
        opened_browser(BROWSER, tmp_path) as browser,
    ):
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        browser.wait("document.getElementById('limits').textContent.includes('jpg')")

        browser.choose_file("#file", photo)
        browser.wait("!document.getElementById('result').hidden")
        assert browser.run("document.getElementById('verdict').textContent").startswith("cat.jpg: ")
        for name in ("before", "after", "motion"):
            browser.wait(f"document.getElementById('{name}').naturalWidth == 160")

        shown = "getComputedStyle(document.getElementById('after')).clipPath"
        assert browser.run(shown) == "inset(0px 0px 0px 50%)"
        box = browser.run("(({x, y, width}) => [x, y, width])(compare.getBoundingClientRect())")
        left, top, width = box
        browser.drag((left + width / 2, top + 5), (left + width / 4, top + 5))
        assert browser.run(shown) == "inset(0px 0px 0px 25%)"
        assert browser.run("Number(slider.value)") == 25

        browser.run("strength.value = 0.5, strength.dispatchEvent(new Event('input'))")
        assert browser.run("getComputedStyle(after).opacity") == "0.5"
        browser.run("download.click()")
        downloaded = tmp_path / "cat-deblurred.jpg"
        while not downloaded.exists():
            browser.wait("true")
        by_command = tmp_path / "by-command.jpg"
        assert deblur([str(photo), "-o", str(by_command), "--force", "--strength", "0.5"]) == 0
        assert downloaded.read_bytes() == by_command.read_bytes()

        browser.choose_file("#file", words)
        browser.wait("!message.hidden")
        assert browser.run("message.textContent") == (
            "words.jpg: not an image that can be read; expected one of jpg, jpeg, png, webp, tif, "
            "tiff, bmp"
        )
        assert browser.run("result.hidden && working.hidden")
        assert browser.complaints == []
