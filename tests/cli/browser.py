"""A headless Chromium of the system, driven by Playwright."""

import contextlib
import shutil
import time

from playwright.sync_api import sync_playwright


NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SECONDS = 60  # for anything to happen


def find_browser():
    """Return the path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def opened_browser(path):
    """Yields a Playwright browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def wait_until(page, script, *, seconds=SECONDS):
    """Waits until a line of JavaScript is true, which works with the page's own policy."""
    end = time.monotonic() + seconds
    while not (value := page.evaluate(script)):
        assert time.monotonic() < end, f"never true: {script}; {page.inner_text('body')}"
        page.wait_for_timeout(20)
    return value
