"""The store's writing side: batches in one transaction each, bounded by age, rows and bytes. One thread uses it."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from floe_dev.telemetry.decode import Decoded, SpanRow
from floe_dev.telemetry.lineage_rows import edges_of, event_row
from floe_dev.telemetry.schema import open_for_writing

log = logging.getLogger("floe.telemetry")

#: Traces deleted in one commit, and for how many seconds at most: a batch must not wait long for the broom.
_SWEEP = 500
_SWEEP_BUDGET = 0.5
_SWEEP_SECONDS = 30.0
#: Part of everything that goes at once where the file has grown too large.
_SHARE = 0.05
#: A span that begins so many seconds in the future, or ago, has a clock that is off.
_FUTURE, _PAST = 86_400.0, 10 * 365 * 86_400.0
_RESOURCES_KNOWN = 2_000

_INSERT_SPAN = "INSERT OR IGNORE INTO spans VALUES (?, ?, ?, ?)"
_UPSERT_TRACE = """
INSERT INTO traces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace_id) DO UPDATE SET
  name = CASE WHEN excluded.has_root > has_root OR (excluded.has_root = has_root AND excluded.start_ns < start_ns)
              THEN excluded.name ELSE name END,
  service = CASE WHEN excluded.has_root > has_root OR (excluded.has_root = has_root AND excluded.start_ns < start_ns)
              THEN excluded.service ELSE service END,
  has_root = max(has_root, excluded.has_root), start_ns = min(start_ns, excluded.start_ns),
  end_ns = max(end_ns, excluded.end_ns), spans = spans + excluded.spans, errors = errors + excluded.errors,
  bytes = bytes + excluded.bytes, run_id = coalesce(run_id, excluded.run_id)
"""


@dataclass(frozen=True)
class Limits:
    """What is kept: days, spans (and as many log records, metrics and lineage events), bytes of the file in use."""

    days: float = 14.0
    rows: int = 2_000_000
    bytes: int = 1_000_000_000


@dataclass
class _Sum:
    """What a batch adds to one trace."""

    row: SpanRow
    start_ns: int
    end_ns: int
    spans: int = 0
    errors: int = 0
    bytes: int = 0
    run_id: str | None = None


class Store:
    """The only writer of one telemetry file."""

    def __init__(self, file: Path, limits: Limits = Limits()) -> None:
        """Opens or makes the file; raises OSError and sqlite3.Error."""
        self._connection = open_for_writing(file)
        self._limits = limits
        self._resources: dict[bytes, int] = {}
        self._swept = 0.0
        self.spans, self.bytes = self._connection.execute(
            "SELECT coalesce(sum(spans), 0), coalesce(sum(bytes), 0) FROM traces"
        ).fetchone()

    def close(self) -> None:
        """Write the log back into the file and let it go."""
        self._connection.close()

    def add(self, batch: Sequence[Decoded]) -> None:
        """Store everything in one commit; what is here already (same ids) is left as it is.

        Raises:
            sqlite3.Error: nothing of the batch was stored.
        """
        now = time.time()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            spans = [span for each in batch for span in each.spans]
            added = self._add_spans(spans, now)
            self._add_others(batch, now)
            odd = sum(not now - _PAST < span.start_ns / 1e9 < now + _FUTURE for span in spans)
            if odd:
                self._gap("clocks that are off", odd, "spans far in the past or the future, kept as they came", now)
            if len(added) < len(spans):
                self._gap("repeated spans", len(spans) - len(added), "sent more than once, kept once", now)
            rejected = sum(each.rejected for each in batch)
            if rejected:
                reason = next(each.reason for each in batch if each.rejected)
                self._gap("rejected", rejected, reason, now)
            self._connection.execute("UPDATE revision SET number = number + 1")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK") if self._connection.in_transaction else None
            self._resources.clear()  # some of them may have gone with the transaction
            raise
        self.spans += len(added)
        self.bytes += sum(len(span.body) for span in added)

    def gap(self, kind: str, count: int, reason: str) -> None:
        """Count what was lost elsewhere; raises sqlite3.Error."""
        self._gap(kind, count, reason, time.time())

    def sweep(self, *, force: bool = False) -> None:
        """Delete the oldest traces, whole, while there is more than the limits allow; raises sqlite3.Error."""
        now = time.time()
        over = self.spans > self._limits.rows or self.used() > self._limits.bytes
        if not (over or force or now - self._swept > _SWEEP_SECONDS):
            return
        self._swept = now
        give_up = time.monotonic() + _SWEEP_BUDGET
        while self._sweep_once(now) and time.monotonic() < give_up:
            pass

    def used(self) -> int:
        """Bytes of the file that hold something."""
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def _sweep_once(self, now: float) -> bool:
        """Delete one portion; whether there is more to delete."""
        oldest = now - self._limits.days * 86_400
        run = self._connection.execute
        too_large = self.used() > self._limits.bytes
        run("BEGIN IMMEDIATE")
        try:
            gone = run("SELECT trace_id FROM traces WHERE received < ? LIMIT ?", (oldest, _SWEEP)).fetchall()
            if not gone and (too_large or self.spans > self._limits.rows):
                gone = run("SELECT trace_id FROM traces ORDER BY received LIMIT ?", (_SWEEP,)).fetchall()
                gone = self._enough(gone, too_large=too_large)
            self._delete(gone, now)
            for table in ("logs", "metrics", "lineage"):
                low, high = run(f"SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM {table}").fetchone()  # noqa: S608
                # Ids grow with the time of arrival.
                first = max(high - self._limits.rows, low + int((high - low + 1) * _SHARE) if too_large else 0)
                run(f"DELETE FROM {table} WHERE received < ? OR id <= ?", (oldest, first))  # noqa: S608
            run("COMMIT")
        except BaseException:
            run("ROLLBACK") if self._connection.in_transaction else None
            raise
        return bool(gone) and (
            self.spans > self._limits.rows or self.used() > self._limits.bytes or len(gone) == _SWEEP
        )

    def _enough(self, oldest: list[tuple[bytes]], *, too_large: bool) -> list[tuple[bytes]]:
        """As many of the oldest as bring the spans a tenth below their limit, or a share of them off the file."""
        target = self._limits.rows * 0.9
        if too_large:
            target = min(target, self.spans * (1 - _SHARE))
        spans, gone = self.spans, []
        for (trace_id,) in oldest:
            if spans <= target:
                break
            (had,) = self._connection.execute("SELECT spans FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()
            spans -= had
            gone.append((trace_id,))
        return gone

    def _delete(self, gone: list[tuple[bytes]], now: float) -> None:
        if not gone:
            return
        many = self._connection.executemany
        for trace in gone:
            spans, size = self._connection.execute(
                "SELECT spans, bytes FROM traces WHERE trace_id = ?", trace
            ).fetchone()
            self.spans, self.bytes = self.spans - spans, self.bytes - size
        for table in ("spans", "trace_keys", "logs", "traces"):
            many(f"DELETE FROM {table} WHERE trace_id = ?", gone)  # noqa: S608
        self._gap("expired traces", len(gone), "older than the store keeps, or beyond its size", now)

    def _add_spans(self, spans: list[SpanRow], now: float) -> list[SpanRow]:
        if not spans:
            return []
        rows = [(s.trace_id, s.span_id, self._resource(s.resource), s.body) for s in spans]
        before = self._connection.total_changes
        self._connection.execute("SAVEPOINT spans")
        self._connection.executemany(_INSERT_SPAN, rows)
        if self._connection.total_changes - before != len(rows):
            # Some were here: sent twice, since an answer was lost. Find out which, one by one.
            self._connection.execute("ROLLBACK TO spans")
            spans = [
                span
                for span, row in zip(spans, rows, strict=True)
                if self._connection.execute(_INSERT_SPAN, row).rowcount
            ]
        self._connection.execute("RELEASE spans")
        sums: dict[bytes, _Sum] = {}
        keys: set[tuple[str, str, bytes]] = set()
        for span in spans:
            total = sums.get(span.trace_id)
            if total is None:
                total = sums[span.trace_id] = _Sum(span, span.start_ns, span.end_ns)
            elif span.is_root > total.row.is_root or (
                span.is_root == total.row.is_root and span.start_ns < total.row.start_ns
            ):
                total.row = span
            total.start_ns = min(total.start_ns, span.start_ns)
            total.end_ns = max(total.end_ns, span.end_ns)
            total.spans += 1
            total.errors += span.error
            total.bytes += len(span.body)
            for key, value in span.keys:
                if key == "run":
                    total.run_id = value
                keys.add((key, value, span.trace_id))
        self._connection.executemany(
            _UPSERT_TRACE,
            [
                (
                    *(trace_id, s.row.name, s.row.service, s.row.is_root, s.start_ns, s.end_ns),
                    *(s.spans, s.errors, s.bytes, now, s.run_id),
                )
                for trace_id, s in sums.items()
            ],
        )
        if keys:
            self._connection.executemany("INSERT OR IGNORE INTO trace_keys VALUES (?, ?, ?)", keys)
        return spans

    def _add_others(self, batch: Iterable[Decoded], now: float) -> None:
        many = self._connection.executemany
        for each in batch:
            if each.logs:
                many(
                    "INSERT OR IGNORE INTO logs (trace_id, time_ns, service, body, received, digest) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    [(trace, at, service, body, now, digest) for trace, at, service, body, digest in each.logs],
                )
            if each.metrics:
                many(
                    "INSERT INTO metrics (name, service, received, body) VALUES (?, ?, ?, ?)",
                    [(name, service, now, body) for name, service, body in each.metrics],
                )
            for document in each.lineage:
                at, kind, run, job, text, digest = event_row(document)
                many(
                    "INSERT OR IGNORE INTO lineage (time, type, run_id, job, received, body, digest) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [(at, kind, run, job, now, text, digest)],
                )
                many("INSERT OR REPLACE INTO edges VALUES (?, ?, ?, ?, ?, ?)", list(edges_of(document)))

    def _resource(self, body: bytes) -> int:
        known = self._resources.get(body)
        if known is not None:
            return known
        self._connection.execute("INSERT OR IGNORE INTO resources (body) VALUES (?)", (body,))
        (number,) = self._connection.execute("SELECT id FROM resources WHERE body = ?", (body,)).fetchone()
        if len(self._resources) >= _RESOURCES_KNOWN:
            self._resources.clear()
        self._resources[body] = number
        return int(number)

    def _gap(self, kind: str, count: int, reason: str, now: float) -> None:
        try:
            self._connection.execute(
                "INSERT INTO gaps VALUES (?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET "
                "count = count + excluded.count, reason = excluded.reason, last_at = excluded.last_at",
                (kind, count, reason, now),
            )
        except sqlite3.Error:
            log.exception("counting a gap")
            raise
