"""The questions that the telemetry store answers, read straight from its file: the stack need not run.

Every reader opens the SQLite file read-only; the receiver is the only writer.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.lineage import ColumnEdge, LineageEdge, LineageEvent, RunLink
from floe_dev.model.traces import Gap, LogRecord, Span, Trace, TraceSummary
from floe_dev.telemetry.decode import COMMIT_SEPARATOR
from floe_dev.telemetry.schema import open_for_reading, store_file
from floe_dev.tracing.spool import SUFFIX

#: After so many seconds a file of the spool should have been collected.
_COLLECTED_SECONDS = 10.0
#: Characters of an id that are enough to ask for it.
SHORTEST_PREFIX = 4
_CANCELED = (
    "EXISTS (SELECT 1 FROM trace_keys k WHERE key = 'outcome' AND value = 'canceled' AND k.trace_id = t.trace_id)"
)
_STATES = {
    "canceled": _CANCELED,
    "error": f"errors > 0 AND NOT {_CANCELED}",
    "ok": f"errors = 0 AND has_root AND NOT {_CANCELED}",
    "open": "errors = 0 AND NOT has_root",
}
_ASSETS = "(SELECT group_concat(value, char(31)) FROM trace_keys k WHERE k.trace_id = t.trace_id AND key = 'asset')"
_COLUMNS = f"trace_id, name, service, start_ns, end_ns, spans, errors, has_root, run_id, {_CANCELED}, {_ASSETS}"


@dataclass(frozen=True)
class TraceFilter:
    """Which traces a list holds; times are seconds since the epoch, None is no bound."""

    #: A Dagster run's id or the beginning of it.
    run: str | None = None
    asset: str | None = None
    #: error | canceled | ok | open
    state: str | None = None
    min_seconds: float | None = None
    since: float | None = None
    until: float | None = None
    #: Part of the root span's name.
    name: str | None = None
    #: Of the root span.
    service: str | None = None
    #: A table (`namespace.name`) that was written.
    table: str | None = None
    #: Whether floe's own commands (each one a trace of one span) are listed too.
    commands: bool = True
    limit: int = 50


class TelemetryReader:
    """Reads one project's telemetry; every answer is empty before the first span has arrived."""

    def __init__(self, layout: Layout) -> None:
        """Nothing is opened yet."""
        self._file = store_file(layout)

    def revision(self) -> int:
        """A number that grows with every batch that was stored: compare it before reading anything else."""
        found = self._rows("SELECT number FROM revision")
        return int(found[0][0]) if found else 0

    def traces(self, wanted: TraceFilter = TraceFilter()) -> list[TraceSummary]:
        """The traces that match, newest first."""
        where, values = _conditions(wanted)
        text = f"SELECT {_COLUMNS} FROM traces t {where} ORDER BY start_ns DESC LIMIT ?"  # noqa: S608
        return [_summary(row) for row in self._rows(text, *values, wanted.limit)]

    def trace(self, trace_id: str) -> Trace | None:
        """One trace by its id or the beginning of it; None if there is none.

        Raises:
            FloeError: FLOE7102 if several traces begin so, or the text is no id.
        """
        low, high = _range(trace_id)
        found = self._rows(
            f"SELECT {_COLUMNS} FROM traces t WHERE trace_id BETWEEN ? AND ? LIMIT 2",  # noqa: S608
            *(low, high),
        )
        if len(found) > 1:
            raise FloeError(Code.TRACE_AMBIGUOUS, f"several traces begin with {trace_id!r}", fix="floe traces")
        if not found:
            return None
        from floe_dev.telemetry.spans import resource_attributes, span_of

        bodies = self._rows("SELECT resource, body FROM spans WHERE trace_id = ?", found[0][0])
        resources = {
            number: resource_attributes(body)
            for number, body in self._rows(
                "SELECT id, body FROM resources WHERE id IN (SELECT resource FROM spans WHERE trace_id = ?)",
                found[0][0],
            )
        }
        spans = sorted((span_of(body, resources.get(number, {})) for number, body in bodies), key=_by_start)
        return Trace(summary=_summary(found[0]), spans=tuple(spans))

    def logs(self, trace_id: str, limit: int = 1000) -> list[LogRecord]:
        """The log records of a trace (id or the beginning of it), oldest first."""
        from floe_dev.telemetry.spans import log_of

        low, high = _range(trace_id)
        text = "SELECT service, body FROM logs WHERE trace_id BETWEEN ? AND ? ORDER BY time_ns LIMIT ?"
        return [log_of(body, service) for service, body in self._rows(text, low, high, limit)]

    def metrics(self) -> dict[str, int]:
        """How often each metric arrived, by name."""
        return dict(self._rows("SELECT name, count(*) FROM metrics GROUP BY name ORDER BY name"))

    def gaps(self) -> list[Gap]:
        """What was rejected, dropped or deleted, by kind."""
        rows = self._rows("SELECT kind, count, reason, last_at FROM gaps ORDER BY kind")
        found = [Gap(kind=kind, count=count, reason=reason, last_at=at) for kind, count, reason, at in rows]
        waiting = self._waiting()
        return [*found, waiting] if waiting is not None else found

    def _waiting(self) -> Gap | None:
        """What floe's own processes wrote and nobody has collected for a while."""
        try:
            spool = self._file.parent / "spool"
            written = [file.stat().st_mtime for file in spool.iterdir() if file.suffix == SUFFIX]
        except OSError:
            return None
        if time.time() - min(written, default=time.time()) < _COLLECTED_SECONDS:
            return None
        why = "the receiver does not run, or cannot store (floe logs telemetry); nothing of them is lost"
        return Gap(kind="files not collected yet", count=len(written), reason=why, last_at=max(written))

    def runs(self, asset: str | None = None, limit: int = 50) -> list[RunLink]:
        """The runs whose traces are here (that touched `asset`), newest first."""
        extra = "AND trace_id IN (SELECT trace_id FROM trace_keys WHERE key = 'asset' AND value = ?)" if asset else ""
        text = (
            f"SELECT {_COLUMNS} FROM traces t WHERE run_id IS NOT NULL {extra} "  # noqa: S608
            "ORDER BY start_ns DESC LIMIT ?"
        )
        found = [_summary(row) for row in self._rows(text, *((asset,) if asset else ()), limit)]
        return [run_link(summary) for summary in found]

    def traces_by(self, key: str, value: str, limit: int = 50) -> list[TraceSummary]:
        """Traces with a span whose `asset`, `table`, `snapshot` or `run` is `value`, newest first."""
        text = (
            f"SELECT {_COLUMNS} FROM traces t WHERE trace_id IN "  # noqa: S608
            "(SELECT trace_id FROM trace_keys WHERE key = ? AND value = ?) ORDER BY start_ns DESC LIMIT ?"
        )
        return [_summary(row) for row in self._rows(text, key, value, limit)]

    def keys(self, trace_id: str, key: str) -> tuple[str, ...]:
        """What the spans of one trace (whole id) name as `asset`, `table`, `snapshot` or `run`."""
        text = "SELECT value FROM trace_keys WHERE trace_id = ? AND key = ? ORDER BY value"
        return tuple(value for (value,) in self._rows(text, bytes.fromhex(trace_id), key))

    def commits(self, table: str) -> dict[int, str]:
        """Snapshot id -> trace id of every commit to the table (`namespace.name`) that a span tells of."""
        text = "SELECT value, trace_id FROM trace_keys WHERE key = 'commit' AND value >= ? AND value < ?"
        low, high = table + COMMIT_SEPARATOR, table + chr(ord(COMMIT_SEPARATOR) + 1)
        found = ((value.rpartition(COMMIT_SEPARATOR)[2], trace) for value, trace in self._rows(text, low, high))
        return {int(snapshot): trace.hex() for snapshot, trace in found if snapshot.isdigit()}

    def edges(self) -> list[LineageEdge]:
        """Every dataset edge that lineage events told."""
        rows = self._rows("SELECT source, target, job, seen FROM edges WHERE source_column = '' ORDER BY 1, 2")
        return [LineageEdge(source=a, target=b, job=job, seen_at=seen) for a, b, job, seen in rows]

    def column_edges(self) -> list[ColumnEdge]:
        """Every column edge that a producer told."""
        text = "SELECT source, source_column, target, target_column FROM edges WHERE source_column <> '' ORDER BY 3, 4"
        return [ColumnEdge(source=a, source_column=b, target=c, target_column=d) for a, b, c, d in self._rows(text)]

    def lineage_events(self, run_id: str | None = None, limit: int = 200) -> list[LineageEvent]:
        """OpenLineage events (of one OpenLineage run id), newest first."""
        from floe_dev.telemetry.lineage_rows import dataset_names

        where, values = ("WHERE run_id = ?", (run_id,)) if run_id else ("", ())
        text = f"SELECT time, type, run_id, job, body FROM lineage {where} ORDER BY time DESC, id DESC LIMIT ?"  # noqa: S608
        events = []
        for at, kind, run, job, body in self._rows(text, *values, limit):
            document = json.loads(body)
            events.append(
                LineageEvent(
                    time=at,
                    event_type=kind,
                    run_id=run,
                    job=job,
                    inputs=dataset_names(document, "inputs"),
                    outputs=dataset_names(document, "outputs"),
                    body=document,
                )
            )
        return events

    def otlp(self, trace_ids: list[str]) -> Iterator[tuple[bytes, list[bytes]]]:
        """The packed spans of these traces, grouped by their packed resource, as the receiver got them."""
        for trace_id in trace_ids:
            low, high = _range(trace_id)
            text = (
                "SELECT r.body, s.body FROM spans s JOIN resources r ON r.id = s.resource "
                "WHERE s.trace_id BETWEEN ? AND ?"
            )
            groups: dict[bytes, list[bytes]] = {}
            for resource, body in self._rows(text, low, high):
                groups.setdefault(resource, []).append(body)
            yield from groups.items()

    def _rows(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._connect() as connection:
            if connection is None:
                return []
            try:
                return connection.execute(text, values).fetchall()
            except sqlite3.Error as error:
                raise FloeError(
                    Code.TELEMETRY_UNREADABLE,
                    "the telemetry store cannot be read",
                    why=str(error),
                    fix="floe restart telemetry",
                ) from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection | None]:
        connection = open_for_reading(self._file)
        try:
            yield connection
        finally:
            if connection is not None:
                connection.close()


def run_link(summary: TraceSummary) -> RunLink:
    """What a run's trace tells of the run."""
    status = {"ok": "success", "error": "failure", "canceled": "canceled", "open": "unknown"}[summary.state]
    return RunLink(
        run_id=str(summary.run_id),
        trace_id=summary.trace_id,
        status=status,
        started_at=summary.start_ns / 1e9,
        ended_at=summary.end_ns / 1e9,
        assets=summary.assets,
    )


def _conditions(wanted: TraceFilter) -> tuple[str, list[Any]]:
    parts: list[str] = []
    values: list[Any] = []

    def add(condition: str, *given: Any) -> None:
        parts.append(condition)
        values.extend(given)

    if wanted.run is not None:
        add("run_id LIKE ? ESCAPE '\\'", _like(wanted.run) + "%")
    if wanted.asset is not None:
        add("trace_id IN (SELECT trace_id FROM trace_keys WHERE key = 'asset' AND value = ?)", wanted.asset)
    if wanted.state is not None:
        add(_STATES[wanted.state])
    if wanted.min_seconds is not None:
        add("end_ns - start_ns >= ?", int(wanted.min_seconds * 1e9))
    if wanted.since is not None:
        add("start_ns >= ?", int(wanted.since * 1e9))
    if wanted.until is not None:
        add("start_ns <= ?", int(wanted.until * 1e9))
    if wanted.name is not None:
        add("name LIKE ? ESCAPE '\\'", f"%{_like(wanted.name)}%")
    if wanted.service is not None:
        add("service = ?", wanted.service)
    if wanted.table is not None:
        add("trace_id IN (SELECT trace_id FROM trace_keys WHERE key = 'table' AND value = ?)", wanted.table)
    if not wanted.commands:
        add("NOT (service = 'floe' AND spans = 1 AND name LIKE 'floe %')")
    return (f"WHERE {' AND '.join(parts)}" if parts else ""), values


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _range(prefix: str) -> tuple[bytes, bytes]:
    """The first and the last trace id that begin so; raises FloeError 7102."""
    text = prefix.lower().replace("-", "")
    if not (SHORTEST_PREFIX <= len(text) <= 32 and all(c in "0123456789abcdef" for c in text)):
        raise FloeError(
            Code.TRACE_AMBIGUOUS,
            f"{prefix!r} is no trace id",
            why=f"a trace id has 32 hexadecimal digits; its first {SHORTEST_PREFIX} or more are enough",
            fix="floe traces",
        )
    return bytes.fromhex(text.ljust(32, "0")), bytes.fromhex(text.ljust(32, "f"))


def _summary(row: tuple[Any, ...]) -> TraceSummary:
    trace_id, name, service, start, end, spans, errors, has_root, run_id, canceled, assets = row
    return TraceSummary(
        trace_id=trace_id.hex(),
        name=name,
        service=service,
        start_ns=start,
        end_ns=end,
        spans=spans,
        errors=errors,
        canceled=bool(canceled),
        complete=bool(has_root),
        run_id=run_id,
        assets=tuple(sorted(assets.split("\x1f"))) if assets else (),
    )


def _by_start(span: Span) -> tuple[int, str]:
    return span.start_ns, span.span_id
