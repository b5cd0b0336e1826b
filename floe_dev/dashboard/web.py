"""The dashboard in a browser: textual-serve on 127.0.0.1, which lets in only who knows the token.

textual-serve (by Textual's makers) runs one dashboard for each browser tab and has no login of its own; everything
about who may come in is here. The token goes from the address into a cookie at once, so that it stays out of histories.
"""

from __future__ import annotations

import hmac
import io
import secrets
import shlex
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from rich.console import Console
from textual_serve.server import Server

from floe_dev.errors import Code, FloeError

HOST = "127.0.0.1"
#: textual-serve's page asks another host for a font; nothing leaves this machine, so the browser is told to refuse.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{address}; frame-ancestors 'none'"
)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DashboardServer(Server):
    """Serves the command; `address` is what the user opens, token included."""

    def __init__(self, command: Sequence[str], port: int = 0) -> None:
        """Choose a port (0: any free one) and a token; FLOE8104 where the port is taken."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
            # From here on, so that who opens the address at once is kept waiting, not refused.
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise FloeError(
                Code.DASHBOARD_PORT,
                f"the dashboard cannot listen on {HOST}:{port}",
                why=error.strerror or str(error),
                fix="floe dashboard --web",
            ) from error
        super().__init__(shlex.join(command), HOST, self._socket.getsockname()[1], title="floe")
        self._token = secrets.token_urlsafe(32)
        # Browsers send a cookie of this host to all of its ports.
        self._cookie = f"floe-dashboard-{self.port}"
        # What textual-serve prints on its start names the command; the caller says what is worth saying.
        self.console = Console(file=io.StringIO())

    @property
    def address(self) -> str:
        """Where the dashboard is; whoever has this may do what its user may."""
        return f"{self.public_url}/?token={self._token}"

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        web.run_app(self._make_app(), sock=self._socket, print=lambda *_: None, access_log=None)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        # A page elsewhere can make a browser call this address by another name (DNS rebinding), or open its socket.
        own = f"{HOST}:{self.port}"
        if request.host != own or request.headers.get("Origin", f"http://{own}") != f"http://{own}":
            raise web.HTTPForbidden(text=f"open http://{own}\n")
        if self._fits(request.query.get("token")):
            answer = web.HTTPFound("/")
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict", path="/")
            raise answer
        if not self._fits(request.cookies.get(self._cookie)):
            raise web.HTTPForbidden(text="the token is missing or wrong: open the address that floe printed\n")
        answered = await handler(request)
        if not answered.prepared:
            answered.headers["Content-Security-Policy"] = _POLICY.format(address=own)
            answered.headers["Referrer-Policy"] = "no-referrer"
            answered.headers["X-Content-Type-Options"] = "nosniff"
        return answered

    def _fits(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(token.encode(), self._token.encode())
