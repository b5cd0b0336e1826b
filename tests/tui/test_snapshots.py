"""Pictures of every state that a panel or a screen can be in, against those in `snapshots/`.

`FLOE_UPDATE_SNAPSHOTS=1` takes them anew; look at what changed before you commit it.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from floe_dev.errors import Code, FloeError
from floe_dev.model.commands import RunRequest, StartStack
from floe_dev.model.details import (
    AssetDetail,
    AutomationDetail,
    CheckView,
    ColumnView,
    Evaluation,
    FileView,
    Materialization,
    PartitionView,
    Rows,
    RunDetail,
    SnapshotView,
    StepView,
    TableDetail,
    TableFiles,
    TickView,
)
from floe_dev.model.state import AutomationView, RunView, ServiceView, Slice, State, TableView
from floe_dev.model.status import ServiceState, ServiceStatus, StepStatus
from floe_dev.model.traces import Span, SpanStatus, Trace, TraceSummary
from floe_dev.tui.app import DashboardApp
from tests.tui.fake import FakeBackend, asset, full, shop
from tests.tui.screens import run, screen_text

NOW = 1_790_000_000.0
FOLDER = Path(__file__).parent / "snapshots"
RUN = "12345678-aaaa-bbbb-cccc-1234567890ab"


class Pictured(FakeBackend):
    """Details with something in every section, at a fixed time."""

    def asset(self, key: str) -> AssetDetail:
        return AssetDetail(
            key,
            "Orders with their totals.",
            "marts",
            ("dbt", "iceberg"),
            ("sales@example.com",),
            ("bronze/raw",),
            ("gold/metrics",),
            (
                CheckView("unique_id", "pass", "", NOW - 40, RUN),
                CheckView("not_null_total", "fail", "2 rows", NOW - 40),
            ),
            (Materialization(RUN, NOW - 40), Materialization(RUN[::-1], NOW - 7200, "2026-09-01")),
            (("rows", "500"),),
            (ColumnView("id", "bigint", True), ColumnView("total", "decimal(12, 2)", note="in euros")),
            (("2026-09-02", "missing"), ("2026-09-01", "fresh"), ("2026-08-31", "failed")),
        )

    def run(self, run_id: str) -> RunDetail:
        if self.refuse is None:
            steps: tuple[StepView, ...] = (
                StepView("bronze/raw", "done", NOW - 9, 2.0, "500 rows"),
                StepView("silver/orders", "running", NOW - 7),
                StepView("gold/metrics", "waiting"),
            )
            return RunDetail(run_id, "started", "assets", NOW - 9, None, steps)
        steps = (StepView("silver/orders", "failed", NOW - 7, 1.0), StepView("gold/metrics", "skipped"))
        why = 'Binder Error: Referenced column "totl" not found in FROM clause!\nCandidate bindings: "total"'
        failures = (("silver/orders", why, "/home/you/shop/.floe/logs/dbt.log"),)
        return RunDetail(run_id, "failure", "assets", NOW - 9, NOW - 2, steps, failures=failures)

    def table(self, identifier: str) -> TableDetail:
        newer = SnapshotView(
            9001,
            2,
            NOW - 40,
            "overwrite",
            True,
            500,
            20,
            3,
            1,
            1,
            RUN,
            "ab" * 16,
            "model.orders",
            ("id", "total"),
            parent_id=9000,
        )
        older = SnapshotView(9000, 1, NOW - 7200, "append", False, 483, 483, None, 1, None, None, None, None, ("id",))
        columns = (ColumnView("id", "long", True), ColumnView("total", "decimal(12, 2)"))
        history = ((0, ("+ id long",)), (1, ("+ total decimal(12, 2)",)))
        properties = (("write.format.default", "parquet"),)
        return TableDetail(
            identifier, "table", "file:///warehouse/silver/orders", "u", 2, columns, history, (newer, older), properties
        )

    def files(self, identifier: str) -> TableFiles:
        files = (FileView("file:///warehouse/silver/orders/data/a.parquet", "data", 500, 12_345, "day=2026-09-01"),)
        return TableFiles(files, (PartitionView("day=2026-09-01", 1, 500, 12_345),))

    def preview(self, identifier: str, limit: int = 100) -> Rows:
        return Rows(("id", "name", "total"), (("1", "Ærø", "9.50"), ("2", "注文", "∅"), ("3", "[b]x[/b]", "1e9")), 0.1)


@dataclass(frozen=True)
class Picture:
    """A State, a size, a look, and the keys pressed before the picture is taken."""

    state: State
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = (100, 30)
    theme: str = "dark"
    prepare: Callable[[Pictured], None] = lambda _backend: None
    start: bool = False


def lake(**changes: Any) -> State:
    """The shop at the fixed time."""
    base = shop()

    def fixed(items: tuple[Any, ...]) -> Slice[Any]:
        return Slice(items, as_of=NOW, revision=1)

    services = fixed(
        tuple(replace(one, status=one.status.model_copy(update={"ready_at": NOW - 60})) for one in base.services.items)
    )
    trace = TraceSummary(
        trace_id="ab" * 16,
        name="run",
        start_ns=int(NOW - 45) * 10**9,
        end_ns=int(NOW - 40) * 10**9,
        spans=6,
        run_id=RUN,
    )
    assets = (
        asset("bronze/raw", materialized_at=NOW - 40, last_run=RUN, seconds=0.8, checks_passed=2, checks_total=2),
        asset("silver/orders", "stale", depends_on=("bronze/raw",), why=("older than its SLA of 6 h",)),
        asset("gold/metrics", "failed", depends_on=("silver/orders",), last_run=RUN, checks_passed=1, checks_total=2),
        asset("gold/new", "missing", depends_on=("gold/metrics",), partitioned=True, partitions_total=30),
        asset("gold/now", "running", depends_on=("gold/metrics",)),
        asset("raw/files", "source", group="sources"),
    )
    runs = (
        RunView(RUN, "assets", "success", NOW - 45, NOW - 45, NOW - 40, ("silver/orders",), "dashboard"),
        RunView(RUN[::-1], "marts", "failure", NOW - 99, NOW - 98, NOW - 90, (), "schedule"),
    )
    table = TableView("silver.orders", "table", 500, 12_345, 1, 2, 9001, "overwrite", NOW - 40, RUN, "ab" * 16, "dbt")
    automations = (
        AutomationView("every_morning", "schedule", "on", "0 6 * * *", "marts", NOW - 3600, NOW + 7200),
        AutomationView(
            "new_orders", "sensor", "failed", "every 30 s", "marts", NOW - 20, NOW + 10, "KeyError: 'day'\nx"
        ),
        AutomationView("ab12cd34", "backfill", "requested", "30 partitions", "gold/new", NOW - 60),
    )
    state = State(
        stack=replace(base.stack, started_at=NOW - 60),
        services=services,
        assets=fixed(assets),
        runs=fixed(runs),
        tables=fixed((table,)),
        traces=fixed((trace,)),
        automations=fixed(automations),
    )
    return replace(state, **changes)


def with_trace(backend: Pictured) -> None:
    def span(name: str, parent: str | None, start: int, end: int, **more: Any) -> Span:
        begin = int(NOW - 45) * 10**9
        return Span(
            trace_id="ab" * 16,
            span_id=name,
            parent_id=parent,
            name=name,
            service="dagster-run",
            start_ns=begin + start * 10**7,
            end_ns=begin + end * 10**7,
            **more,
        )

    spans = (
        span("run", None, 0, 500),
        span("step bronze/raw", "run", 10, 200),
        span("write files", "step bronze/raw", 20, 120),
        span("commit", "step bronze/raw", 130, 195),
        span("step silver/orders", "run", 205, 480),
        span("a check", "step silver/orders", 300, 350, status=SpanStatus.ERROR, message="2 rows fail"),
    )
    summary = lake().traces.items[0].model_copy(update={"errors": 1})
    backend.found_trace = Trace(summary=summary, spans=spans)


def failing(backend: Pictured) -> None:
    backend.refuse = FloeError(
        Code.SERVICE_FAILED,
        "`catalog` ended while the stack was starting",
        why="exit status 1",
        detail=("Traceback: [red]no[/red]", "OSError: [Errno 98] address already in use"),
        fix="floe logs catalog",
    )


def with_ticks(backend: Pictured) -> None:
    backend.found_automation = AutomationDetail(
        ticks=(
            TickView(NOW - 20, "failed", (), "KeyError: 'day'"),
            TickView(NOW - 50, "skipped", (), "no new snapshot"),
            TickView(NOW - 80, "done", (RUN,)),
        )
    )
    backend.found_evaluation = Evaluation((RunRequest("marts", "k1", (("day", "1"),)),))


STARTING = lake(
    stack=replace(
        lake().stack,
        phase="starting",
        urls={},
        steps=(
            StepStatus(name="provision", state="running", started_at=NOW - 0.5),
            StepStatus(name="assets", state="waiting"),
        ),
    ),
    services=Slice(
        (
            ServiceView(
                ServiceStatus(name="catalog", state=ServiceState.READY, started_at=NOW - 0.9, ready_at=NOW - 0.6)
            ),
            ServiceView(ServiceStatus(name="dagster-code", state=ServiceState.STARTING, started_at=NOW - 0.5)),
        ),
        as_of=NOW,
    ),
)
FLAPPING = lake(
    services=Slice(
        (
            ServiceView(
                ServiceStatus(name="dagster-daemon", state=ServiceState.RESTARTING, restarts=7, reason="exit status 1")
            ),
            ServiceView(ServiceStatus(name="catalog", state=ServiceState.FAILED, reason="port 8181 is taken by nginx")),
        ),
        as_of=NOW,
    )
)
LONG = "a_namespace_of_forty_characters_or_more_x/" + "a_model_with_a_very_long_name_" * 6
LONG_NAMES = lake(
    assets=full(asset(LONG, "fresh"), asset(LONG + "2", "failed")), tables=full(TableView(LONG, "table", 1))
)
WIDE = lake(
    assets=full(asset("注文/売上明細データ_日次集計_確定版", "fresh"), asset("emoji/🧊🦆", "stale"), asset("a/b"))
)
MANY = lake(
    assets=full(*(asset(f"ns{n % 50}/asset_{n:05}", ("fresh", "stale", "failed")[n % 3]) for n in range(5000))),
    tables=full(*(TableView(f"ns.t{n:05}", "table", n) for n in range(10_000))),
)
GONE: Slice[Any] = Slice(stale_since=NOW, reason="the stack is not running")
DOWN = State(
    stack=replace(State().stack, project="shop", phase="down"), services=GONE, assets=GONE, tables=GONE, traces=full()
)
STALE = lake(
    assets=replace(lake().assets, stale_since=NOW - 30, reason="no answer for more than 5 s"),
    tables=Slice(stale_since=NOW - 30, reason="the catalog does not answer"),
)
SKEW = lake(assets=full(asset("ahead/of_us", materialized_at=NOW + 3600), asset("long/ago", materialized_at=1.0)))
EVIL = lake(assets=full(asset("a/[red]x[/red]\x1b[31m\u202e\r\n", "failed", why=("[bold]no[/bold]",))))
RELOAD = lake(
    stack=replace(lake().stack, reload_error="the last save does not load\n  Compilation Error\n  at: models/a.sql:3")
)

PICTURES: dict[str, Picture] = {
    "overview": Picture(lake()),
    "overview-80x24": Picture(lake(), size=(80, 24)),
    "overview-200x50": Picture(lake(), size=(200, 50)),
    "overview-light": Picture(lake(), theme="light"),
    "overview-contrast": Picture(lake(), theme="contrast"),
    "overview-mono": Picture(lake(), theme="mono"),
    "empty": Picture(lake(**{n: full() for n in ("assets", "runs", "tables", "traces", "automations")})),
    "one": Picture(lake(assets=full(asset("a/b")))),
    "loading": Picture(State(stack=replace(lake().stack, phase="connecting", urls={}))),
    "thousands": Picture(MANY, ("2", "end"), size=(80, 24)),
    "long-names": Picture(LONG_NAMES, size=(80, 24)),
    "wide-characters": Picture(WIDE, size=(80, 24)),
    "control-characters": Picture(EVIL),
    "stale": Picture(STALE),
    "down": Picture(DOWN),
    "flapping": Picture(FLAPPING),
    "clock-skew": Picture(SKEW),
    "reload-error": Picture(RELOAD),
    "filtered": Picture(lake(), ("slash", *"state:f !met")),
    "too-small": Picture(lake(), size=(50, 12)),
    "start": Picture(STARTING, start=True, prepare=lambda b: b.hold.clear()),
    "start-failed": Picture(STARTING, start=True, prepare=failing),
    "asset": Picture(lake(), ("down", "enter")),
    "asset-checks": Picture(lake(), ("down", "enter", "2")),
    "asset-partitions": Picture(lake(), ("end", "up", "up", "enter", "4", "space", "down", "space")),
    "table": Picture(lake(), ("3", "enter")),
    "table-snapshots": Picture(lake(), ("3", "enter", "2")),
    "table-changes": Picture(lake(), ("3", "enter", "4")),
    "table-files": Picture(lake(), ("3", "enter", "5")),
    "snapshot": Picture(lake(), ("3", "enter", "2", "enter")),
    "snapshot-rows": Picture(lake(), ("3", "enter", "2", "enter", "2")),
    "rollback": Picture(lake(), ("3", "enter", "2", "down", "b")),
    "trace": Picture(lake(), ("4", "enter"), prepare=with_trace),
    "trace-attributes": Picture(lake(), ("4", "enter", "end", "enter"), prepare=with_trace),
    "run": Picture(lake(), ("5", "enter")),
    "run-failed": Picture(lake(), ("5", "enter"), prepare=failing),
    "runs": Picture(lake(), ("5",)),
    "service": Picture(lake(), ("1", "enter"), prepare=lambda b: setattr(b, "lines", ("ready", "ERROR [b]x\x1b[2J"))),
    "lineage": Picture(lake(), ("7",)),
    "automations": Picture(lake(), ("6",)),
    "automation": Picture(lake(), ("6", "down", "enter"), prepare=with_ticks),
    "evaluation": Picture(lake(), ("6", "e"), prepare=with_ticks),
    "help": Picture(lake(), ("question_mark",)),
    "help-80x24": Picture(lake(), ("question_mark",), size=(80, 24)),
    "copy": Picture(lake(), ("y",)),
    "materialize": Picture(lake(), ("down", "r")),
    "sql": Picture(lake(), ("3", "colon")),
    # With a word: before one is typed the order is that in which Textual's providers happened to answer.
    "palette": Picture(lake(), ("ctrl+p", *"gold")),
}


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW)


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name: str) -> None:
    picture = PICTURES[name]
    backend = Pictured(picture.state)
    picture.prepare(backend)

    async def go() -> str:
        start = StartStack() if picture.start else None
        app = DashboardApp(backend, theme=picture.theme, start=start)
        app.animation_level = "none"
        async with app.run_test(size=picture.size, notifications=False) as pilot:
            await pilot.pause()
            for key in picture.keys:
                await pilot.press(key)
                await quiet(app, pilot)
            for field in app.screen.query(Input):
                field.cursor_blink = False
            await quiet(app, pilot, 4)
            return plain(app.export_screenshot(title="floe"))

    svg = run(go())
    file = FOLDER / f"{name}.svg"
    if os.environ.get("FLOE_UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(svg)
    assert file.exists(), f"FLOE_UPDATE_SNAPSHOTS=1 pytest {__file__}"
    if svg != file.read_text():
        other = Path(os.environ.get("TMPDIR", "/tmp")) / f"floe-{name}.svg"
        other.write_text(svg)
        pytest.fail(
            f"the screen differs from {file}; see {other}\n{words(file.read_text())}\n--- now ---\n{words(svg)}"
        )


def test_no_picture_is_left_of_a_state_that_is_gone() -> None:
    assert {file.stem for file in FOLDER.glob("*.svg")} == set(PICTURES)


async def quiet(app: DashboardApp, pilot: Pilot[str], rounds: int = 2) -> None:
    """Until the screen stays the same: threads have answered."""
    same, before = 0, ""
    for _ in range(100):
        await asyncio.sleep(0.03)
        await pilot.pause()
        now = screen_text(app)
        same = same + 1 if now == before else 0
        before = now
        if same >= rounds:
            return


def plain(svg: str) -> str:
    """Without the fonts that it would load from elsewhere, which are the larger part of it."""
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def words(svg: str) -> str:
    """The text of a picture, for the report of a difference."""
    lines = re.findall(r">([^<>]+)</text>", svg)
    return "\n".join(line.replace("&#160;", " ") for line in lines)
