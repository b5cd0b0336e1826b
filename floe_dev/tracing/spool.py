"""The spool: finished records become files that the receiver collects; never an error, never a wait.

One file holds JSON lines `{"kind": "traces" | "logs" | "lineage" | "gap", "body": …}`, the first two in OTLP's JSON; in
place of `body`, `protobuf` may hold an OTLP message in Base64. A file is written under a name that is not collected and
renamed when it is whole. A gap says how many records were lost since the file before.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

log = logging.getLogger("floe.telemetry")

#: Names the spool's folder; where it is unset, nothing is recorded.
VARIABLE = "FLOE_TELEMETRY_SPOOL"
#: Without a folder: where to send instead, as OTLP over HTTP; for floe's own processes in containers.
ENDPOINT_VARIABLE = "FLOE_OTLP_ENDPOINT"
#: `off` where the project's `observability` wants no traces, or no lineage.
TRACES_VARIABLE, LINEAGE_VARIABLE = "FLOE_TRACES", "FLOE_LINEAGE"
#: What is collected has this suffix.
SUFFIX = ".jsonl"
#: Records that are held back at most, and for how many seconds.
_BATCH = 256
_SECONDS = 0.25
#: With this many files waiting nobody collects them: what follows is dropped and counted.
MAX_FILES = 4_000
_SECRET_NAME = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?|HEADERS)$", re.IGNORECASE
)

Attributes = dict[str, Any]


class Spool:
    """Collects this process's records and writes them to one folder in batches."""

    def __init__(self, folder: Path, service: str, resource: Attributes | None = None) -> None:
        """Nothing is written and no thread runs before the first record."""
        self._folder = folder
        self._resource = {"service.name": service, "process.pid": os.getpid(), **(resource or {})}
        self._lock = threading.Lock()
        self._spans: list[dict[str, Any]] = []
        self._logs: list[dict[str, Any]] = []
        self._lineage: list[dict[str, Any]] = []
        self._wake: threading.Timer | None = None
        self._hidden = secret_values()
        self._traces = os.environ.get(TRACES_VARIABLE) != "off"
        self._events = os.environ.get(LINEAGE_VARIABLE) != "off"
        #: Records lost because the folder could not be written, and of these, how many nobody was told of.
        self.dropped = 0
        self._untold = 0
        self._why = ""

    def span(self, record: dict[str, Any]) -> None:
        """One finished span in OTLP's JSON."""
        if self._traces:
            self._add(self._spans, record)

    def log(self, record: dict[str, Any]) -> None:
        """One log record in OTLP's JSON."""
        if self._traces:
            self._add(self._logs, record)

    def lineage(self, event: dict[str, Any]) -> None:
        """One OpenLineage event."""
        if self._events:
            self._add(self._lineage, event)

    def flush(self) -> None:
        """Write what is held back; what cannot be written is dropped and counted."""
        with self._lock:
            spans, self._spans = self._spans, []
            logs, self._logs = self._logs, []
            lineage, self._lineage = self._lineage, []
            if self._wake is not None:
                self._wake.cancel()
                self._wake = None
        lines = []
        resource = {"attributes": attributes(self._resource)}
        scope = {"name": "floe"}
        if spans:
            group = {"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}
            lines.append({"kind": "traces", "body": {"resourceSpans": [group]}})
        if logs:
            group = {"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": logs}]}
            lines.append({"kind": "logs", "body": {"resourceLogs": [group]}})
        lines += [{"kind": "lineage", "body": event} for event in lineage]
        if lines:
            if self._untold:
                lines.append({"kind": "gap", "body": {"count": self._untold, "reason": self._why}})
            text = "".join(json.dumps(line, default=str) + "\n" for line in lines)
            for value in self._hidden:
                text = text.replace(value, "***")
            self._write(text, len(spans) + len(logs) + len(lineage))

    def _add(self, held: list[dict[str, Any]], record: dict[str, Any]) -> None:
        with self._lock:
            held.append(record)
            full = len(held) >= _BATCH
            if not full and self._wake is None:
                self._wake = threading.Timer(_SECONDS, self.flush)
                self._wake.daemon = True
                try:
                    self._wake.start()
                except RuntimeError:  # the interpreter is ending: its exit handler flushes
                    self._wake = None
        if full:
            self.flush()

    def _write(self, text: str, records: int) -> None:
        """Deliver the lines of `text`, which hold that many records."""
        if (why := put(self._folder, text)) is not None:
            self._lost(records, why)
        else:
            self._untold = 0

    def _lost(self, records: int, why: str) -> None:
        """Count what is dropped and say so, the first time in the process's own log."""
        if not self.dropped:
            log.warning("telemetry is dropped, the work goes on: %s", why)
        self.dropped += records
        self._untold += records
        self._why = why


def put(folder: Path, text: str) -> str | None:
    """Write one file of the spool; None, or why it was dropped: telemetry stops, the work goes on."""
    name = f"{time.time_ns()}-{os.urandom(6).hex()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _ in os.scandir(folder)) > MAX_FILES:
            return f"{MAX_FILES} files wait and nobody collects them"
        unfinished = folder / f"{name}.part"
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        unfinished.rename(folder / (name + SUFFIX))
    except OSError as error:
        # The disk is full or the project is gone.
        with contextlib.suppress(OSError):
            (folder / f"{name}.part").unlink()
        return error.strerror or str(error)
    return None


def attributes(values: Attributes) -> list[dict[str, Any]]:
    """Key and value as OTLP's JSON writes them; None is left out."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -(2**63) <= value < 2**63 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": str(value).encode("utf-8", "replace").decode()}


def secret_values() -> tuple[str, ...]:
    """What must never be written: the values of variables that are named like secrets."""
    found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= 8}
    return tuple(sorted(found, key=len, reverse=True))


_spool: Spool | None = None
_known = False


def spool() -> Spool | None:
    """This process's spool; None where nothing is recorded."""
    global _spool, _known
    if not _known:
        _known = True
        folder, endpoint = os.environ.get(VARIABLE), os.environ.get(ENDPOINT_VARIABLE)
        name = os.environ.get("OTEL_SERVICE_NAME") or "floe"
        if folder:
            _spool = Spool(Path(folder), name)
        elif endpoint:
            from floe_dev.tracing.otlp import OtlpSpool

            _spool = OtlpSpool(endpoint, name)
        if _spool is not None:
            atexit.register(_spool.flush)
    return _spool


def configure(folder: Path | None, service: str, resource: Attributes | None = None) -> None:
    """Say where this process's records go (None: nowhere) and what it is called; atexit writes the last ones."""
    global _spool, _known
    if _spool is not None:
        _spool.flush()
    _known = True
    _spool = Spool(folder, service, resource) if folder is not None else None
    if _spool is not None:
        atexit.register(_spool.flush)


def configure_from_environment(service: str, resource: Attributes | None = None) -> None:
    """As `configure`, with the folder that the stack's environment names."""
    folder = os.environ.get(VARIABLE)
    configure(Path(folder) if folder else None, service, resource)


def _after_fork() -> None:
    global _spool, _known
    _spool, _known = None, False


os.register_at_fork(after_in_child=_after_fork)
