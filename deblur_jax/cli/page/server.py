"""The routes of the page, for any ASGI server.

    GET /                           the page and its files
    GET /limits                     the limits for uploads, and the models on offer
    POST /photos?name=NAME          upload a photo as the body; returns its key
    GET /photos/KEY                 its progress and its report
    GET /photos/KEY/before.jpg      pictures, see `work`
    POST /photos/KEY/part?across=0.5&down=0.5     restore a part of it now; returns a report
    POST /photos/KEY/restore        restore it once more
    GET /photos/KEY/download?strength=0.5&force=yes
    DELETE /photos/KEY              stop its restoration and remove it

Each POST takes `model=MODEL`, one of those on offer. Nothing that a client sends is used as a path:
keys and pictures are looked up, and names only appear in messages.
"""

import asyncio
import contextlib
import dataclasses
import math
import re
import secrets
from collections.abc import AsyncIterator, Collection
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from deblur_jax.cli.page import work
from deblur_jax.cli.page.guard import Guard
from deblur_jax.cli.page.jobs import BusyError, Job, Jobs
from deblur_jax.cli.page.methods import FAST, Method
from deblur_jax.cli.page.work import PhotoError
from deblur_jax.io.images import PHOTO_SUFFIXES


DRAWINGS = {work.AFTER, work.WHOLE_AFTER, work.BLUR}  # of a result
PICTURES = re.compile(rf"{work.BEFORE}|{work.WHOLE_BEFORE}|part-\d+-(before|after)\.jpg")
TIMEOUT = 60  # seconds without a byte of an upload
DRAINED = 4  # largest files that are read and discarded of a refused upload


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits for uploads: bytes of a file, pixels of a photo."""

    most_bytes: int
    most_pixels: int


def make_app(
    jobs: Jobs,
    limits: Limits,
    methods: tuple[Method, ...],
    names: Collection[str],
    *,
    warm: bool = True,
) -> Starlette:
    """Returns the application.

    Args:
        jobs: the photos; they are closed with the application.
        limits: the limits for uploads.
        methods: the models on offer, the default one first.
        names: the Host headers that are accepted, see `guard.accepted_names`.
        warm: whether a process is prepared for the first photo when the page is opened.
    """

    async def send_limits(request: Request) -> Response:
        del request
        if warm:
            jobs.warm_up(FAST)
        offer = {"methods": [method._asdict() for method in methods], "fast": FAST}
        return JSONResponse({**dataclasses.asdict(limits), "suffixes": PHOTO_SUFFIXES, **offer})

    async def upload(request: Request) -> Response:
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise HTTPException(HTTPStatus.LENGTH_REQUIRED, "expected a file with its length")
        try:
            job = jobs.new(request.query_params.get("name", ""), model_of(request))
        except BusyError as error:
            await _drain(request, DRAINED * limits.most_bytes)
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
        try:
            await _receive(request, job, int(length), limits.most_bytes)
        except BaseException:
            jobs.forget(job)
            raise
        jobs.submit(job)
        return JSONResponse({"key": job.key}, HTTPStatus.ACCEPTED)

    async def send_status(request: Request) -> Response:
        return JSONResponse(jobs.status(find(request)))

    async def send_picture(request: Request) -> Response:
        job, name = find(request), request.path_params["picture"]
        if name in DRAWINGS:
            _check_done(job)
        elif not PICTURES.fullmatch(name):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"{job.order.name}: has no such file")
        if not (job.folder / name).is_file():
            raise HTTPException(HTTPStatus.NOT_FOUND, f"{job.order.name}: has no such file")
        return FileResponse(job.folder / name)

    async def try_part(request: Request) -> Response:
        job, query = find(request), request.query_params
        across, down = (_share(query.get(name, "0.5"), name) for name in ("across", "down"))
        if not job.shown:
            raise HTTPException(HTTPStatus.CONFLICT, f"{job.order.name}: is not read yet")
        return JSONResponse(await jobs.try_part(job, model_of(request), across, down))

    async def restore(request: Request) -> Response:
        job = find(request)
        if job.state == "arriving":
            raise HTTPException(HTTPStatus.CONFLICT, f"{job.order.name}: is not uploaded yet")
        jobs.submit(job, model_of(request))
        return JSONResponse({}, HTTPStatus.ACCEPTED)

    async def download(request: Request) -> Response:
        job, query = find(request), request.query_params
        _check_done(job)
        strength = _share(query.get("strength", "1"), "strength")
        if not (job.report["trusted"] or query.get("force")):
            words = f"{job.order.name}: left unchanged: {job.report['verdict']}"
            raise HTTPException(HTTPStatus.CONFLICT, words)
        suffix = Path(job.order.result_name).suffix.lower()
        output = job.folder / f"result-{secrets.token_hex(8)}{suffix}"
        await jobs.help(job.order, work.write_download, output, strength, job.report)
        return FileResponse(
            output,
            media_type="application/octet-stream",
            filename=job.order.result_name,
            background=BackgroundTask(output.unlink, missing_ok=True),
        )

    async def remove(request: Request) -> Response:
        jobs.forget(find(request))
        return JSONResponse({})

    def find(request: Request) -> Job:
        job = jobs.find(request.path_params["key"])
        if job is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such photo, or it was removed")
        return job

    def model_of(request: Request) -> str | None:
        model = request.query_params.get("model")
        known = [method.model for method in methods]
        if model not in (None, *known):
            words = f"model must be one of {', '.join(known)}, got {model!r}"
            raise HTTPException(HTTPStatus.BAD_REQUEST, words)
        return model

    @contextlib.asynccontextmanager
    async def closing(app: Starlette) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            jobs.close()

    return Starlette(
        routes=[
            Route("/limits", send_limits),
            Route("/photos", upload, methods=["POST"]),
            Route("/photos/{key}", send_status),
            Route("/photos/{key}", remove, methods=["DELETE"]),
            Route("/photos/{key}/part", try_part, methods=["POST"]),
            Route("/photos/{key}/restore", restore, methods=["POST"]),
            Route("/photos/{key}/download", download),
            Route("/photos/{key}/{picture}", send_picture),
            Mount("/", StaticFiles(packages=[("deblur_jax.cli.page", "static")], html=True)),
        ],
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={
            HTTPException: _answer_refusal,
            PhotoError: _answer_failure,
            OSError: _answer_failure,
            ClientDisconnect: _answer_failure,  # nobody reads it
            Exception: _answer_failure,  # a bug, which uvicorn logs
        },
        lifespan=closing,
    )


async def _receive(request: Request, job: Job, length: int, most_bytes: int) -> None:
    """Writes an upload to the job's file."""
    if length > most_bytes:
        await _drain(request, DRAINED * most_bytes)
        raise HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{job.order.name}: has {length / 1e6:.1f} million bytes, at most "
            f"{most_bytes / 1e6:g} million are accepted; reduce it",
        )
    with job.order.path.open("wb") as file:
        async for data in _in_time(request.stream()):
            file.write(data)


async def _drain(request: Request, most_bytes: int) -> None:
    """Drains a refused body, because a client that is still sending would miss the response."""
    left = most_bytes
    async for data in _in_time(request.stream()):
        left -= len(data)
        if left < 0:
            return


async def _in_time(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields what a client sends.

    Raises:
        HTTPException: if it sends nothing for a while.
    """
    while True:
        try:
            async with asyncio.timeout(TIMEOUT):
                data = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the upload was cut off") from None
        yield data


def _check_done(job: Job) -> None:
    if job.state != "done":
        raise HTTPException(HTTPStatus.CONFLICT, f"{job.order.name}: is not finished")


def _share(text: str, name: str) -> float:
    """Returns a number from 0 to 1 that a client sent."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name} must be from 0 to 1, got {text!r}")
    return share


async def _answer_refusal(request: Request, error: Exception) -> Response:
    del request
    words = getattr(error, "detail", "") or str(error)
    return JSONResponse({"message": words}, getattr(error, "status_code", 500))


async def _answer_failure(request: Request, error: Exception) -> Response:
    del request
    return JSONResponse({"message": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)
