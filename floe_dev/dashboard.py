"""A session as the dashboard's backend: the watchers that fill its `State`, and what its commands and details do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.model.details import (
    AssetDetail,
    FileView,
    LogChunk,
    LogLine,
    PartitionView,
    Rows,
    RunDetail,
    TableDetail,
    TableFiles,
)
from floe_dev.model.state import State
from floe_dev.model.traces import Trace, TraceSummary
from floe_dev.session import Session, UpOptions
from floe_dev.watch.logs import read_log
from floe_dev.watch.poller import Poller
from floe_dev.watch.store import StateStore
from floe_dev.watch.supervisor import SupervisorWatch

if TYPE_CHECKING:
    import duckdb

    from floe_dev.catalogs.client import CatalogClient

_READER = "reader"
_VALUE_LIMIT = 300
_TRACE_LIMIT = 1000
_SECRETS = ("SECRET", "PASSWORD", "TOKEN", "KEY")


class LocalBackend:
    """Implements `floe_dev.model.backend.Backend` for a project on this machine."""

    def __init__(self, session: Session, *, read_only: bool = False) -> None:
        """Nothing is watched before `start`; with `read_only` every command is refused."""
        self._session = session
        self._read_only = read_only
        self._store = StateStore()
        self._supervisor = SupervisorWatch(self._store, session.root)
        self._catalog: CatalogClient | None = None
        self._database: duckdb.DuckDBPyConnection | None = None
        self._database_lock = threading.Lock()
        self._trace_revision = -1
        self._runs_seen: object = None
        self._stopped = threading.Event()
        self._store.stack(project=session.root.name)
        self._pollers = {
            "assets": Poller(self._store, "assets", self._assets, interval=5.0),
            "runs": Poller(self._store, "runs", self._runs, interval=1.0),
            "tables": Poller(self._store, "tables", self._tables, interval=5.0),
            "traces": Poller(self._store, "traces", self._traces, interval=1.0),
            "automations": Poller(self._store, "automations", self._automations, interval=5.0),
        }

    @property
    def state(self) -> State:
        """The latest picture."""
        return self._store.state

    def start(self) -> None:
        """Begin to watch, in daemon threads."""
        self._supervisor.start()
        for poller in self._pollers.values():
            poller.start()
        threading.Thread(target=self._check, name="floe-watch-patience", daemon=True).start()
        self._store.subscribe(self._phase_changed())

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        self._supervisor.stop()
        for poller in self._pollers.values():
            poller.stop()

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after every change of `state`."""
        return self._store.subscribe(changed)

    def send(self, command: commands.Command) -> str:
        """Carry a command out; FLOE8101 where the dashboard only reads."""
        if self._read_only:
            raise FloeError(
                Code.DASHBOARD_READ_ONLY,
                "the dashboard was started with --read-only",
                fix="floe dashboard",
            )
        match command:
            case commands.StartStack():
                self._session.up(UpOptions())
                return "the stack is ready"
            case commands.StopStack():
                self._session.down()
                return "the stack is stopped; data stay"
            case commands.RestartService(name):
                self._session.restart(name)
                return f"{name} was restarted"
            case commands.Materialize(keys, partition):
                return self._materialize(keys, partition)
            case commands.Cancel(run_id):
                from floe_dev.orchestrators.dagster.monitor import cancel

                cancel(self._session.dagster(), run_id)
                self._poke("runs")
                return f"run {run_id[:8]} is being canceled"
            case commands.Retry(run_id):
                from floe_dev.orchestrators.dagster.monitor import retry

                new = retry(self._session.dagster(), run_id)
                self._poke("runs", "assets")
                return f"run {new[:8]} tries again what failed"
            case commands.ToggleAutomation(name, kind, on, selector):
                from floe_dev.orchestrators.dagster.monitor import switch

                switch(self._session.dagster(), name, kind, on=on, state_id=selector)
                self._poke("automations")
                return f"{name} is {'on' if on else 'off'}"
            case commands.Rollback(table, snapshot_id, current):
                return self._rollback(table, snapshot_id, current)

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

        return table_detail(self._client().table(identifier))

    def files(self, identifier: str) -> TableFiles:
        """Files and partitions of a table's current snapshot; none for a view."""
        from floe_dev.catalogs.inspect import files_of, open_table, partitions_of

        info = self._client().table(identifier)
        if info.kind == "view":
            return TableFiles()
        files = files_of(open_table(self._session.connection(), info))
        return TableFiles(
            tuple(FileView(one.path, one.content, one.rows, one.size, one.partition) for one in files),
            tuple(PartitionView(one.value, one.files, one.rows, one.size) for one in partitions_of(files)),
        )

    def query(self, sql: str, limit: int = 500) -> Rows:
        """The first rows of a statement's result; FLOE6001 with DuckDB's words if it refuses."""
        import duckdb

        started = time.monotonic()
        with self._database_lock:
            try:
                if self._database is None:
                    self._database = self._session.duckdb(_READER if self._read_only else "floe")
                cursor = self._database.execute(sql)
                columns = tuple(str(column[0]) for column in cursor.description or ())
                rows = cursor.fetchmany(limit + 1)
            except duckdb.Error as error:
                self._forget_database()
                raise FloeError(
                    Code.SQL_FAILED, "DuckDB refused the statement", why=str(error).strip(), fix="floe tables"
                ) from error
        shown = tuple(tuple(_value(value) for value in row) for row in rows[:limit])
        return Rows(columns, shown, time.monotonic() - started, truncated=len(rows) > limit)

    def preview(self, identifier: str, limit: int = 100) -> Rows:
        """The first rows of a table, read with the rights of the reader."""
        import duckdb

        name = ".".join('"' + part.replace('"', '""') + '"' for part in identifier.split("."))
        started = time.monotonic()
        try:
            with self._session.duckdb(_READER) as database:
                cursor = database.execute(f"FROM {name} LIMIT {int(limit)}")
                columns = tuple(str(column[0]) for column in cursor.description or ())
                rows = tuple(tuple(_value(value) for value in row) for row in cursor.fetchall())
        except duckdb.Error as error:
            raise FloeError(Code.SQL_FAILED, f"{identifier} cannot be read", why=str(error).strip()) from error
        return Rows(columns, rows, time.monotonic() - started)

    def trace(self, trace_id: str) -> tuple[Trace | None, tuple[LogLine, ...]]:
        """A trace with its log records."""
        reader = self._reader()
        lines = tuple(
            LogLine(record.time_ns / 1e9, record.severity.lower(), record.body, record.service)
            for record in reader.logs(trace_id)
        )
        return reader.trace(trace_id), lines

    def trace_of_run(self, run_id: str) -> str | None:
        """The id of a run's trace, if one arrived."""
        from floe_dev.telemetry.query import TraceFilter

        reader = self._reader()
        found: list[TraceSummary] = reader.traces(TraceFilter(run=run_id, limit=1)) or reader.traces_by(
            "run", run_id, 1
        )
        return found[0].trace_id if found else None

    def log(self, service: str, position: int | None = None) -> LogChunk:
        """The end of a service's log, or what was written since `position`."""
        return read_log(self._session.layout.logs_dir / f"{service}.log", position)

    def environment(self, service: str) -> tuple[tuple[str, str], ...]:
        """The variables that clients use, secrets hidden."""
        variables = self._session.environment()
        hidden = (
            (name, "••••••••" if any(word in name for word in _SECRETS) else value)
            for name, value in sorted(variables.items())
        )
        return (("(log)", str(self._session.layout.logs_dir / f"{service}.log")), *hidden)

    def copies(self) -> tuple[tuple[str, str], ...]:
        """What can be copied for the whole stack; the credentials stay behind a command."""
        root = self._session.root
        found = [(f"address of {name}", url) for name, url in self.state.stack.urls.items()]
        found.append(("settings for this shell", f'eval "$(floe env --project {root})"'))
        found.append(("dbt in this project", f"floe exec --project {root} -- dbt build"))
        dagster = self.state.stack.urls.get("dagster")
        if dagster:
            found.append(("Dagster's version with curl", f"curl -s {dagster}/server_info"))
        return tuple(found)

    def _materialize(self, keys: tuple[str, ...], partition: str | None) -> str:
        tags = {"floe/started_by": "dashboard"}
        if partition is not None:
            tags["dagster/partition"] = partition
        run_id = self._session.dagster().launch(keys, tags)
        self._poke("runs", "assets")
        what = keys[0] if len(keys) == 1 else f"{len(keys)} assets"
        return f"run {run_id[:8]} of {what} started"

    def _rollback(self, table: str, snapshot_id: int, current: int) -> str:
        from floe_dev.catalogs.client import escape_namespace

        *namespace, name = table.split(".")
        self._client().send(
            "POST",
            f"namespaces/{escape_namespace(tuple(namespace))}/tables/{name}",
            {
                "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": current}],
                "updates": [
                    {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
                ],
            },
        )
        self._poke("tables", "assets")
        return f"{table} is at snapshot {snapshot_id} again"

    def _assets(self) -> list[Any]:
        from floe_dev.orchestrators.dagster.monitor import assets

        return list(assets(self._session.dagster()))

    def _runs(self) -> list[Any]:
        from floe_dev.orchestrators.dagster.monitor import runs

        found = runs(self._session.dagster())
        if found != self._runs_seen:
            # A run that began or ended changes assets and tables: look now, not at the next turn.
            self._runs_seen = found
            self._poke("assets", "tables", "traces")
        return list(found)

    def _tables(self) -> list[Any]:
        from floe_dev.watch.tables import table_view

        return [table_view(info) for info in self._client().tables()]

    def _traces(self) -> list[TraceSummary] | None:
        from floe_dev.telemetry.query import TraceFilter

        reader = self._reader()
        revision = reader.revision()
        if revision == self._trace_revision:
            return None
        found: list[TraceSummary] = reader.traces(TraceFilter(limit=_TRACE_LIMIT))
        self._trace_revision = revision
        return found

    def _automations(self) -> list[Any]:
        from floe_dev.orchestrators.dagster.monitor import automations

        return list(automations(self._session.dagster()))

    def _reader(self) -> Any:
        from floe_dev.telemetry.query import TelemetryReader

        return TelemetryReader(self._session.layout)

    def _client(self) -> CatalogClient:
        from floe_dev.catalogs.client import CatalogClient

        self._session.require_running()
        if self._catalog is None:
            self._catalog = CatalogClient(self._session.connection())
        return self._catalog

    def _phase_changed(self) -> Callable[[], None]:
        last = self.state.stack.phase

        def changed() -> None:
            nonlocal last
            phase = self.state.stack.phase
            if phase != last:
                last = phase
                # Another start may have other ports: ask for the addresses anew.
                self._catalog = None
                self._session.__dict__.pop("project", None)
                self._forget_database()
                self._poke(*self._pollers)

        return changed

    def _forget_database(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _poke(self, *names: str) -> None:
        for name in names:
            self._pollers[name].poke()

    def _check(self) -> None:
        while not self._stopped.wait(1.0):
            for poller in self._pollers.values():
                poller.check(time.monotonic())


def _value(value: Any) -> str:
    if value is None:
        return "∅"
    text = str(value)
    return text if len(text) <= _VALUE_LIMIT else f"{text[:_VALUE_LIMIT]}…"
