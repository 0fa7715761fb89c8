"""Serve a local web page that deblurs photos.

Starlette has the routes and uvicorn the connections; both come with the extra `page`. The page
needs no network connection.
"""

import argparse
import importlib.util
import ipaddress
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path

from deblur_jax.cli.restore_photo import Settings, find_network


MILLION = 1_000_000
PACKAGES = ("starlette", "uvicorn")
GRACE = 1  # seconds that open requests get after Ctrl-C


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
        help="denoising steps (default: 4 for kernels, 15 for motions)",
    )
    parser.add_argument(
        "--device", default=None, help="cpu, gpu, gpu:1 ... (default: the fastest available)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C and returns the exit code."""
    options = parse(argv)
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        print(
            f"deblur-page: needs {' and '.join(missing)}; install the extra: "
            "pip install 'deblur-jax[page]'",
            file=sys.stderr,
        )
        return 1
    if options.model is not None:
        try:
            find_network(options.model)  # reports errors now, not with the first photo
        except (OSError, ValueError) as error:
            print(f"deblur-page: {error}", file=sys.stderr)
            return 1
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listening = socket.create_server((options.host, options.port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (")[0]
        print(
            f"deblur-page: cannot listen on {options.host}:{options.port} ({reason}); "
            "choose another --port",
            file=sys.stderr,
        )
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listening, tempfile.TemporaryDirectory(prefix="deblur-page-") as folder:
        try:
            _serve(listening, Path(folder), options)
        except KeyboardInterrupt:
            print()
    return 0


def _serve(listening: socket.socket, folder: Path, options: argparse.Namespace) -> None:
    import uvicorn

    from deblur_jax.cli.page.guard import accepted_names
    from deblur_jax.cli.page.jobs import Jobs
    from deblur_jax.cli.page.methods import offered_methods
    from deblur_jax.cli.page.server import Limits, make_app
    from deblur_jax.cli.page.worker import Worker

    limits = Limits(
        most_bytes=round(options.max_megabytes * MILLION),
        most_pixels=round(options.max_megapixels * MILLION),
    )
    methods = offered_methods(options.model)
    settings = Settings(model=methods[0].model, steps=options.steps, device=options.device)
    jobs = Jobs(folder, settings, limits.most_pixels, Worker)
    port = listening.getsockname()[1]
    names = accepted_names(options.host, port, options.allow_host)
    app = make_app(jobs, limits, methods, names)
    shown = f"[{options.host}]" if ":" in options.host else options.host
    address = f"http://{shown}:{port}/"
    print(f"Serving at {address} until Ctrl-C.", flush=True)
    if not is_loopback(options.host):
        print("Everyone who can reach this machine can use the page.", flush=True)
    if not options.no_browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        jobs.stop()  # after a second Ctrl-C, uvicorn does not close the application


def is_loopback(host: str) -> bool:
    """Returns whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
