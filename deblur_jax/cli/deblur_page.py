"""`deblur-page`: a page in the browser for dropping a photo on and taking its blur out.

The page is the standard library's `http.server` and three files of our own. Gradio would bring 52
packages (`pip install --dry-run gradio`), reports its use home unless told not to, and has no place
for a download whose bytes are to be the command's; Starlette with a server and forms would bring 8,
and save some of the lines of `page.server`, but neither the queue nor the process behind it. So the
page needs nothing that the package does not need anyway, and no network.
"""

import argparse
import functools
import ipaddress
import signal
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path

from deblur_jax.cli.page.jobs import Jobs
from deblur_jax.cli.page.server import Limits, PageServer
from deblur_jax.cli.page.worker import start_process
from deblur_jax.cli.restoration import STEPS, Settings, find_network


MILLION = 1_000_000


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    words = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="deblur-page", description=words)
    parser.add_argument(
        "--host", default="127.0.0.1", help="where to listen (default: this machine alone)"
    )
    parser.add_argument("--port", type=int, default=8467, help="0 for any (default: 8467)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="another name by which browsers call this machine, with a --host of more than it",
    )  # fmt: skip
    parser.add_argument(
        "--max-megabytes", type=float, default=100, metavar="N", help="of a file (default: 100)"
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=50, metavar="N", help="of a photo (default: 50)"
    )
    parser.add_argument(
        "--model", default=None, help="shipped weights by name, or a .safetensors file"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="denoising steps")
    parser.add_argument("--device", default=None, help="cpu, gpu, gpu:1 ... (default: the best)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C; returns the exit code."""
    options = parse(argv)
    settings = Settings(model=options.model, steps=options.steps, device=options.device)
    limits = Limits(
        most_bytes=round(options.max_megabytes * MILLION),
        most_pixels=round(options.max_megapixels * MILLION),
    )
    if options.model is not None:
        try:
            find_network(options.model)  # a mistake is told now, not to the first photo
        except (OSError, ValueError) as error:
            print(f"deblur-page: {error}", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="deblur-page-") as folder:
        start = functools.partial(start_process, settings)
        jobs = Jobs(Path(folder), start, most_pixels=limits.most_pixels)
        try:
            server = PageServer((options.host, options.port), jobs, limits, options.allow_host)
        except OSError as error:
            print(
                f"deblur-page: {options.host}:{options.port} cannot be listened on "
                f"({error.strerror}); choose another --port",
                file=sys.stderr,
            )
            return 1
        address = f"http://{options.host}:{server.server_port}/"
        print(f"The page is at {address} until Ctrl-C.", flush=True)
        if not is_loopback(options.host):
            print("Whoever can reach this machine can use it.", flush=True)
        if not options.no_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
        finally:
            server.server_close()
            jobs.close()
    return 0


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
