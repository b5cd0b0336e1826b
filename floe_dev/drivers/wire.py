"""One HTTP request as bytes, and its answer from bytes: the same bytes are sent from here and from inside a network."""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Protocol, cast
from urllib.parse import urlsplit

#: Seconds for one request.
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """One request to a plain HTTP server."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def bytes(self) -> bytes:
        """As sent; HTTP/1.0, so that the answer ends with the connection and is never chunked."""
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{self.method} {target} HTTP/1.0", f"Host: {parts.netloc}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


@dataclass(frozen=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asker(Protocol):
    """Who can send a request from somewhere; OSError with the system's words where nothing answers."""

    def ask(self, request: Request) -> Answer:
        """Send it and read the whole answer."""
        ...


class FromHere:
    """Asks from this process."""

    def ask(self, request: Request) -> Answer:
        """Send it and read the whole answer; raises OSError."""
        received = bytearray()
        with socket.create_connection(request.address, timeout=TIMEOUT_SECONDS) as connection:
            connection.sendall(request.bytes())
            while part := connection.recv(65_536):
                received += part
        return parse(bytes(received))


class _Bytes:
    """What HTTPResponse takes for a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_args: object, **_keywords: object) -> io.BytesIO:
        return io.BytesIO(self._content)


def parse(content: bytes) -> Answer:
    """An answer from its bytes; OSError for what is none."""
    if not content:
        raise OSError(0, "the connection was closed without an answer")
    response = HTTPResponse(cast("socket.socket", _Bytes(content)))  # makefile is all it uses
    try:
        response.begin()
        body = response.read()
    except (HTTPException, ValueError) as error:
        raise OSError(0, f"not an HTTP answer ({type(error).__name__})") from error
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
