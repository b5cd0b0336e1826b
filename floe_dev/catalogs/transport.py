"""One principal's requests to one catalog: connections that are kept, a token that is renewed, errors in words.

Nothing but the standard library: PyIceberg would cost 0.6 s of imports before the first request.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.tracing.context import current

_TIMEOUT_SECONDS = 15.0


class NotFoundError(FloeError):
    """404: it is not there, or this principal may not see it."""


class UnsupportedError(FloeError):
    """The catalog does not have this endpoint."""


class ConflictError(FloeError):
    """409: it is there already."""


_KINDS: dict[int, type[FloeError]] = {
    404: NotFoundError,
    **dict.fromkeys((405, 406, 501), UnsupportedError),
    409: ConflictError,
}


class Transport:
    """Sends requests below a catalog's address with one principal's token. Threads may share it."""

    def __init__(self, connection: CatalogConnection) -> None:
        """Nothing is asked yet; the token is fetched with the first request."""
        self._connection = connection
        self._base = urlsplit(connection.uri)
        self._lock = threading.Lock()
        self._token: tuple[str, float] | None = None
        self._prefix: str | None = None
        #: Connections that nobody uses now. Not one for each thread: whoever lists tables has new threads each time,
        #: and a dashboard does so all day long.
        self._idle: deque[http.client.HTTPConnection] = deque()

    def close(self) -> None:
        """Close the connections that nobody uses; a later request opens a new one."""
        while (connection := self._kept()) is not None:
            connection.close()

    def token(self) -> str:
        """An access token of this principal; raises FloeError 3001 or 3002."""
        with self._lock:
            if self._token is None or self._token[1] < time.monotonic():
                form = {
                    "grant_type": "client_credentials",
                    "client_id": self._connection.credential.client_id,
                    "client_secret": self._connection.credential.client_secret.get_secret_value(),
                    "scope": self._connection.scope,
                }
                headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
                status, body = self._exchange("POST", "v1/oauth/tokens", urlencode(form).encode(), headers)
                answer = self._checked(status, body, "v1/oauth/tokens")
                # Half the life: the answer's clock is not ours, and a refresh costs a few milliseconds.
                self._token = (answer["access_token"], time.monotonic() + float(answer.get("expires_in", 3600)) / 2)
            return self._token[0]

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON answer to a request for `v1/PREFIX` and `path`.

        Raises FloeError 3001 where nobody answers, 3002 where the catalog refuses (NotFoundError, UnsupportedError and
        ConflictError are that).
        """
        return self._request(method, f"v1/{self._path_prefix()}{path}", body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self.token()}"}
        context = current()
        if context is not None:
            headers["traceparent"] = context.traceparent()
        sent = None
        if body is not None:
            sent = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        status, answer = self._exchange(method, path, sent, headers)
        if status == 401:
            # The token ran out or the catalog was restarted with another signing key: one fresh token, one more try.
            with self._lock:
                self._token = None
            headers["Authorization"] = f"Bearer {self.token()}"
            status, answer = self._exchange(method, path, sent, headers)
        return self._checked(status, answer, path)

    def _path_prefix(self) -> str:
        if self._prefix is None:
            config = self._request("GET", f"v1/config?{urlencode({'warehouse': self._connection.warehouse})}")
            prefix = {**(config.get("defaults") or {}), **(config.get("overrides") or {})}.get("prefix", "")
            self._prefix = f"{quote(prefix, safe='')}/" if prefix else ""
        return self._prefix

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        target = f"{self._base.path}/{path}"
        for attempt in (1, 2):
            kept = None if attempt == 2 else self._kept()
            connection = kept or self._fresh()
            try:
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A kept-alive connection that the server closed meanwhile fails once; a fresh one is telling the truth.
                if kept is None:
                    raise FloeError(
                        Code.CATALOG_UNREACHABLE,
                        f"the catalog at {self._connection.uri} does not answer",
                        why=f"{type(error).__name__}: {error}",
                        fix="floe status",
                    ) from error
            else:
                self._idle.append(connection)
                return answer.status, content
        raise AssertionError  # both attempts return or raise

    def _kept(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _fresh(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
        return kind(self._base.hostname or "", self._base.port, timeout=_TIMEOUT_SECONDS)

    def _checked(self, status: int, body: bytes, path: str) -> dict[str, Any]:
        try:
            answer = json.loads(body) if body else {}
        except ValueError:
            answer = {}
        if status in (200, 201, 204) and isinstance(answer, dict):
            return answer
        kind = _KINDS.get(status, FloeError)
        error = answer.get("error") if isinstance(answer, dict) else None
        told = error.get("message") if isinstance(error, dict) else None
        told = told or (answer.get("error_description") if isinstance(answer, dict) else None)
        raise kind(
            Code.CATALOG_REFUSED,
            f"the catalog answered {status} to {path.split('?')[0]}",
            why=str(told) if told else None,
            fix="floe doctor",
        )
