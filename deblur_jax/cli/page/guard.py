"""Keep other sites away from the page.

A browser sends requests of any site to this machine. The Host header shows a name that another
site has bound to this machine (DNS rebinding), and the Origin header the site of a form or script.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
HTTP_PORT = 80  # browsers leave it out of the header
MINE = ("localhost", "127.0.0.1", "[::1]")


class Guard:
    """Middleware that refuses requests of other sites, and adds headers to all responses."""

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        """Guards an application.

        Args:
            app: the application.
            names: the Host headers that are accepted, see `accepted_names`.
        """
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        host, origin = headers.get("Host", "").lower(), headers.get("Origin")
        app = self._app
        if host not in self._names or origin not in (None, f"http://{host}"):
            words = (
                f"the page is not served at {origin or host!r}; open the address that deblur-page "
                "printed, or start it with --allow-host"
            )
            app = JSONResponse({"message": words}, 403)
        await app(scope, receive, send_guarded)


def accepted_names(host: str, port: int, others: Collection[str]) -> frozenset[str]:
    """Returns the Host headers under which the page may be called.

    Args:
        host: address that the server listens on.
        port: its port.
        others: more host names of this machine.
    """
    listening = f"[{host}]" if ":" in host else host
    names = [name.lower() for name in (*MINE, listening, *others)]
    bare = names if port == HTTP_PORT else []
    return frozenset([*bare, *(f"{name}:{port}" for name in names)])
