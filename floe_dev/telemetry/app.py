"""The receiver's HTTP side: OTLP/HTTP at /v1/{traces,logs,metrics}, OpenLineage at /api/v1/lineage{,/batch}.

A plain ASGI callable: four paths need no framework, and its import would be paid at every start.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from floe_dev.telemetry.decode import BadRequestError, Decoded
from floe_dev.telemetry.writer import BusyError, Kind, Request, Writer

log = logging.getLogger("floe.telemetry")

#: Largest body in bytes, as sent and unpacked.
MAX_BODY = 16_000_000
#: Seconds a client has to send its body.
_BODY_SECONDS = 30.0
#: Of a body that is refused, so much is read and thrown away: who still sends would see a broken connection, not why.
_DISCARDED, _DISCARD_SECONDS = 256_000_000, 10.0
INSTANCE_HEADER = b"x-floe-instance"
_PATHS: dict[str, Kind] = {
    "/v1/traces": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
    "/api/v1/lineage": "lineage",
    "/api/v1/lineage/batch": "lineage",
}
_REJECTED: dict[Kind, str] = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
    "lineage": "rejected",
}
#: What was meant for the store and is not in it; 400 is counted where the body is read.
_COUNTED = frozenset({408, 413, 415})
#: google.rpc.Code of each HTTP status, for the Status message of an error.
_RPC_CODES = {400: 3, 401: 16, 404: 5, 405: 12, 408: 4, 413: 3, 415: 3, 500: 13, 503: 14}

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class HttpError(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Incoming:
    """A request's body as it arrives."""

    def __init__(self, headers: dict[bytes, bytes], receive: Receive) -> None:
        self.headers = headers
        self._receive = receive
        self.over = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers

    async def part(self) -> bytes:
        """The next piece; raises HttpError 400 where the client is gone."""
        message = await self._receive()
        self.over = not message.get("more_body")
        if message["type"] == "http.disconnect":
            raise HttpError(400, "the connection ended before the body")
        return bytes(message.get("body", b""))

    async def discard(self) -> None:
        """Let the client finish, within bounds; one that waits to be asked for its body is not asked."""
        left = _DISCARDED if b"expect" not in self.headers else 0
        try:
            async with asyncio.timeout(_DISCARD_SECONDS):
                while left > 0 and not self.over:
                    left -= len(await self.part())
        except (TimeoutError, HttpError):
            return


class Receiver:
    """The ASGI application."""

    def __init__(self, writer: Writer, token: str, instance: str) -> None:
        """`token` is what every sender has to show."""
        self._writer = writer
        self._expected = f"Bearer {token}".encode()
        self._instance = instance.encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; no exception leaves it."""
        if scope["type"] != "http":
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        as_json = not headers.get(b"content-type", b"").startswith(b"application/x-protobuf")
        incoming = _Incoming(headers, receive)
        try:
            status, body = await self._serve(scope, headers, incoming)
        except HttpError as error:
            if error.status in _COUNTED:
                self._writer.lose("refused requests", 1, str(error))
            if error.status != 408:
                await incoming.discard()
            status, body = error.status, _status_body(error.status, str(error), as_json=as_json)
        except Exception:
            log.exception("defect in %s %s", scope["method"], scope["path"])
            status, body = 500, _status_body(500, "a defect in the receiver; see its log", as_json=as_json)
        kind = b"application/json" if as_json else b"application/x-protobuf"
        answer = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        answer.append((INSTANCE_HEADER, self._instance))
        if status == 503:
            answer.append((b"retry-after", b"2"))
        if not incoming.over:
            # Only a closed connection stops the rest of the body.
            answer.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": body})

    async def _serve(self, scope: Scope, headers: dict[bytes, bytes], incoming: _Incoming) -> tuple[int, bytes]:
        path, method = scope["path"].rstrip("/"), scope["method"]
        if path == "/health" and method == "GET":
            why = self._writer.refusing
            return 200, json.dumps({"status": "ready", "storing": not why, **({"why": why} if why else {})}).encode()
        kind = _PATHS.get(path)
        if kind is None:
            raise HttpError(404, f"there is no {scope['path']}; there are {', '.join(_PATHS)}")
        if method != "POST":
            raise HttpError(405, f"{path} takes POST")
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            raise HttpError(401, "send the stack's token: floe env prints OTEL_EXPORTER_OTLP_HEADERS")
        as_json = _content_type(headers, kind)
        body = _unpacked(await _body(incoming), headers.get(b"content-encoding", b"").decode("latin-1"))
        try:
            decoded = await asyncio.wrap_future(self._writer.put(Request(kind, body, as_json)))
        except BadRequestError as error:
            raise HttpError(400, str(error)) from error
        except BusyError as error:
            raise HttpError(503, str(error)) from error
        if kind == "lineage":
            return (200, _batch(decoded)) if path.endswith("/batch") or decoded.rejected else (201, b"{}")
        return 200, success(kind, decoded, as_json=as_json)


def _content_type(headers: dict[bytes, bytes], kind: Kind) -> bool:
    """Whether the body is JSON; 415 for anything but JSON and protobuf."""
    given = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if given == b"application/json":
        return True
    if given == b"application/x-protobuf" and kind != "lineage":
        return False
    wanted = "application/json" if kind == "lineage" else "application/x-protobuf or application/json"
    raise HttpError(415, f"the content type is {given.decode('latin-1') or 'missing'}, not {wanted}")


async def _body(incoming: _Incoming) -> bytes:
    length = incoming.headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > MAX_BODY:
        raise HttpError(413, f"a body has at most {MAX_BODY} bytes")
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while not incoming.over:
                part = await incoming.part()
                size += len(part)
                if size > MAX_BODY:
                    raise HttpError(413, f"a body has at most {MAX_BODY} bytes")
                parts.append(part)
        return b"".join(parts)
    except TimeoutError:
        raise HttpError(408, f"the body did not arrive within {_BODY_SECONDS:g} s") from None


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise HttpError(415, f"the content encoding {encoding!r} is not known; gzip is")
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, by the header
    try:
        plain = unpacker.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise HttpError(400, f"the body is not {encoding}: {error}") from error
    if len(plain) > MAX_BODY:
        raise HttpError(413, f"a body has at most {MAX_BODY} bytes unpacked")
    if not unpacker.eof:
        raise HttpError(400, f"the {encoding} body is cut off")
    return plain


def success(kind: Kind, decoded: Decoded, *, as_json: bool) -> bytes:
    """The answer to what was stored, in part where something of it was rejected."""
    if not decoded.rejected:
        return b"{}" if as_json else b""
    if as_json:
        partial = {_REJECTED[kind]: str(decoded.rejected), "errorMessage": decoded.reason}
        return json.dumps({"partialSuccess": partial}).encode()
    # The three responses are one message on the wire: field 1 with the count (1) and the text (2).
    reason = decoded.reason.encode()
    partial_success = b"\x08" + _varint(decoded.rejected) + b"\x12" + _varint(len(reason)) + reason
    return b"\x0a" + _varint(len(partial_success)) + partial_success


def _batch(decoded: Decoded) -> bytes:
    """What became of a batch of events, as OpenLineage's API has it."""
    taken, failed = len(decoded.lineage), decoded.rejected
    summary = {"received": taken + failed, "successful": taken, "failed": failed, "retriable": 0}
    content = {"status": "partial_success" if failed else "success", "summary": {**summary, "non_retriable": failed}}
    return json.dumps(content).encode()


def _status_body(status: int, message: str, *, as_json: bool) -> bytes:
    """google.rpc.Status, as the specification wants it in every error."""
    code = _RPC_CODES.get(status, 2)
    if as_json:
        return json.dumps({"code": code, "message": message}).encode()
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
