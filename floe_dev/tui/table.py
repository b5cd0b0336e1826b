"""One table: schema and its history, snapshots, files, partitions, properties, the first rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.errors import FloeError
from floe_dev.model.commands import Rollback
from floe_dev.model.details import FileView, PartitionView, Rows, SnapshotView, TableDetail, TableFiles
from floe_dev.model.state import State, TableView
from floe_dev.model.units import counted, size
from floe_dev.tui.asset import COLUMNS
from floe_dev.tui.detail import LINES, PAIRS, DetailScreen, Line
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links, complete
from floe_dev.tui.rows import RowsGrid, rows_title
from floe_dev.tui.text import Cell, ago, clock, number


def _change(snapshot: SnapshotView) -> Cell:
    parts = []
    if snapshot.added_rows:
        parts.append(f"+{snapshot.added_rows:,}")
    if snapshot.deleted_rows:
        parts.append(f"-{snapshot.deleted_rows:,}")
    return " ".join(parts), "ok" if snapshot.added_rows else "warn"


SNAPSHOTS: tuple[Column[SnapshotView], ...] = (
    Column("#", 4, lambda s: str(s.number), right=True),
    Column("", 1, lambda s: ("●" if s.current else "", "ok")),
    Column("when", 19, lambda s: clock(s.at)),
    Column("operation", 10, lambda s: s.operation),
    Column("rows", 11, lambda s: number(s.rows), right=True),
    Column("change", 16, _change, grow=True),
    Column("files", 9, lambda s: f"+{s.added_files or 0} -{s.deleted_files or 0}", right=True, rank=2),
    Column("run", 8, lambda s: (s.run_id or "")[:8], rank=1),
    Column("id", 20, lambda s: (str(s.snapshot_id), "dim"), rank=3),
)
FILES: tuple[Column[FileView], ...] = (
    Column("content", 9, lambda f: f.content, rank=1),
    Column("partition", 16, lambda f: f.partition, rank=2),
    Column("rows", 11, lambda f: number(f.rows), right=True),
    Column("size", 10, lambda f: size(f.size), right=True),
    Column("file", 30, lambda f: (f.path.rpartition("/data/")[2] or f.path, "dim"), grow=True),
)
PARTITIONS: tuple[Column[PartitionView], ...] = (
    Column("partition", 30, lambda p: p.value or "(not partitioned)", grow=True),
    Column("files", 7, lambda p: number(p.files), right=True),
    Column("rows", 12, lambda p: number(p.rows), right=True),
    Column("size", 10, lambda p: size(p.size), right=True),
)
_EXPIRED = "a snapshot that is not kept any more"


class TableScreen(DetailScreen):
    """The table or view `identifier`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "rollback", "Roll back", id="rollback"),
        Binding("colon", "app.sql", "SQL", key_display=":", id="sql"),
    ]

    def __init__(
        self, identifier: str, section: str = "preview", *, run_id: str | None = None, trace_id: str | None = None
    ) -> None:
        """Fetched when it is shown; `section` is seen first, of the snapshots the one of that run or trace."""
        super().__init__()
        self.identifier = identifier
        self.crumb = identifier
        self._seen: TableView | None = None
        self._detail: TableDetail | None = None
        self._fetched: set[str] = set()
        self._first = section
        self._wanted = (run_id, trace_id)

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """One tab each."""
        return (
            ("rows", RowsGrid("preview")),
            ("snapshots", Grid(SNAPSHOTS, lambda s: str(s.snapshot_id), id="snapshots")),
            ("schema", Grid(COLUMNS, lambda c: c.name, id="schema")),
            ("changes", Grid(LINES, lambda line: line[0], id="changes", header=False)),
            ("files", Grid(FILES, lambda f: f.path, id="files")),
            ("partitions", Grid(PARTITIONS, lambda p: p.value, id="partitions")),
            ("properties", Grid(PAIRS, lambda p: p[0], id="properties")),
        )

    def on_mount(self) -> None:
        """Look at the wanted section first."""
        if self._first != "preview":
            self.call_after_refresh(self._activate, f"tab-{self._first}")

    def load(self) -> None:
        """Ask the catalog."""
        self.fetch(lambda: self.floe.backend.table(self.identifier), self._fill)

    def take(self, state: State) -> None:
        """Fetch again where somebody committed."""
        super().take(state)
        now = next((table for table in state.tables.items if table.identifier == self.identifier), None)
        if now is not None and now != self._seen:
            first, self._seen = self._seen is None, now
            if not first:
                shown = tuple(self._fetched)
                self._fetched.clear()
                self.load()
                for section in shown:
                    self.tab_shown(section)

    def links(self) -> Links:
        """The table's own, or those of the snapshot under the cursor."""
        grid = self.grid
        item = grid.current if grid is not None else None
        run = trace = None
        if isinstance(item, SnapshotView):
            run, trace = item.run_id, item.trace_id
        return complete(Links(tables=(self.identifier,), run=run, trace=trace), self.floe.backend.state)

    def copies(self) -> list[tuple[str, str]]:
        """Its name, its place, a query."""
        found = [("name", self.identifier), ("query", f"floe sql 'from {self.identifier} limit 10'")]
        if self._detail is not None:
            found.append(("location", self._detail.location))
        item = self.grid.current if self.grid is not None else None
        if isinstance(item, SnapshotView):
            found.insert(0, ("snapshot id", str(item.snapshot_id)))
        return found

    def tab_shown(self, section: str) -> None:
        """Rows and files are fetched when they are looked at."""
        group = "files" if section == "partitions" else section
        if group in self._fetched:
            return
        self._fetched.add(group)
        backend = self.floe.backend
        if group == "preview":
            self.query_one("#preview", RowsGrid).waits("reading …")
            self.floe.background(lambda: backend.preview(self.identifier), self._preview)
        elif group == "files":
            for one in ("files", "partitions"):
                self.section(one).show((), ("◌ reading the manifests …", "busy"))
            self.fetch(lambda: backend.files(self.identifier), self._files)

    def action_rollback(self) -> None:
        """Make the snapshot under the cursor the current one, after asking."""
        item = self.grid.current if self.grid is not None else None
        current = next((one for one in self._detail.snapshots if one.current), None) if self._detail else None
        if not isinstance(item, SnapshotView) or current is None:
            self.notify("choose a snapshot in the tab `snapshots` first", severity="warning", markup=False)
            return
        if item.current:
            self.notify("this snapshot is the current one", markup=False)
            return
        lost, back = set(current.columns) - set(item.columns), set(item.columns) - set(current.columns)
        forward = item.number > current.number
        kept = "" if forward else "; newer snapshots are kept"
        question = [
            f"Roll {self.identifier} {'forward' if forward else 'back'} to snapshot {item.number} of {clock(item.at)}?",
            f"rows: {number(current.rows)} → {number(item.rows)}",
            f"readers then see what was written {ago(item.at)}{kept}",
        ]
        if lost or back:
            changed = [*(f"-{name}" for name in sorted(lost)), *(f"+{name}" for name in sorted(back))]
            question.append(f"columns: {' '.join(changed)}")
        self.floe.act(Rollback(self.identifier, item.snapshot_id, current.snapshot_id), question)

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        if isinstance(event.item, SnapshotView):
            self.floe.push_screen(SnapshotScreen(self.identifier, event.item, self._before(event.item)))

    def _before(self, item: SnapshotView) -> SnapshotView | None:
        known = self._detail.snapshots if self._detail else ()
        return next((one for one in known if one.snapshot_id == item.parent_id), None)

    def _fill(self, detail: TableDetail) -> None:
        self._detail = detail
        current = next((one for one in detail.snapshots if one.current), None)
        view = self._seen
        rows = number(view.rows) if view is not None else number(current.rows if current else 0)
        self.facts(
            [
                ("kind", f"{detail.kind}, format {detail.format_version}"),
                (
                    "rows",
                    f"{rows}   {size(view.bytes) if view else ''}   {counted(view.files, 'file') if view else ''}"
                    if detail.kind == "table"
                    else "",
                ),
                ("snapshot", f"{current.snapshot_id}   {ago(current.at)}   {current.operation}" if current else ""),
                ("written by", " ".join(part for part in (current.node, current.run_id) if part) if current else ""),
                ("location", (detail.location, "dim")),
            ]
        )
        self.section("snapshots").show(detail.snapshots, ("nobody wrote to it yet", "dim"))
        self._select_wanted(detail)
        self.section("schema").show(detail.columns, ("no columns", "dim"))
        changes: list[Line] = []
        for number_, lines in reversed(detail.schema_history):
            changes.append((f"schema {number_}", "mark"))
            changes += [(f"  {line}", "ok" if line.startswith("+") else "warn") for line in lines]
        changes += self.lines(detail.sql)
        self.section("changes").show(changes, ("no history", "dim"))
        self.section("properties").show(detail.properties, ("no properties", "dim"))

    def _select_wanted(self, detail: TableDetail) -> None:
        """Once: the snapshot that the run, or else the trace, made."""
        (run_id, trace_id), self._wanted = self._wanted, (None, None)
        for one in detail.snapshots:
            if (run_id is not None and one.run_id == run_id) or (trace_id is not None and one.trace_id == trace_id):
                self.section("snapshots").select(str(one.snapshot_id))
                return

    def _preview(self, answer: Rows | FloeError) -> None:
        if self.is_attached:
            self.query_one("#preview", RowsGrid).answer(answer)
            self.name_tab("preview", rows_title(answer))

    def _files(self, files: TableFiles) -> None:
        self.section("files").show(files.files, ("no files", "dim"))
        self.section("partitions").show(files.partitions, ("no files", "dim"))


class SnapshotScreen(DetailScreen):
    """One snapshot against the one that it was written on."""

    def __init__(self, table: str, snapshot: SnapshotView, before: SnapshotView | None) -> None:
        """All of it is known already."""
        super().__init__()
        self._table = table
        self._snapshot = snapshot
        self._before = before
        self._compared = False
        self.crumb = f"snapshot {snapshot.number}"

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """What changed in numbers and in rows, and the summary."""
        return (
            ("difference", Grid(LINES, lambda line: line[0], id="difference", header=False)),
            ("rows", RowsGrid("rows")),
            ("summary", Grid(PAIRS, lambda p: p[0], id="summary")),
        )

    def load(self) -> None:
        """Nothing has to be fetched."""
        one, old = self._snapshot, self._before
        self.facts(
            [
                ("snapshot", f"{one.snapshot_id}{'   current' if one.current else ''}"),
                ("when", f"{clock(one.at)}   {one.operation}"),
                ("run", one.run_id or ""),
                ("trace", one.trace_id or ""),
                ("written by", one.node or ""),
                ("written on", f"snapshot {old.number}" if old else _EXPIRED if one.parent_id is not None else ""),
            ]
        )
        was = set(old.columns) if old else set()
        rows_before = number(old.rows) if old else "0" if one.parent_id is None else "?"
        lines: list[Line] = [
            (f"rows    {rows_before} → {number(one.rows)}", ""),
            (f"added   {counted(one.added_rows or 0, 'row')} in {counted(one.added_files or 0, 'file')}", "ok"),
            (f"removed {counted(one.deleted_rows or 0, 'row')} in {counted(one.deleted_files or 0, 'file')}", "warn"),
        ]
        lines += [(f"+ {column}", "ok") for column in one.columns if old and column not in was]
        lines += [(f"- {column}", "bad") for column in (old.columns if old else ()) if column not in one.columns]
        self.section("difference").show(lines)
        self.section("summary").show(tuple(sorted(one.summary.items())))

    def tab_shown(self, section: str) -> None:
        """Rows are compared when they are looked at."""
        if section != "rows" or self._compared:
            return
        self._compared = True
        if self._before is None and self._snapshot.parent_id is not None:
            self.section("rows").show((), (_EXPIRED, "dim"))
            return
        self.query_one("#rows", RowsGrid).waits("comparing …")
        old = self._before.snapshot_id if self._before is not None else None
        backend = self.floe.backend
        self.floe.background(lambda: backend.difference(self._table, old, self._snapshot.snapshot_id), self._compare)

    def _compare(self, answer: Rows | FloeError) -> None:
        if self.is_attached:
            self.query_one("#rows", RowsGrid).answer(answer, "the rows are the same")
            self.name_tab("rows", rows_title(answer))

    def links(self) -> Links:
        """Where it came from."""
        links = Links(tables=(self._table,), run=self._snapshot.run_id, trace=self._snapshot.trace_id)
        return complete(links, self.floe.backend.state)

    def copies(self) -> list[tuple[str, str]]:
        """Its id, and a query that reads it."""
        at = f"floe sql 'from {self._table} at (version => {self._snapshot.snapshot_id}) limit 10'"
        return [("snapshot id", str(self._snapshot.snapshot_id)), ("query", at)]
