"""Serve a local web page that deblurs photos.

The server is the standard library's `http.server` with three static files. It needs no package
beyond those of `deblur` and no network connection. Gradio would add 52 packages, and sends
telemetry by default. Starlette with a server and form parsing would add 8, and would replace
neither the queue nor the worker process.
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
from deblur_jax.cli.restore_photo import Settings, find_network


MILLION = 1_000_000


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    words = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="deblur-page", description=words)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument(
        "--port", type=int, default=8467, help="port; 0 chooses a free one (default: 8467)"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="another host name of this machine that browsers may use, with a public --host",
    )  # fmt: skip
    parser.add_argument(
        "--max-megabytes", type=float, default=100, metavar="N", help="largest file (default: 100)"
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=50, metavar="N", help="largest photo (default: 50)"
    )
    parser.add_argument(
        "--model",
        default=None,
        help="auto (default), blind, name of shipped weights, or a .safetensors file",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=None,
        help="denoising steps (default: 5 for kernels, 15 for motions)",
    )
    parser.add_argument(
        "--device", default=None, help="cpu, gpu, gpu:1 ... (default: the fastest available)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C and returns the exit code."""
    options = parse(argv)
    settings = Settings(model=options.model, steps=options.steps, device=options.device)
    limits = Limits(
        most_bytes=round(options.max_megabytes * MILLION),
        most_pixels=round(options.max_megapixels * MILLION),
    )
    if options.model is not None:
        try:
            find_network(options.model)  # reports errors now, not with the first photo
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
                f"deblur-page: cannot listen on {options.host}:{options.port} "
                f"({error.strerror}); choose another --port",
                file=sys.stderr,
            )
            return 1
        address = f"http://{options.host}:{server.server_port}/"
        print(f"Serving at {address} until Ctrl-C.", flush=True)
        if not is_loopback(options.host):
            print("Everyone who can reach this machine can use the page.", flush=True)
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
    """Returns whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
