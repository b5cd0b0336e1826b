"""The one thread that parses and stores: requests queue up, a batch is one commit, and only then are they answered."""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from floe_dev.telemetry.decode import BadRequestError, Decoded, decode_logs, decode_metrics, decode_traces
from floe_dev.telemetry.lineage_rows import parse_event
from floe_dev.telemetry.store import Limits, Store

log = logging.getLogger("floe.telemetry")

Kind = Literal["traces", "logs", "metrics", "lineage"]
#: Requests stored in one commit.
_BATCH = 64
#: Bytes of requests that may wait; more are turned away until there is room.
MAX_WAITING_BYTES = 64_000_000


class BusyError(Exception):
    """Nothing can be taken now: too much is waiting, or the disk refuses."""


@dataclass
class Request:
    """One request's body, and its answer in time."""

    kind: Kind
    body: bytes
    as_json: bool
    answer: Future[Decoded] = field(default_factory=Future)


def decode(kind: Kind, body: bytes, *, as_json: bool) -> Decoded:
    """What a body holds; raises BadRequestError."""
    if kind == "lineage":
        return decode_lineage(body)
    return {"traces": decode_traces, "logs": decode_logs, "metrics": decode_metrics}[kind](body, as_json=as_json)


def decode_lineage(body: bytes) -> Decoded:
    """One OpenLineage event, or a list of them, of which the bad ones are rejected; raises BadRequestError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    found = Decoded()
    if not isinstance(document, list):
        found.lineage.append(parse_event(document))
        return found
    for event in document:
        try:
            found.lineage.append(parse_event(event))
        except BadRequestError as error:
            found.reject(str(error))
    return found


class Writer:
    """Owns the store."""

    #: Called with every batch that was committed.
    stored: Callable[[list[Request]], None] | None = None

    def __init__(self, file: Path, limits: Limits) -> None:
        """Opens the store; raises OSError, sqlite3.Error."""
        self._store = Store(file, limits)
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._lost: dict[str, tuple[int, str]] = {}
        #: Why the store refuses at the moment; empty while it does not.
        self.refusing = ""
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, request: Request) -> Future[Decoded]:
        """Queue a request; its answer is there once it is stored. Raises BusyError."""
        with self._lock:
            if self._waiting + len(request.body) > MAX_WAITING_BYTES and self._waiting:
                raise BusyError("too much is waiting to be stored")
            self._waiting += len(request.body)
        self._queue.put(request)
        return request.answer

    def lose(self, kind: str, count: int, reason: str) -> None:
        """Count what was lost elsewhere, to be stored soon."""
        with self._lock:
            first = not self._lost
            before = self._lost.get(kind, (0, ""))[0]
            self._lost[kind] = (before + count, reason)
        if first:
            self._queue.put(Request("traces", b"", as_json=False))  # an empty batch, which stores it

    def close(self) -> None:
        """Store what is queued, then close the store."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            ending = False
            while len(batch) < _BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    ending = True
                    break
                batch.append(following)
            try:
                self._write(batch)
            except Exception as error:  # a defect must not end the only writer
                log.exception("storing a batch")
                for request in batch:
                    if not request.answer.done():
                        request.answer.set_exception(BusyError(str(error)))
            with self._lock:
                self._waiting -= sum(len(request.body) for request in batch)
            if ending:
                break
        self._store.close()

    def _write(self, batch: list[Request]) -> None:
        good: list[tuple[Request, Decoded]] = []
        for request in batch:
            try:
                good.append((request, decode(request.kind, request.body, as_json=request.as_json)))
            except BadRequestError as error:
                self.lose("bad requests", 1, str(error))
                request.answer.set_exception(error)
        try:
            if any(request.body for request, _ in good):
                self._store.add([decoded for _, decoded in good])
            self._count_lost()
        except sqlite3.Error as error:
            if not self.refusing:
                log.error("nothing is stored until this is mended: %s", error)
            self.refusing = str(error)
            for request, _ in good:
                request.answer.set_exception(BusyError(f"the store refuses: {error}"))
            return
        if self.refusing:
            log.warning("storing again")
            self.lose("times that nothing was stored", 1, self.refusing)
            self.refusing = ""
        for request, decoded in good:
            request.answer.set_result(decoded)
        if self.stored is not None:
            self.stored([request for request, _ in good if request.body])
        try:
            self._store.sweep()
        except sqlite3.Error:
            log.exception("deleting old traces")

    def _count_lost(self) -> None:
        with self._lock:
            lost = dict(self._lost)
        for kind, (count, reason) in lost.items():
            self._store.gap(kind, count, reason)
        with self._lock:
            for kind, (count, _) in lost.items():
                left, reason = self._lost.pop(kind)
                if left > count:
                    self._lost[kind] = (left - count, reason)
