"""One asset: what it is made from, its checks, its history, its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.errors import FloeError
from floe_dev.model.details import AssetDetail, CheckView, ColumnView, Materialization, RunDetail, TableDetail
from floe_dev.model.state import AssetView, State
from floe_dev.model.units import duration
from floe_dev.tui.detail import LINES, PAIRS, DetailScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links, complete
from floe_dev.tui.text import Cell, age, ago, clock, state_cell

CHECKS: tuple[Column[CheckView], ...] = (
    Column("state", 9, lambda c: state_cell(c.state)),
    Column("check", 40, lambda c: c.name, grow=True),
    Column("age", 7, lambda c: age(c.at), right=True),
    Column("told", 10, lambda c: (c.description.replace("\n", " "), "dim"), grow=True, rank=1),
)
HISTORY: tuple[Column[Materialization], ...] = (
    Column("state", 10, lambda m: state_cell(m.state)),
    Column("when", 19, lambda m: clock(m.at)),
    Column("age", 7, lambda m: age(m.at), right=True),
    Column("run", 8, lambda m: m.run_id[:8]),
    Column("partition", 12, lambda m: m.partition or "", grow=True),
)
COLUMNS: tuple[Column[ColumnView], ...] = (
    Column("column", 24, lambda c: c.name, grow=True),
    Column("type", 22, lambda c: (c.type, "busy")),
    Column("null", 8, lambda c: ("not null" if c.required else "", "dim")),
    Column("note", 16, lambda c: (c.note, "dim"), grow=True, rank=1),
)
NEIGHBOURS: tuple[Column[tuple[str, str, str]], ...] = (
    Column("side", 10, lambda n: (n[0], "dim")),
    Column("state", 9, lambda n: state_cell(n[2]) if n[2] else ""),
    Column("asset", 30, lambda n: n[1], grow=True),
)
PARTITIONS: tuple[Column[tuple[str, str]], ...] = (
    Column("state", 9, lambda p: state_cell(p[1])),
    Column("partition", 30, lambda p: p[0], grow=True),
)


class AssetScreen(DetailScreen):
    """The asset `key`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "choose", "Choose", show=False, id="choose")]

    def __init__(self, key: str) -> None:
        """Fetched when it is shown."""
        super().__init__()
        self.key = key
        self.crumb = key
        self._seen: AssetView | None = None
        self._detail: AssetDetail | None = None
        self._table: tuple[ColumnView, ...] = ()
        #: The run that failed to make it, and why.
        self._failed_run: str | None = None
        self._failure = ""

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """One tab each."""
        return (
            ("lineage", Grid(NEIGHBOURS, lambda n: f"{n[0]} {n[1]}", id="lineage")),
            ("checks", Grid(CHECKS, lambda c: c.name, id="checks")),
            ("runs", Grid(HISTORY, lambda m: f"{m.run_id}{m.partition}", id="history")),
            ("partitions", Grid(PARTITIONS, lambda p: p[0], id="partitions")),
            ("columns", Grid(COLUMNS, lambda c: c.name, id="columns")),
            ("metadata", Grid(PAIRS, lambda p: p[0], id="metadata")),
            ("about", Grid(LINES, lambda line: line[0], id="about", header=False)),
        )

    def load(self) -> None:
        """Ask Dagster."""
        self.fetch(lambda: self.floe.backend.asset(self.key), self._fill)

    def take(self, state: State) -> None:
        """Fetch again where the asset changed."""
        super().take(state)
        now = next((asset for asset in state.assets.items if asset.key == self.key), None)
        if now is None:
            return
        run = complete(Links(assets=(self.key,)), state).run if now.state == "failed" else None
        if run != self._failed_run:
            self._failed_run, self._failure = run, ""
            if run is not None:
                # Without the reason the state alone stands there; the run's own screen tells what cannot be read.
                self.fetch(lambda: self.floe.backend.run(run), self._failure_read, lambda _error: None)
        if now != self._seen:
            first, self._seen = self._seen is None, now
            self._show_facts(now)
            if not first:
                self.load()

    def _failure_read(self, run: RunDetail) -> None:
        """The reason stands with the asset: whoever opens what failed wants to know why."""
        if run.run_id != self._failed_run:
            return
        reasons = {name: text for name, text, _ in reversed(run.failures)}
        self._failure = " ".join((reasons.get(self.key) or next(iter(reasons.values()), "")).split())
        if self._seen is not None:
            self._show_facts(self._seen)

    def links(self) -> Links:
        """The asset's own, or those of the row where that is a run."""
        item = self.grid.current if self.grid is not None else None
        run = item.run_id if isinstance(item, Materialization | CheckView) else None
        return complete(Links(assets=(self.key,), run=run), self.floe.backend.state)

    def copies(self) -> list[tuple[str, str]]:
        """Its name and the commands that work on it."""
        found = [("name", self.key), ("command that makes it", f"floe run {self.key}")]
        if self._seen is not None and "dbt" in self._seen.kinds:
            found.append(("dbt command", f"floe exec -- dbt build --select {self.key.rpartition('/')[2]}"))
        return found

    def partitions(self) -> tuple[str, ...]:
        """The partitions chosen, else the one under the cursor; none where another section is seen."""
        grid = self.grid
        if grid is None or grid.id != "partitions":
            return ()
        if grid.chosen:
            return tuple(
                key for key, _ in reversed(self._detail.partitions if self._detail else ()) if key in grid.chosen
            )
        return (grid.current[0],) if grid.current else ()

    def action_choose(self) -> None:
        """Choose the partition for the next `r`."""
        grid = self.grid
        if grid is not None and grid.id == "partitions":
            grid.toggle_chosen()

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        if event.grid.id == "lineage":
            self.floe.push_screen(AssetScreen(event.item[1]))
        elif event.grid.id in ("history", "checks") and event.item.run_id:
            self.floe.open_run(event.item.run_id)

    def _show_facts(self, asset: AssetView) -> None:
        again = "" if self.floe.read_only else "   R tries it again"
        parts = f"{asset.partitions_done}/{asset.partitions_total}" if asset.partitioned else ""
        kinds = " ".join(asset.kinds)
        took = f", took {duration(asset.seconds)}" if asset.seconds is not None else ""
        last = f"{ago(asset.materialized_at)}{took}" if asset.materialized_at else "never"
        owners = ", ".join(self._detail.owners) if self._detail else ""
        self.facts(
            [
                ("state", state_cell(asset.state)),
                ("failed", (self._failure, "bad")),
                ("", (f"u shows its run{again}" if self._failure else "", "dim")),
                ("why", ("; ".join(asset.why), "warn")),
                ("last made" if asset.state == "failed" else "last run", last),
                ("group", f"{asset.group}   {kinds}   {owners}"),
                ("checks", f"{asset.checks_passed}/{asset.checks_total} pass" if asset.checks_total else ""),
                ("partitions", parts),
            ]
        )

    def tab_shown(self, section: str) -> None:
        """The columns are the table's, where the asset is one; only who looks at them waits for the catalog."""
        tables = self.links().tables
        if section != "columns" or not tables:
            return

        def read(table: TableDetail) -> None:
            self._table = table.columns
            self._show_columns()

        def failed(error: FloeError) -> None:
            self._show_columns((f"✗ {error.what}", "bad"))

        self.fetch(lambda: self.floe.backend.table(tables[0]), read, failed, once="table")

    def _show_columns(self, unknown: Cell = ("no columns are known: r makes it", "dim")) -> None:
        told = self._detail.columns if self._detail else ()
        notes = {column.name: column.note for column in told}
        columns = tuple(replace(column, note=column.note or notes.get(column.name, "")) for column in self._table)
        self.section("columns").show(columns or told, unknown)

    def _history(self, detail: AssetDetail) -> list[Materialization]:
        """What was made, and the latest runs that were to make it and did not."""
        made = {one.run_id for one in detail.history}
        others = [
            Materialization(run.run_id, run.started_at or run.created_at, None, run.status)
            for run in self.floe.backend.state.runs.items
            if self.key in run.assets and run.run_id not in made and run.status != "success"
        ]
        return sorted((*detail.history, *others), key=lambda one: -one.at)

    def _fill(self, detail: AssetDetail) -> None:
        self._detail = detail
        states = {asset.key: asset.state for asset in self.floe.backend.state.assets.items}
        sides = [("upstream", key, states.get(key, "")) for key in detail.upstream]
        sides += [("downstream", key, states.get(key, "")) for key in detail.downstream]
        self.section("lineage").show(sides, ("nothing is upstream or downstream", "dim"))
        self.section("checks").show(detail.checks, ("no checks", "dim"))
        self.section("history").show(self._history(detail), ("never materialized: press r", "dim"))
        self.section("partitions").show(detail.partitions, ("not partitioned", "dim"))
        self._show_columns()
        self.section("metadata").show(detail.metadata, ("no metadata", "dim"))
        self.section("about").show(self.lines(detail.description), ("no description", "dim"))
        if self._seen is not None:
            self._show_facts(self._seen)
