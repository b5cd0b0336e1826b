"""From an HTTP request to a `Call` and from a `Reply` to bytes: limits, JSON, and the threads that do the work.

Handlers are plain functions from Call to Reply. They run in a small pool of threads (SQLite and files block), while the
event loop only moves bytes, so a slow client or a slow statement never keeps another waiting.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from floe_dev.catalogs.rest.errors import ApiError, bad_request

JSON = "application/json"


@dataclass(frozen=True)
class Call:
    """One request, read completely; `path` holds percent-decoded parameters."""

    method: str
    url: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; 400 for anything else."""
        return parse_object(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer; `body` is JSON unless `headers` say otherwise."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, content: Any, status: int = 200) -> Reply:
        """A JSON answer."""
        return cls(status, json.dumps(content, separators=(",", ":")).encode())


Handler = Callable[[Call], Reply]

NO_CONTENT = Reply(204)
CREATED = Reply(201)


def parse_object(body: bytes) -> dict[str, Any]:
    """Strict JSON: an object, finite numbers, text that is Unicode."""
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
        # An escaped lone surrogate survives json.loads and would fail much later, where text is encoded.
        if b"\\u" in body:
            json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise bad_request("Malformed request: JSON nested too deeply") from None
    except ValueError as error:
        raise bad_request(f"Malformed request: {error}") from None
    if not isinstance(content, dict):
        raise bad_request("Malformed request: a JSON object is expected")
    return content


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def endpoint(
    handler: Handler, run: Callable[[Callable[[], Reply]], Awaitable[Reply]], body_bytes: int, seconds: float
) -> Callable[[Request], Awaitable[Response]]:
    """The ASGI side of a handler."""

    async def serve(request: Request) -> Response:
        try:
            async with asyncio.timeout(seconds):
                body = await _read(request, body_bytes)
        except TimeoutError:
            error = ApiError(408, "RequestTimeoutException", f"The request body did not arrive within {seconds:g} s")
            return Response(error.body(), 408, {"connection": "close"}, JSON)
        except ClientDisconnect:
            return Response(status_code=400)
        call = Call(
            request.method,
            request.scope["path"],
            {name: _decode(value) for name, value in request.path_params.items()},
            _query(request.scope["query_string"]),
            request.headers,
            body,
        )
        reply = await run(lambda: handler(call))
        return respond(reply)

    return serve


def respond(reply: Reply) -> Response:
    """The HTTP form of a reply."""
    if reply.body is None:
        return Response(status_code=reply.status, headers=reply.headers)
    return Response(reply.body, reply.status, reply.headers, reply.headers.get("content-type", JSON))


async def _read(request: Request, limit: int) -> bytes:
    too_large = ApiError(413, "RequestTooLargeException", f"The request body is larger than {limit} bytes")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def _decode(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise bad_request("Malformed request: the path is not UTF-8") from None


def _query(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64))
    except ValueError:
        raise bad_request("Malformed request: the query string cannot be read") from None
