"""Sending on what was stored to the user's own collector: buffered, in a thread of its own, never in anybody's way."""

from __future__ import annotations

import gzip
import http.client
import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from floe_dev.telemetry.writer import Kind, Request

log = logging.getLogger("floe.telemetry")

#: How the supervisor tells where to: the user's own OTEL_EXPORTER_OTLP_ENDPOINT and so on.
OTLP_ENDPOINT, OTLP_HEADERS = "FLOE_FORWARD_OTLP_ENDPOINT", "FLOE_FORWARD_OTLP_HEADERS"
LINEAGE_URL, LINEAGE_KEY = "FLOE_FORWARD_OPENLINEAGE_URL", "FLOE_FORWARD_OPENLINEAGE_API_KEY"
#: Requests that may wait for a collector that is away; the oldest go first.
_QUEUE = 2_000
_TIMEOUT_SECONDS = 10.0
_TRIES = 5


@dataclass(frozen=True)
class Target:
    """Where one kind goes."""

    url: str
    headers: Mapping[str, str]


def targets(environ: Mapping[str, str]) -> dict[Kind, Target]:
    """Where what goes, by the variables above; nothing by default."""
    found: dict[Kind, Target] = {}
    endpoint = environ.get(OTLP_ENDPOINT)
    if endpoint:
        headers = {}
        for item in environ.get(OTLP_HEADERS, "").split(","):
            name, separator, value = item.partition("=")
            if separator:
                headers[name.strip()] = unquote(value.strip())
        kinds: tuple[Kind, ...] = ("traces", "logs", "metrics")
        for kind in kinds:
            found[kind] = Target(f"{endpoint.rstrip('/')}/v1/{kind}", headers)
    lineage = environ.get(LINEAGE_URL)
    if lineage:
        key = environ.get(LINEAGE_KEY)
        found["lineage"] = Target(
            f"{lineage.rstrip('/')}/api/v1/lineage", {"authorization": f"Bearer {key}"} if key else {}
        )
    return found


class Forwarder:
    """One thread that sends what it is given; what cannot be sent in time is dropped and counted."""

    def __init__(self, wanted: Mapping[Kind, Target]) -> None:
        """The thread runs only where there is somewhere to send to."""
        self._targets = dict(wanted)
        self._queue: queue.Queue[Request | None] = queue.Queue(_QUEUE)
        self.dropped = 0
        self.sent = 0
        self.last_error = ""
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)
        if self._targets:
            self._thread.start()

    def put(self, batch: list[Request]) -> None:
        """Take what was stored; returns at once."""
        for request in batch:
            if request.kind not in self._targets:
                continue
            try:
                self._queue.put_nowait(request)
            except queue.Full:
                self.dropped += 1

    def close(self, seconds: float = 1.0) -> None:
        """Send what is waiting for at most `seconds`."""
        if self._targets:
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                return
            self._thread.join(seconds)

    def _run(self) -> None:
        while (request := self._queue.get()) is not None:
            target = self._targets[request.kind]
            for number in range(_TRIES):
                try:
                    status = _post(target, request)
                except (OSError, http.client.HTTPException) as error:
                    self.last_error = f"{type(error).__name__}: {error}"
                else:
                    if status < 300:
                        self.sent += 1
                        break
                    self.last_error = f"{target.url} answered {status}"
                    if status < 500 and status not in (408, 429):
                        self.dropped += 1
                        log.warning("not forwarded: %s", self.last_error)
                        break
                time.sleep(min(0.2 * 2**number, 5.0))
            else:
                self.dropped += 1
                log.warning("not forwarded: %s", self.last_error)


def _post(target: Target, request: Request) -> int:
    parts = urlsplit(target.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    headers = {
        "content-type": "application/json" if request.as_json else "application/x-protobuf",
        **target.headers,
    }
    body = request.body
    if request.kind != "lineage":
        body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
