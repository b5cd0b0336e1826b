"""What a screen asks for when it is opened: one asset, run, table, trace, log; each call blocks and may raise."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.details import (
    AssetDetail,
    AutomationDetail,
    Evaluation,
    FileView,
    LogChunk,
    LogLine,
    PartitionView,
    Rows,
    RunDetail,
    TableDetail,
    TableFiles,
)
from floe_dev.model.state import AutomationView
from floe_dev.model.traces import Trace, TraceSummary
from floe_dev.session import Session
from floe_dev.watch.logs import read_log

if TYPE_CHECKING:
    import duckdb

    from floe_dev.telemetry.query import TelemetryReader

_READER = "reader"
_VALUE_LIMIT = 300
_SIGNS = {"added": "+", "removed": "-"}


class Details:
    """Reads from the stack of one session; `read_only` keeps every statement to the reader's rights."""

    def __init__(self, session: Session, *, read_only: bool = False) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._read_only = read_only
        self._database: duckdb.DuckDBPyConnection | None = None
        self._database_lock = threading.Lock()
        self._database_is_old = threading.Event()

    def asset(self, key: str) -> AssetDetail:
        """One asset."""
        from floe_dev.orchestrators.dagster.monitor import asset_detail

        return asset_detail(self._session.dagster(), key)

    def run(self, run_id: str) -> RunDetail:
        """One run with its events so far."""
        from floe_dev.orchestrators.dagster.monitor import run_detail

        return run_detail(self._session.dagster(), run_id, self._session.layout)

    def table(self, identifier: str) -> TableDetail:
        """One table from metadata alone."""
        from floe_dev.watch.tables import table_detail

        return table_detail(self._session.table(identifier))

    def files(self, identifier: str) -> TableFiles:
        """Files and partitions of a table's current snapshot; none for a view."""
        from floe_dev.catalogs.inspect import files_of, open_table, partitions_of

        info = self._session.table(identifier)
        if info.kind == "view":
            return TableFiles()
        files = files_of(open_table(self._session.connection(), info))
        return TableFiles(
            tuple(FileView(one.path, one.content, one.rows, one.size, one.partition) for one in files),
            tuple(PartitionView(one.value, one.files, one.rows, one.size) for one in partitions_of(files)),
        )

    def query(self, sql: str, limit: int = 500) -> Rows:
        """The first rows of a statement's result; FLOE6001 if DuckDB refuses, 1310 if it may not write."""
        import duckdb

        from floe_dev.compute.duckdb import refused_write

        with self._database_lock:
            if self._database_is_old.is_set():
                self._database_is_old.clear()
                self._close_database()
            try:
                if self._database is None:
                    self._database = self._session.duckdb(_READER if self._read_only else "floe")
                return _rows(self._database, sql, limit)
            except duckdb.Error as error:
                self._close_database()
                raise refused_write(error) or FloeError(
                    Code.SQL_FAILED, "DuckDB refused the statement", why=str(error).strip(), fix="floe tables"
                ) from error

    def preview(self, identifier: str, limit: int = 100) -> Rows:
        """The first rows of a table, read with the rights of the reader."""
        import duckdb

        from floe_dev.compute.views import identifier as quoted

        name = ".".join(quoted(part) for part in identifier.rsplit(".", 1))
        try:
            with self._session.duckdb(_READER) as database:
                # One more than is shown tells whether these are all.
                return _rows(database, f"FROM {name} LIMIT {limit + 1:d}", limit)
        except duckdb.Error as error:
            raise FloeError(Code.SQL_FAILED, f"{identifier} cannot be read", why=str(error).strip()) from error

    def difference(self, identifier: str, old: int | None, new: int, limit: int = 200) -> Rows:
        """The rows that one snapshot has and the other has not, `+` or `-` first; read with the rights of the reader.

        See `row_diff`; `old` None is before the first snapshot.
        """
        from floe_dev.telemetry.row_diff import row_diff

        started = time.monotonic()
        with self._session.duckdb(_READER) as database:
            found = row_diff(database, identifier.rsplit(".", 1), (old, new), limit=limit)
        columns = tuple(found.rows[0].after or found.rows[0].before) if found.rows else ()
        rows = [(_SIGNS[row.kind], *map(_value, (row.after or row.before).values())) for row in found.rows]
        return Rows(
            ("change", *columns),
            tuple(sorted(rows, key=lambda row: row[0])),
            time.monotonic() - started,
            truncated=found.added + found.removed > len(rows),
        )

    def automation(self, automation: AutomationView) -> AutomationDetail:
        """The latest ticks of a schedule or a sensor, or the partitions of a backfill."""
        from floe_dev.orchestrators.dagster.instigators import detail

        return detail(self._session.dagster(), automation)

    def evaluate(self, automation: AutomationView) -> Evaluation:
        """What a schedule or a sensor would start now."""
        from floe_dev.orchestrators.dagster.instigators import evaluate

        return evaluate(self._session.dagster(), automation)

    def trace(self, trace_id: str) -> tuple[Trace | None, tuple[LogLine, ...]]:
        """A trace with its log records."""
        reader = self.reader()
        lines = tuple(
            LogLine(record.time_ns / 1e9, record.severity.lower(), record.body, record.service)
            for record in reader.logs(trace_id)
        )
        return reader.trace(trace_id), lines

    def trace_of_run(self, run_id: str) -> str | None:
        """The id of a run's trace, if one arrived."""
        from floe_dev.telemetry.query import TraceFilter

        reader = self.reader()
        found: list[TraceSummary] = reader.traces(TraceFilter(run=run_id, limit=1)) or reader.traces_by(
            "run", run_id, 1
        )
        return found[0].trace_id if found else None

    def log(self, service: str, position: int | None = None) -> LogChunk:
        """The end of a service's log, or what was written since `position`."""
        return read_log(self._session.layout.logs_dir / f"{service}.log", position)

    def reader(self) -> TelemetryReader:
        """The store of traces; it can be read while the stack is down."""
        return self._session.telemetry()

    def forget_connections(self) -> None:
        """Another start may have other addresses: ask for them anew; at once, for the watchers call it.

        Closing DuckDB waits for the statement under way, so the next statement closes it.
        """
        self._session.__dict__.pop("project", None)
        self._database_is_old.set()

    def _close_database(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _rows(database: duckdb.DuckDBPyConnection, statement: str, limit: int) -> Rows:
    started = time.monotonic()
    cursor = database.execute(statement)
    columns = tuple(str(column[0]) for column in cursor.description or ())
    rows = cursor.fetchmany(limit + 1)
    shown = tuple(tuple(_value(value) for value in row) for row in rows[:limit])
    return Rows(columns, shown, time.monotonic() - started, truncated=len(rows) > limit)


def _value(value: Any) -> str:
    if value is None:
        return "∅"
    text = str(value)
    return text if len(text) <= _VALUE_LIMIT else f"{text[:_VALUE_LIMIT]}…"
