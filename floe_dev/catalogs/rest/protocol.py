"""uvicorn's HTTP protocol with a patience limit: request heads must arrive in time and be of sane size.

uvicorn bounds idle connections, not ones that send a head byte by byte; and what it cannot parse it answers in plain
text, while clients of a catalog expect the specification's error body. Request bodies are bounded in `http`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from floe_dev.catalogs.rest.errors import ApiError

MAX_HEAD_BYTES = 64 * 1024
REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


def patient_protocol(seconds: float, instance: str) -> type[asyncio.Protocol]:
    """A protocol class for `uvicorn.Config(http=…)` that waits `seconds` for a request head."""
    base: Any = AutoHTTPProtocol

    class PatientProtocol(base):  # type: ignore[misc]
        """See the module."""

        _deadline: asyncio.TimerHandle | None = None
        _head_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.transport.is_closing():
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self._unwatch()
                return
            # Still no complete head, or an answer so quick that nothing is pending.
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(ApiError(431, "BadRequestException", f"The request head exceeds {MAX_HEAD_BYTES} bytes"))
            elif self._deadline is None:
                self._watch()

        def send_400_response(self, msg: str) -> None:
            self._refuse(ApiError(400, "BadRequestException", msg))

        def _watch(self) -> None:
            self._deadline = asyncio.get_running_loop().call_later(seconds, self._expired)

        def _unwatch(self) -> None:
            self._head_bytes = 0
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _expired(self) -> None:
            self._deadline = None
            if self.cycle is None and not self._head_bytes:
                # Opened and never used, as connection pools do: nothing to answer.
                self.transport.close()
            elif self.cycle is None or self.cycle.response_complete:
                message = f"No complete request head within {seconds:g} s"
                self._refuse(ApiError(408, "RequestTimeoutException", message))

        def _refuse(self, error: ApiError) -> None:
            body = error.body()
            head = (
                f"HTTP/1.1 {error.status} {REASONS[error.status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\nx-floe-instance: {instance}\r\n\r\n"
            )
            self.transport.write(head.encode("latin-1") + body)
            self.transport.close()

    return PatientProtocol
