"""A capsule as the dashboard's backend: one picture that never changes, details from its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import TypeAdapter

from floe_dev.capsule import form
from floe_dev.capsule.offline import OfflineSession, only_reads
from floe_dev.compute.views import identifier as quoted
from floe_dev.errors import Code, FloeError
from floe_dev.model import commands, details, state
from floe_dev.model.state import AutomationView
from floe_dev.model.traces import Trace
from floe_dev.telemetry.query import TraceFilter
from floe_dev.watch.logs import read_log
from floe_dev.watch.store import StateStore
from floe_dev.watch.tables import table_detail, table_view

T = TypeVar("T")
_TRACES = 1000
_ROWS = 500


class CapsuleBackend:
    """Implements `floe_dev.model.backend.Backend` for a capsule; every command is refused."""

    def __init__(self, session: OfflineSession) -> None:
        """Everything that the lists show is read here."""
        self._session = session
        store = StateStore()
        manifest, status = session.manifest, session.status()
        told = session.error().splitlines()
        store.stack(
            project=f"{manifest.project} (capsule)",
            stack=manifest.stack,
            phase="degraded" if status is not None else "down",
            started_at=status.started_at if status is not None else None,
            steps=status.steps if status is not None else (),
            notices=(f"{manifest.kind}: {manifest.title}", *told[:20], *manifest.missing)[:40],
        )
        if status is not None:
            store.put("services", [state.ServiceView(service) for service in status.services])
        else:
            store.put("services", [])
        store.put("assets", self._read(form.ASSETS, list[state.AssetView]) or [])
        store.put("runs", self._read(form.RUNS, list[state.RunView]) or [])
        store.put("automations", self._read(form.AUTOMATIONS, list[state.AutomationView]) or [])
        store.put("tables", [table_view(info) for info in session.tables()])
        store.put("traces", session.telemetry().traces(TraceFilter(limit=_TRACES)))
        self._state = store.state

    @property
    def state(self) -> state.State:
        """The picture."""
        return self._state

    def start(self) -> None:
        """Nothing is watched."""

    def stop(self) -> None:
        """Nothing is watched."""

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:  # noqa: ARG002 - nothing ever changes
        """`changed` is never called."""
        return lambda: None

    def send(self, command: commands.Command) -> str:  # noqa: ARG002 - the protocol's signature
        """Refused: FLOE7204."""
        raise only_reads()

    def asset(self, key: str) -> details.AssetDetail:
        """One asset as it was."""
        found = self._read(form.ASSET_DETAILS, dict[str, details.AssetDetail]) or {}
        return found.get(key) or details.AssetDetail(key)

    def run(self, run_id: str) -> details.RunDetail:
        """One run with its events; the newest ones only were kept."""
        found = self._read(form.RUN_DETAILS, dict[str, details.RunDetail]) or {}
        known = next((run for run in self._state.runs.items if run.run_id == run_id), None)
        if run_id in found:
            return found[run_id]
        if known is None:
            raise FloeError(Code.NO_LINEAGE, f"the capsule has no run {run_id}")
        return details.RunDetail(run_id, known.status, known.job, known.started_at, known.ended_at)

    def table(self, identifier: str) -> details.TableDetail:
        """One table as it was."""
        return table_detail(self._session.table(identifier))

    def files(self, identifier: str) -> details.TableFiles:
        """The files of its snapshot, as far as they were kept."""
        found = (self._session.document(form.FILES) or {}).get(identifier) or ()
        return details.TableFiles(
            tuple(
                details.FileView(one["path"], one["content"], one["rows"], one["size"], one["partition"])
                for one in found
            )
        )

    def query(self, sql: str, limit: int = _ROWS) -> details.Rows:
        """Rows of the data that was asked for; refused (FLOE7204) where the capsule holds none."""
        import time

        import duckdb

        files = sorted((self._session.root / form.DATA).glob("*.parquet"))
        if not files:
            raise only_reads()
        started = time.monotonic()
        with duckdb.connect(":memory:") as database:
            for file in files:
                namespace, _, name = file.stem.rpartition(".")
                database.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(namespace)}")
                place = str(file).replace("'", "''")
                database.execute(f"CREATE VIEW {quoted(namespace)}.{quoted(name)} AS FROM read_parquet('{place}')")
            try:
                cursor = database.execute(sql)
                columns = tuple(str(column[0]) for column in cursor.description or ())
                rows = cursor.fetchmany(limit + 1)
            except duckdb.Error as error:
                raise FloeError(Code.SQL_FAILED, "DuckDB refused the statement", why=str(error).strip()) from error
        shown = tuple(tuple("" if value is None else str(value)[:300] for value in row) for row in rows[:limit])
        return details.Rows(columns, shown, time.monotonic() - started, truncated=len(rows) > limit)

    def preview(self, identifier: str, limit: int = 100) -> details.Rows:
        """The first rows, where the data was asked for."""
        return self.query("FROM " + ".".join(map(quoted, identifier.rsplit(".", 1))), limit)

    def difference(self, identifier: str, old: int | None, new: int, limit: int = 200) -> details.Rows:  # noqa: ARG002
        """Refused (FLOE7204): the rows of snapshots are not in a capsule."""
        raise only_reads()

    def automation(self, automation: AutomationView) -> details.AutomationDetail:
        """What the list says of it."""
        return details.AutomationDetail(description=automation.target)

    def evaluate(self, automation: AutomationView) -> details.Evaluation:  # noqa: ARG002
        """Refused: FLOE7204."""
        raise only_reads()

    def trace(self, trace_id: str) -> tuple[Trace | None, tuple[details.LogLine, ...]]:
        """A trace with its log records."""
        reader = self._session.telemetry()
        logged = tuple(
            details.LogLine(record.time_ns / 1e9, record.severity.lower(), record.body, record.service)
            for record in reader.logs(trace_id)
        )
        return reader.trace(trace_id), logged

    def trace_of_run(self, run_id: str) -> str | None:
        """The id of a run's trace, if it was kept."""
        found = self._session.telemetry().traces(TraceFilter(run=run_id, limit=1))
        return found[0].trace_id if found else None

    def log(self, service: str, position: int | None = None) -> details.LogChunk:
        """The end of a service's log."""
        return read_log(self._session.layout.logs_dir / f"{service}.log", position)

    def usage(self, service: str) -> details.Usage | None:  # noqa: ARG002 - the protocol's
        """Nothing runs in a capsule."""
        return None

    def environment(self, service: str) -> tuple[tuple[str, str], ...]:
        """The variables of whoever made the capsule, secrets removed."""
        found = self._session.document(form.ENVIRONMENT) or {}
        return (("(log)", f".floe/logs/{service}.log"), *sorted(found.items()))

    def copies(self) -> tuple[tuple[str, str], ...]:
        """Where the capsule is unpacked while it is looked at."""
        return (("the capsule's files", str(self._session.root)),)

    def _read(self, name: str, kind: type[T]) -> T | None:
        found: Any = self._session.document(name)
        return None if found is None else TypeAdapter(kind).validate_python(found)
