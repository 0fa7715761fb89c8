"""The page, served for a test."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import uvicorn
from starlette.testclient import TestClient

from deblur_jax import deblurring
from deblur_jax.cli.page import worker
from deblur_jax.cli.page.guard import accepted_names
from deblur_jax.cli.page.jobs import Jobs
from deblur_jax.cli.page.methods import offered_methods
from deblur_jax.cli.page.server import Limits, make_app
from deblur_jax.cli.page.worker import Pool, Worker
from deblur_jax.cli.restore_photo import Settings
from deblur_jax.deblurring import Result
from deblur_jax.ops.operators import LineBlur


LIMITS = Limits(most_bytes=1_000_000, most_pixels=20_000)
PORT = 8467


@contextlib.contextmanager
def third_as_bright(monkeypatch, *, share, judged):
    """Make every restoration a third as bright as the photo; yield the event that it waits for.

    Args:
        monkeypatch: of the test.
        share: progress at which a whole photo waits.
        judged: returns the fields of the result that judge it.
    """
    may_go_on = threading.Event()
    may_go_on.set()

    def third(image, network, *, strength, progress, **options):
        deblurring.check_photo(image, "deblur: image")
        if progress is not None:
            progress(share)
            assert may_go_on.wait(60)
        blur = LineBlur(jnp.full((*image.shape[:2], 2), 3.0))
        mixed = deblurring.mix(image, image / 3, strength)
        return Result(mixed, blur, np.zeros_like(image), **judged(), restored=image / 3)

    monkeypatch.setattr(deblurring, "deblur", third)
    yield may_go_on
    may_go_on.set()


def start_thread():
    """Return a pool of one thread of this process, so that a test's patches apply to it."""
    board = list(worker.NEW_BOARD)

    def begin():
        worker.own.board = board

    return Pool(ThreadPoolExecutor(1, initializer=begin), board, lambda: None)


def make_page(
    folder, *, start=start_thread, limits=LIMITS, hosts=(), port=PORT, model="auto", warm=False
):
    """Return the application of a page."""
    settings = Settings(model=model)
    jobs = Jobs(folder, settings, limits.most_pixels, lambda: Worker(start))
    names = accepted_names("127.0.0.1", port, hosts)
    return make_app(jobs, limits, offered_methods(model), names, warm=warm)


@contextlib.contextmanager
def page_client(folder, **options):
    """Yields a client of a page that has no server."""
    app = make_page(folder, **options)
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}") as client:
        yield client


@contextlib.contextmanager
def served_page(folder, **options):
    """Yields the address of a page at a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        app = make_page(folder, port=port, **options)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True
            thread.join()
