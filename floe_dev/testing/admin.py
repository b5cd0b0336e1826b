"""The few requests a test's lakehouse costs, over one kept-alive connection and without an SDK's imports."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from floe_dev.errors import Code, FloeError

if TYPE_CHECKING:
    from floe_dev.model.connection import CatalogConnection

MANAGEMENT = "/api/management/v1"
CATALOG = "/api/catalog/v1"


_BATCH = f"{MANAGEMENT}/batch"


@dataclass(frozen=True)
class Ask:
    """One request of several: as the arguments of `Admin.send`."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    accept: tuple[int, ...] = ()


class _InOnePiece:
    """Mixed into an HTTP connection: head and body leave together, since two pieces wake the server twice."""

    _pieces: list[bytes] | None = None

    def request(self, *args: Any, **options: Any) -> None:
        """As the connection's own."""
        self._pieces = []
        try:
            super().request(*args, **options)  # type: ignore[misc]
            whole = b"".join(self._pieces)
        finally:
            self._pieces = None
        self.send(whole)

    def send(self, data: Any) -> None:
        """As the connection's own; what belongs to a request is gathered."""
        if self._pieces is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._pieces.append(data)


class _Http(_InOnePiece, http.client.HTTPConnection):
    """See `_InOnePiece`."""


class _Https(_InOnePiece, http.client.HTTPSConnection):
    """See `_InOnePiece`."""


class Admin:
    """Requests as the root principal. Threads may share it; they take turns."""

    def __init__(self, root: CatalogConnection) -> None:
        """Nothing is asked yet."""
        self._root = root
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._http: http.client.HTTPConnection | None = None
        self._token: str | None = None
        #: Whether the server takes several requests as one: floe's own does, Polaris does not. None: not asked yet.
        self._batches: bool | None = None
        #: Whether it drops all that a catalog holds by one request: floe's own does. None: not known yet.
        self.drops_contents: bool | None = None
        #: A batch that was sent, and whose answer nobody has read yet.
        self._unread: list[Ask] = []

    @property
    def is_floes(self) -> bool:
        """Whether the server was found to be floe's own, of this version or a later one."""
        return self._batches is True

    def close(self) -> None:
        """Read what is unread and close the connection; a later request opens another. Raises as `send`."""
        with self._own_lock():
            self._settle()
            if self._http is not None:
                self._http.close()
                self._http = None

    def _own_lock(self) -> threading.Lock:
        """The lock; in a process forked off, a new one and a new connection: the old ones are the parent's."""
        if self._pid != os.getpid():
            self._pid, self._lock, self._http, self._unread = os.getpid(), threading.Lock(), None, []
        return self._lock

    def send(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, accept: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """The parsed answer; FloeError 3002 for a status neither 2xx nor in `accept`, 3001 without an answer."""
        with self._own_lock():
            self._settle()
            return self._ask(method, path, body, accept)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, accept: tuple[int, ...] = ()) -> dict[str, Any]:
        status, text = self._exchange(method, path, body)
        if status == 401:
            self._token = None
            status, text = self._exchange(method, path, body)
        answer = _parsed(text)
        if status < 300 or status in accept:
            return answer
        error = answer.get("error")
        raise FloeError(
            Code.CATALOG_REFUSED,
            f"the catalog answered {status} to {method} {path}",
            why=str(error.get("message")) if isinstance(error, dict) else None,
        )

    def together(self, asks: Sequence[Ask]) -> list[dict[str, Any]]:
        """The parsed answers of several requests; where the server can, in one transaction and one round trip.

        Raises as `send`; a server that can has then done nothing of them.
        """
        if not asks:
            return []
        if self._batches is not False:
            accept = () if self._batches else (404, 405)
            answers = self.send("POST", _BATCH, _body(asks), accept=accept).get("responses")
            if answers is not None:
                self._batches = True
                return [answer["body"] or {} for answer in answers]
            # Not there, or one of the requests is refused as such a path is: asked singly, each tells the truth.
        told = [self.send(ask.method, ask.path, ask.body, accept=ask.accept) for ask in asks]
        self._batches = False
        return told

    def together_soon(self, asks: Sequence[Ask]) -> None:
        """As `together`, of floe's own server only, and without waiting: the answer is read before the next request.

        They must be such as may be sent twice. What goes wrong is raised by the next request, or by `close`.
        """
        with self._own_lock():
            self._settle()
            if self._http is None or self._token is None:
                self._ask("POST", _BATCH, _body(asks))
                return
            # A connection that the server has closed meanwhile is found out when the answer is read.
            self._unread = list(asks)
            with contextlib.suppress(OSError):
                self._http.request("POST", _BATCH, *self._content(_body(asks)))

    def _settle(self) -> None:
        """Read the answer that is unread; what went wrong is tried once more, and raises as `send`."""
        asks, self._unread = self._unread, []
        if not asks or self._http is None:
            return
        try:
            answer = self._http.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            self._http = None
        else:
            if answer.status < 300:
                return
        self._ask("POST", _BATCH, _body(asks))

    def _content(self, body: dict[str, Any] | None) -> tuple[bytes | None, dict[str, str]]:
        """A request's body and headers."""
        from floe_dev.catalogs.provision import fetch_token

        if self._token is None:
            self._token = fetch_token(self._root)
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is None:
            return None, headers
        return json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        content = self._content(body)
        while True:
            fresh = self._http is None
            connection = self._http = self._http or self._connect()
            try:
                connection.request(method, path, *content)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._http = None
                # The server closes idle connections: only a fresh one tells the truth.
                if fresh:
                    raise FloeError(
                        Code.CATALOG_UNREACHABLE,
                        f"the tests' catalog at {self._root.uri} does not answer",
                        why=f"{type(error).__name__}: {error}",
                    ) from error

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._root.uri)
        kind = _Https if parts.scheme == "https" else _Http
        return kind(parts.hostname or "", parts.port, timeout=30)


def _body(asks: Sequence[Ask]) -> dict[str, Any]:
    return {"requests": [vars(ask) for ask in asks]}


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text) if text else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
