"""The page, served for a test."""

import contextlib
import functools
import multiprocessing
import threading

from deblur_jax.cli.page.jobs import Jobs
from deblur_jax.cli.page.server import Limits, PageServer
from deblur_jax.cli.page.worker import Worker, serve
from deblur_jax.cli.restore_photo import Settings


LIMITS = Limits(most_bytes=1_000_000, most_pixels=20_000)


def start_thread():
    """Start a worker in this process, so that a test's patches apply to it."""
    ours, theirs = multiprocessing.Pipe()
    threading.Thread(target=serve, args=(theirs, Settings()), daemon=True).start()
    return Worker(ours, theirs.close)


@contextlib.contextmanager
def served_page(folder, *, start=start_thread, limits=LIMITS, hosts=()):
    """Yields the server of a page at a free port."""
    jobs = Jobs(folder, start, most_pixels=limits.most_pixels)
    server = PageServer(("127.0.0.1", 0), jobs, limits, hosts)
    serving = functools.partial(server.serve_forever, poll_interval=0.02)
    thread = threading.Thread(target=serving)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        jobs.close()
