"""The HTTP server of the page.

    GET /, /page.css, /page.js      the page
    GET /limits                     the limits for uploads
    POST /photos?name=NAME          upload a photo as the body; returns its key
    GET /photos/KEY                 its progress and its report
    GET /photos/KEY/before.jpg      pictures; after.jpg and motion.png are the others
    GET /photos/KEY/download?strength=0.5&force=yes
    DELETE /photos/KEY              stop its restoration and remove it

Nothing that a client sends is used as a path: keys are looked up, and names only appear in
messages. The Host and Origin headers are checked, so that other sites cannot use the page.
"""

import dataclasses
import json
import re
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from deblur_jax.cli.page.jobs import BusyError, Job, Jobs
from deblur_jax.cli.page.worker import AFTER, BEFORE, MOTION, write_download
from deblur_jax.io.images import SUFFIXES


STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
DRAWINGS = {BEFORE: "image/jpeg", AFTER: "image/jpeg", MOTION: "image/png"}
CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte
DRAINED = 4  # largest files that are read and discarded of a refused upload
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits for uploads: bytes of a file, pixels of a photo."""

    most_bytes: int
    most_pixels: int


class PageServer(ThreadingHTTPServer):
    """Serves each request in a thread; restores and downloads one photo at a time."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], jobs: Jobs, limits: Limits, hosts: Sequence[str]
    ) -> None:
        """Starts to listen.

        Args:
            address: host and port; port 0 chooses a free one.
            jobs: the queue.
            limits: the limits for uploads.
            hosts: more host names by which browsers may call the page.
        """
        super().__init__(address, PageHandler)
        self.jobs, self.limits, self.downloads = jobs, limits, threading.Lock()
        self.hosts = {
            f"{host.lower()}:{self.server_port}"
            for host in ("localhost", "127.0.0.1", "[::1]", address[0], *hosts)
        }


class _RefusedError(Exception):
    """The request is refused, with a status and a message."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


class PageHandler(BaseHTTPRequestHandler):
    """Handles one request."""

    server: PageServer  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version, sys_version, timeout = "deblur-page", "", TIMEOUT

    def do_GET(self) -> None:
        """Sends the page, a state, a picture or a result."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Receives a photo."""
        self._answer(self._post)

    def do_DELETE(self) -> None:
        """Removes a photo."""
        self._answer(self._delete)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: the page polls several times a second."""

    def _answer(self, reply: Any) -> None:
        try:
            self._check_caller()
            reply()
        except _RefusedError as refused:
            self._send_json({"message": str(refused)}, refused.status)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client is gone
        except (OSError, ValueError, MemoryError) as error:
            self._send_json({"message": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _check_caller(self) -> None:
        host, origin = self.headers.get("Host", "").lower(), self.headers.get("Origin")
        if host not in self.server.hosts or origin not in (None, f"http://{host}"):
            raise _RefusedError(
                HTTPStatus.FORBIDDEN,
                f"the page is not served at {origin or host!r}; open the address that deblur-page "
                "printed, or start it with --allow-host",
            )

    def _get(self) -> None:
        address = urlsplit(self.path)
        if address.path in STATIC:
            name, kind = STATIC[address.path]
            page = resources.files("deblur_jax.cli.page") / "static" / name
            self._send(page.read_bytes(), kind)
        elif address.path == "/favicon.ico":
            self._send(b"", "image/x-icon", status=HTTPStatus.NO_CONTENT)
        elif address.path == "/limits":
            self._send_json({**dataclasses.asdict(self.server.limits), "suffixes": SUFFIXES})
        else:
            job, thing = self._find(address.path)
            if not thing:
                self._send_json(self._state(job))
            elif job.state != "done":
                raise _RefusedError(HTTPStatus.CONFLICT, f"{job.name}: is not finished")
            elif thing in DRAWINGS:
                self._send((job.path.parent / thing).read_bytes(), DRAWINGS[thing])
            elif thing == "download":
                self._download(job, parse_qs(address.query))
            else:
                raise _RefusedError(HTTPStatus.NOT_FOUND, f"{job.name}: has no such file")

    def _delete(self) -> None:
        job, _ = self._find(urlsplit(self.path).path)
        self.server.jobs.forget(job)
        self._send_json({})

    def _find(self, path: str) -> tuple[Job, str]:
        found = re.fullmatch(r"/photos/([\w-]+)(?:/([\w.]+))?", path)
        job = self.server.jobs.find(found[1]) if found else None
        if found is None or job is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "no such photo, or it was removed")
        return job, found[2] or ""

    def _state(self, job: Job) -> dict[str, Any]:
        return {
            "state": job.state,
            "name": job.name,
            "says": job.says,
            "ahead": self.server.jobs.ahead(job),
            "share": job.share,
            "seconds_left": job.seconds_left,
            "result_name": job.result_name,
            **job.report,
        }

    def _post(self) -> None:
        address = urlsplit(self.path)
        length = self.headers.get("Content-Length", "")
        if address.path != "/photos" or not length.isdecimal():
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "expected POST /photos?name=NAME, a file")
        try:
            job = self.server.jobs.new(parse_qs(address.query).get("name", [""])[0])
        except BusyError as error:
            self._drain(int(length))
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
        try:
            self._receive(job, int(length))
        except BaseException:
            self.server.jobs.forget(job)
            raise
        self.server.jobs.submit(job)
        self._send_json({"key": job.key}, HTTPStatus.ACCEPTED)

    def _receive(self, job: Job, length: int) -> None:
        most = self.server.limits.most_bytes
        if length > most:
            self._drain(length)
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{job.name}: has {length / 1e6:.1f} million bytes, at most {most / 1e6:g} million "
                "are accepted; reduce it",
            )
        with job.path.open("wb") as file:
            while length > 0:
                data = self.rfile.read(min(CHUNK, length))
                if not data:
                    raise ConnectionError("the upload was cut off")
                length -= file.write(data)

    def _drain(self, length: int) -> None:
        """Drains a refused body, because a client that is still sending would miss the response."""
        left = min(length, DRAINED * self.server.limits.most_bytes)
        while left > 0 and (data := self.rfile.read(min(CHUNK, left))):
            left -= len(data)

    def _download(self, job: Job, query: dict[str, list[str]]) -> None:
        try:
            strength = float(query.get("strength", ["1"])[0])
        except ValueError:
            strength = -1.0
        if not 0 <= strength <= 1:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "strength must be from 0 to 1")
        if not (job.report["trusted"] or query.get("force")):
            raise _RefusedError(
                HTTPStatus.CONFLICT, f"{job.name}: left unchanged: {job.report['verdict']}"
            )
        suffix = job.result_name[job.result_name.rindex(".") :].lower()  # one of SUFFIXES
        output = job.path.with_name(f"result{suffix}")
        with self.server.downloads:
            write_download(job.path, output, strength=strength, report=job.report)
            data = output.read_bytes()
        name = f"attachment; filename*=UTF-8''{quote(job.result_name, safe='')}"
        self._send(data, "application/octet-stream", {"Content-Disposition": name})

    def _send_json(self, record: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(record).encode(), "application/json", status=status)

    def _send(
        self,
        data: bytes,
        kind: str,
        more: dict[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        self.send_response(status)
        fields = {"Content-Type": kind, "Content-Length": str(len(data)), **HEADERS, **(more or {})}
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
