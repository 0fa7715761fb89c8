"""A headless Chromium, controlled through a pipe with its own protocol; no package is needed."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time


NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 150  # for anything to happen


def find_browser():
    """Return the path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a browser; commands as in https://chromedevtools.github.io/devtools-protocol."""

    def __init__(self, write, read, downloads):
        self._write, self._read = write, read
        self._numbers, self._rest, self._session = itertools.count(1), b"", None
        self.complaints = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        self._session = attached["sessionId"]
        for domain in ("Page", "DOM", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            if answer.get("method") == "Log.entryAdded":
                self.complaints.append(answer["params"]["entry"]["text"])
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        while b"\0" not in self._rest:
            data = os.read(self._read, 1 << 16)
            assert data, "the browser has ended"
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def run(self, script):
        """Return the value of a line of JavaScript."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script):
        """Waits until a line of JavaScript is true, and returns its value."""
        end = time.monotonic() + SECONDS
        while not (value := self.run(script)):
            shown = self.run("document.body.innerText")
            assert time.monotonic() < end, f"never true: {script}; the page says {shown}"
            time.sleep(0.05)
        return value

    def open(self, address):
        self.send("Page.navigate", url=address)
        self.wait(f"location.href.startsWith({address!r}) && document.readyState == 'complete'")

    def choose_file(self, selector, path):
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drag(self, start, end):
        """Presses the mouse at one place, (x, y) in pixels, and lets go at another."""
        for kind, place, buttons in (
            ("mousePressed", start, 1), ("mouseMoved", end, 1), ("mouseReleased", end, 0),
        ):  # fmt: skip
            x, y = place
            self.send(
                "Input.dispatchMouseEvent",
                type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1,
            )  # fmt: skip


@contextlib.contextmanager
def opened_browser(path, folder):
    """Yields a `Browser`; what it downloads goes to `folder`."""
    to_browser, our_write = os.pipe()
    our_read, from_browser = os.pipe()

    command = [
        path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}",
    ]  # fmt: skip
    # The protocol is spoken on files 3 and 4, which a shell can make of any others.
    wiring = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", wiring, *command],
        pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(our_write, our_read, folder)
    finally:
        os.close(our_write)
        process.kill()
        process.wait()
        os.close(our_read)
