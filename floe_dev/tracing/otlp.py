"""Sending records as OTLP over HTTP where there is no folder to spool to: from a container to the relay beside it."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from floe_dev.tracing.spool import Attributes, Spool

#: Batches that may wait for a receiver that is away, and for how many seconds one of them is tried.
_WAITING = 64
_TRY_SECONDS = 60.0
_AGAIN_SECONDS = 0.5
_TIMEOUT_SECONDS = 5.0
#: Seconds that the end of a process waits for the last ones.
_LAST_SECONDS = 1.0


class OtlpSpool(Spool):
    """As the spool, never an error, never a wait: a thread sends; what is not sent in time is dropped and counted."""

    def __init__(self, endpoint: str, service: str, resource: Attributes | None = None) -> None:
        """`endpoint` is the base that `/v1/traces` is appended to."""
        super().__init__(Path(), service, resource)
        parts = urlsplit(endpoint)
        self._place = parts.hostname or "", parts.port or 80
        self._base = parts.path.rstrip("/")
        self._queue: queue.Queue[tuple[str, bytes, int]] = queue.Queue(_WAITING)
        self._sender: threading.Thread | None = None

    def flush(self) -> None:
        """Hand over what is held back, and give it a moment."""
        super().flush()
        give_up = time.monotonic() + _LAST_SECONDS
        while self._queue.unfinished_tasks and time.monotonic() < give_up:
            time.sleep(0.01)

    def _write(self, text: str, records: int) -> None:
        if self._sender is None:
            self._sender = threading.Thread(target=self._send, name="otlp", daemon=True)
            self._sender.start()
        for line in text.splitlines():
            content = json.loads(line)
            if content["kind"] in ("traces", "logs"):
                try:
                    self._queue.put_nowait((content["kind"], json.dumps(content["body"]).encode(), records))
                except queue.Full:
                    self._lost(records, "the receiver is away, or slower than what is recorded")

    def _send(self) -> None:
        while True:
            kind, body, records = self._queue.get()
            give_up = time.monotonic() + _TRY_SECONDS
            while (why := self._post(kind, body)) is not None:
                if time.monotonic() > give_up:
                    self._lost(records, why)
                    break
                time.sleep(_AGAIN_SECONDS)
            self._queue.task_done()

    def _post(self, kind: str, body: bytes) -> str | None:
        """Why it has to be tried again; None where it was taken, or never will be."""
        connection = http.client.HTTPConnection(*self._place, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", f"{self._base}/v1/{kind}", body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()
        return f"the receiver answers {status}" if status in (429, 502, 503, 504) else None
