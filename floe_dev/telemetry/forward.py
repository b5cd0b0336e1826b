"""Sending on what was stored to the user's own collector: buffered, in a thread of its own, never in anybody's way."""

from __future__ import annotations

import gzip
import http.client
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from floe_dev.telemetry.writer import Kind, Request

log = logging.getLogger("floe.telemetry")

#: How the supervisor tells where to: the user's own OTEL_EXPORTER_OTLP_ENDPOINT and so on.
OTLP_ENDPOINT, OTLP_HEADERS = "FLOE_FORWARD_OTLP_ENDPOINT", "FLOE_FORWARD_OTLP_HEADERS"
LINEAGE_URL, LINEAGE_KEY = "FLOE_FORWARD_OPENLINEAGE_URL", "FLOE_FORWARD_OPENLINEAGE_API_KEY"
#: How the user's exporters would speak; only OTLP over HTTP can be forwarded.
OTLP_PROTOCOL = "FLOE_FORWARD_OTLP_PROTOCOL"
#: Bytes that may wait for one target that is away; the oldest go first.
MAX_WAITING_BYTES = 32_000_000
_TIMEOUT_SECONDS = 10.0
_TRIES = 5
_OTLP_KINDS: tuple[Kind, ...] = ("traces", "logs", "metrics")


@dataclass(frozen=True)
class Target:
    """Where one kind goes."""

    url: str
    headers: Mapping[str, str]


def targets(environ: Mapping[str, str]) -> dict[Kind, Target]:
    """Where what goes, by the variables above; nothing by default."""
    found: dict[Kind, Target] = {}
    endpoint = environ.get(OTLP_ENDPOINT)
    headers = _headers(environ.get(OTLP_HEADERS, ""))
    for kind in _OTLP_KINDS:
        own = environ.get(f"{OTLP_ENDPOINT}_{kind.upper()}")
        if own:  # the specification: taken as it is, where the general one is a base
            found[kind] = Target(own, headers)
        elif endpoint:
            found[kind] = Target(f"{endpoint.rstrip('/')}/v1/{kind}", headers)
    if found and environ.get(OTLP_PROTOCOL) == "grpc":
        log.error("not forwarded: OTEL_EXPORTER_OTLP_PROTOCOL is grpc; name the OTLP/HTTP port, and http/protobuf")
        found = {}
    lineage = environ.get(LINEAGE_URL)
    if lineage:
        key = environ.get(LINEAGE_KEY)
        found["lineage"] = Target(
            f"{lineage.rstrip('/')}/api/v1/lineage", {"authorization": f"Bearer {key}"} if key else {}
        )
    return found


def _headers(text: str) -> dict[str, str]:
    """OpenTelemetry's `name=value,name=value`, values percent-encoded."""
    pairs = (item.partition("=") for item in text.split(","))
    return {name.strip(): unquote(value.strip()) for name, separator, value in pairs if separator}


class Forwarder:
    """A thread for each target that sends what it is given; what cannot be sent in time is dropped and counted."""

    def __init__(self, wanted: Mapping[Kind, Target], lose: Callable[[str, int, str], None] | None = None) -> None:
        """`lose` is told of what was dropped: kind of gap, count, reason."""
        by_place: dict[tuple[str, int | None], _Lane] = {}
        self._lanes: dict[Kind, _Lane] = {}
        for kind, target in wanted.items():
            parts = urlsplit(target.url)
            lane = by_place.setdefault((parts.hostname or "", parts.port), _Lane(lose or _ignore))
            lane.targets[kind] = target
            self._lanes[kind] = lane
        for lane in by_place.values():
            lane.start()

    def put(self, batch: list[Request]) -> None:
        """Take what was stored; returns at once."""
        for request in batch:
            lane = self._lanes.get(request.kind)
            if lane is not None:
                lane.put(request)

    def close(self, seconds: float = 1.0) -> None:
        """Send what is waiting for at most `seconds`."""
        give_up = time.monotonic() + seconds
        for lane in set(self._lanes.values()):
            lane.close(max(0.0, give_up - time.monotonic()))


class _Lane:
    """What goes to one place, in order, over one connection: a target that is away delays no other."""

    def __init__(self, lose: Callable[[str, int, str], None]) -> None:
        self.targets: dict[Kind, Target] = {}
        self._lose = lose
        self._waiting: deque[Request] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._ending = False
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, name="forward", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, request: Request) -> None:
        dropped = 0
        with self._changed:
            self._waiting.append(request)
            self._bytes += len(request.body)
            while self._bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
                self._bytes -= len(self._waiting.popleft().body)
                dropped += 1
            self._changed.notify()
        if dropped:
            self._lose("requests not forwarded", dropped, "the target is away, or slower than what arrives")

    def close(self, seconds: float) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._ending:
                    self._changed.wait()
                if not self._waiting:
                    return
                request = self._waiting.popleft()
                self._bytes -= len(request.body)
            why = self._send(self.targets[request.kind], request)
            if why is not None:
                log.warning("not forwarded: %s", why)
                self._lose("requests not forwarded", 1, why)

    def _send(self, target: Target, request: Request) -> str | None:
        """Why it could not be sent; None where it was."""
        why = ""
        for number in range(_TRIES):
            try:
                status = self._post(target, request)
            except (OSError, http.client.HTTPException) as error:
                self._connection = None
                why = f"{target.url}: {type(error).__name__}: {error}"
            else:
                if status < 300:
                    return None
                why = f"{target.url} answered {status}"
                if status < 500 and status not in (408, 429):
                    return why
            if self._ending:
                return why
            time.sleep(min(0.2 * 2**number, 5.0))
        return why

    def _post(self, target: Target, request: Request) -> int:
        parts = urlsplit(target.url)
        if self._connection is None:
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
        headers = {
            "content-type": "application/json" if request.as_json else "application/x-protobuf",
            **target.headers,
        }
        body = request.body
        if request.kind != "lineage":
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        self._connection.request("POST", parts.path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def _ignore(_kind: str, _count: int, _reason: str) -> None:
    """Nobody counts."""
