"""A backend whose State is set by the test: for what a real stack cannot be brought to at will."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.model.details import (
    AssetDetail,
    AutomationDetail,
    Evaluation,
    LogChunk,
    LogLine,
    Rows,
    RunDetail,
    TableDetail,
    TableFiles,
    Usage,
)
from floe_dev.model.state import AssetView, AutomationView, ServiceView, Slice, StackView, State, TableView
from floe_dev.model.status import ServiceState, ServiceStatus
from floe_dev.model.traces import Trace, TraceSummary


class FakeBackend:
    """Implements the Backend protocol over a State and details that the test gives."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._changed: list[Callable[[], None]] = []
        self.sent: list[commands.Command] = []
        self.lines: tuple[str, ...] = ()
        #: How often a container was measured.
        self.measured = 0
        self.found_trace: Trace | None = None
        self.partitions: tuple[tuple[str, str], ...] = ()
        self.found_automation = AutomationDetail()
        self.found_evaluation = Evaluation()
        self.refuse: FloeError | None = None
        #: Cleared: commands are not answered.
        self.hold = threading.Event()
        self.hold.set()

    @property
    def state(self) -> State:
        return self._state

    def set(self, **slices: Any) -> None:
        self._state = replace(self._state, version=self._state.version + 1, **slices)
        for changed in self._changed:
            changed()

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        self._changed.append(changed)
        return lambda: self._changed.remove(changed)

    def send(self, command: commands.Command) -> str:
        self.sent.append(command)
        self.hold.wait()
        if self.refuse is not None:
            raise self.refuse
        return "done"

    def asset(self, key: str) -> AssetDetail:
        return AssetDetail(key, partitions=self.partitions)

    def run(self, run_id: str) -> RunDetail:
        failure = (("silver/orders", "Binder Error: column [red]totl[/red] not found", "/tmp/dbt.log"),)
        return RunDetail(run_id, "failure", "assets", time.time() - 5, time.time(), failures=failure)

    def table(self, identifier: str) -> TableDetail:
        return TableDetail(identifier, "table", "file:///w", "u", 2)

    def files(self, identifier: str) -> TableFiles:
        return TableFiles()

    def query(self, sql: str, limit: int = 500) -> Rows:
        raise FloeError(Code.SQL_FAILED, "DuckDB refused the statement", why="Parser Error: near [bold]")

    def preview(self, identifier: str, limit: int = 100) -> Rows:
        return Rows(("id", "na[me]"), (("1", "[red]x[/red]"), ("2", "\x1b[31mred")), 0.1)

    def difference(self, identifier: str, old: int | None, new: int, limit: int = 200) -> Rows:
        return Rows(("change", "id"), (("+", "1"), ("-", "2")), 0.1)

    def automation(self, automation: AutomationView) -> AutomationDetail:
        return self.found_automation

    def evaluate(self, automation: AutomationView) -> Evaluation:
        return self.found_evaluation

    def trace(self, trace_id: str) -> tuple[Trace | None, tuple[LogLine, ...]]:
        return self.found_trace, ()

    def trace_of_run(self, run_id: str) -> str | None:
        return None

    def log(self, service: str, position: int | None = None) -> LogChunk:
        lines, self.lines = self.lines, ()
        return LogChunk(lines, (position or 0) + len(lines))

    def usage(self, service: str) -> Usage | None:
        self.measured += 1
        return Usage(memory=123_000_000, cpu=7.4)

    def environment(self, service: str) -> tuple[tuple[str, str], ...]:
        return (("POLARIS_URI", "http://127.0.0.1:1"),)

    def copies(self) -> tuple[tuple[str, str], ...]:
        return (("address", "http://127.0.0.1:3000"),)


def full(*items: Any, **changes: Any) -> Slice[Any]:
    """A slice that its source has just told."""
    return Slice(tuple(items), as_of=time.time(), revision=1, **changes)


def asset(key: str, state: str = "fresh", **changes: Any) -> AssetView:
    return AssetView(key=key, group=changes.pop("group", "marts"), state=state, **changes)


def shop(**changes: Any) -> State:
    """A small healthy stack."""
    now = time.time()
    services = [
        ServiceView(
            ServiceStatus(name=name, state=ServiceState.READY, pid=1, port=3000, ready_at=now - 60), 1 << 26, 1.0
        )
        for name in ("catalog", "dagster-webserver")
    ]
    state = State(
        stack=StackView("shop", "embedded", "ready", now - 60, urls={"dagster": "http://127.0.0.1:3000"}),
        services=full(*services),
        assets=full(
            asset("bronze/raw", materialized_at=now - 30, last_run="r1" * 16),
            asset("silver/orders", "stale", depends_on=("bronze/raw",), why=("new data",)),
            asset("gold/metrics", "failed", depends_on=("silver/orders",), last_run="r2" * 16),
        ),
        runs=full(),
        tables=full(TableView("bronze.raw", "table", 10, 2048, 1, 1, 5, "append", now - 30, "r1" * 16)),
        traces=full(TraceSummary(trace_id="ab" * 16, name="run", start_ns=0, end_ns=10**9, spans=3, run_id="r1" * 16)),
        automations=full(),
    )
    return replace(state, **changes)
