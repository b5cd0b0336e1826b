"""The lists of the State as grids: which columns, which key, and what an empty one says."""

from __future__ import annotations

import time
from typing import Any

from rich.text import Text

from floe_dev.model.state import AssetView, AutomationView, RunView, ServiceView, Slice, State, TableView
from floe_dev.model.traces import TraceSummary
from floe_dev.model.units import duration, size
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.text import Cell, age, clock, inert, number, state_cell, tone_of, until


def _service_state(service: ServiceView) -> Cell:
    return state_cell(service.status.state.value)


def _reason(service: ServiceView) -> str:
    status = service.status
    times = f"{status.restarts} restart{'' if status.restarts == 1 else 's'}"
    return status.reason or (": ".join(filter(None, (times, status.last_end))) if status.restarts else "")


SERVICES: tuple[Column[ServiceView], ...] = (
    Column("state", 12, _service_state),
    Column("service", 18, lambda s: s.status.name, grow=True),
    Column("endpoint", 22, lambda s: s.status.url or (f"127.0.0.1:{s.status.port}" if s.status.port else ""), rank=4),
    Column("up", 6, lambda s: age(s.status.ready_at) if s.status.ready_at else "", right=True, rank=2),
    Column("memory", 9, lambda s: (size(s.memory), "dim"), right=True, rank=3),
    Column("cpu", 5, lambda s: ("" if s.cpu is None else f"{s.cpu:.0f} %", "dim"), right=True, rank=5),
    Column("reason", 12, lambda s: (_reason(s), "warn"), grow=True, rank=6),
)


def _checks(asset: AssetView) -> Cell:
    if not asset.checks_total:
        return "", "dim"
    tone = "ok" if asset.checks_passed == asset.checks_total else "warn"
    # Nothing is wrong with checks that had nothing to look at.
    return f"{asset.checks_passed}/{asset.checks_total}", tone if asset.materialized_at else "dim"


def _partitions(asset: AssetView) -> str:
    return f"{asset.partitions_done}/{asset.partitions_total}" if asset.partitions_total else ""


ASSETS: tuple[Column[AssetView], ...] = (
    Column("state", 9, lambda a: state_cell(a.state)),
    Column("asset", 20, lambda a: a.key, grow=True),
    Column("group", 10, lambda a: (a.group, "dim"), rank=4),
    Column("last run", 8, lambda a: age(a.materialized_at), right=True, rank=1),
    Column("took", 8, lambda a: duration(a.seconds), right=True, rank=3),
    Column("checks", 6, _checks, right=True, rank=2),
    Column("part.", 9, _partitions, right=True, rank=5),
    Column("why", 14, lambda a: ("; ".join(a.why), "dim"), grow=True, rank=6),
)

TABLES: tuple[Column[TableView], ...] = (
    Column("table", 22, lambda t: t.identifier, grow=True),
    Column("rows", 9, lambda t: (t.kind, "dim") if t.kind == "view" else number(t.rows), right=True),
    Column("size", 10, lambda t: size(t.bytes), right=True, rank=3),
    Column("files", 5, lambda t: number(t.files), right=True, rank=4),
    Column("age", 7, lambda t: age(t.updated_at), right=True, rank=1),
    Column("snap.", 5, lambda t: number(t.snapshots) if t.kind == "table" else "", right=True, rank=5),
    Column("change", 10, lambda t: (t.operation, "dim"), rank=6),
    Column("writer", 18, lambda t: (t.writer, "dim"), grow=True, rank=7),
)


def _bar(trace: TraceSummary, width: int) -> Cell:
    # A tenth of a second is one step on a logarithmic scale: a list holds milliseconds and minutes side by side.
    length = max(1, min(width, int(width * _scale(trace.seconds))))
    return "█" * length, tone_of(trace.state)


def _scale(seconds: float) -> float:
    import math

    return math.log10(1 + seconds * 10) / math.log10(1 + 6000)


def trace_title(trace: TraceSummary) -> str:
    """The root's name; of a run with what it makes, for they are all called `run`."""
    if trace.run_id is not None and not trace.complete:
        # Its root comes last: until then the name is that of the first span that ended.
        return f"run {trace.run_id[:8]}"
    if trace.run_id is None or not trace.assets or "/" in trace.name:
        return trace.name
    what = trace.assets[0] if len(trace.assets) == 1 else f"{len(trace.assets)} assets"
    return f"{trace.name} of {what}"


TRACES: tuple[Column[TraceSummary], ...] = (
    Column("state", 8, lambda t: state_cell(t.state)),
    Column("trace", 18, trace_title, grow=True),
    Column("service", 11, lambda t: (t.service, "dim"), rank=4),
    Column("took", 8, lambda t: duration(t.seconds), right=True),
    Column("age", 7, lambda t: age(t.end_ns / 1e9), right=True, rank=1),
    Column("spans", 6, lambda t: number(t.spans), right=True, rank=3),
    Column("bar", 10, lambda t: duration(t.seconds), draw=_bar, grow=True, rank=2),
)

RUNS: tuple[Column[RunView], ...] = (
    Column("state", 11, lambda r: state_cell(r.status)),
    Column("run", 8, lambda r: r.run_id[:8]),
    Column("what", 20, lambda r: run_title(r), grow=True),
    Column("started", 19, lambda r: clock(r.started_at or r.created_at), rank=3),
    Column("age", 7, lambda r: age(r.started_at or r.created_at), right=True, rank=1),
    Column("took", 9, lambda r: duration(r.seconds(time.time())), right=True),
    Column("by", 10, lambda r: (r.started_by, "dim"), rank=2),
)

AUTOMATIONS: tuple[Column[AutomationView], ...] = (
    Column("state", 11, lambda a: state_cell(a.state)),
    Column("kind", 8, lambda a: (a.kind, "dim"), rank=2),
    Column("name", 22, lambda a: a.name, grow=True),
    Column("when", 16, lambda a: a.when, grow=True),
    Column("starts", 16, lambda a: a.target, grow=True, rank=3),
    Column("last tick", 9, lambda a: age(a.last_at), right=True),
    Column("next", 9, lambda a: until(a.next_at), right=True, rank=1),
    Column("error", 16, lambda a: ((a.error or "").partition("\n")[0], "bad"), grow=True, rank=4),
)

_EMPTY = {
    "services": "no service is declared",
    "assets": "Dagster has no assets",
    "runs": "no run yet: press r on an asset",
    "tables": "no tables yet: press r on an asset",
    "traces": "no trace has arrived yet",
    "automations": "floe.yaml declares no schedules or sensors",
}
_COLUMNS: dict[str, tuple[Column[Any], ...]] = {
    "services": SERVICES,
    "assets": ASSETS,
    "runs": RUNS,
    "tables": TABLES,
    "traces": TRACES,
    "automations": AUTOMATIONS,
}


def run_title(run: RunView) -> str:
    """What a run is of."""
    if len(run.assets) == 1:
        return run.assets[0]
    return f"{len(run.assets)} assets" if run.assets else run.job


def key_of(name: str, item: Any) -> str:
    """What names an item of the slice `name`."""
    match name:
        case "services":
            return str(item.status.name)
        case "assets":
            return str(item.key)
        case "runs":
            return str(item.run_id)
        case "tables":
            return str(item.identifier)
        case "traces":
            return str(item.trace_id)
    return f"{item.kind} {item.name}"


class SliceGrid(Grid[Any]):
    """One slice of the State; its border says how many there are, what is wrong, and since when it is stale."""

    DEFAULT_CSS = """
    SliceGrid { border: round $panel-lighten-2; border-title-color: $text; border-subtitle-color: $text-warning;
                padding: 0 1; }
    SliceGrid:focus { border: round $primary; border-title-style: bold; }
    SliceGrid.-stale { border: round $warning; }
    SliceGrid.-stale > .grid--ok, SliceGrid.-stale > .grid--busy { color: $text-muted; }
    """

    def __init__(self, name: str, number_key: str = "") -> None:
        """Empty until `take`."""
        super().__init__(_COLUMNS[name], lambda item: key_of(name, item), id=name)
        self.slice_name = name
        self._number_key = number_key
        self._part: Slice[Any] = Slice()
        self._told: tuple[object, ...] = ()
        self._titles: tuple[object, ...] = ()

    def take(self, state: State) -> None:
        """Show the slice of this state."""
        part: Slice[Any] = getattr(state, self.slice_name)
        if part.loading:
            placeholder: Cell = ("◌ loading …", "busy")
        elif part.stale_since is not None and part.as_of is None:
            placeholder = (f"△ {part.reason}", "warn")
        else:
            placeholder = (_EMPTY[self.slice_name], "dim")
        told = (part.items, part.stale_since, part.reason, placeholder)
        if told != self._told:
            self._told, self._part = told, part
            self.show(part.items, placeholder)
            self._retitle()

    def set_filter(self, text: str) -> None:
        """Show only what matches; the border says how many those are."""
        super().set_filter(text)
        self._retitle()

    def _retitle(self) -> None:
        """The border's words."""
        part = self._part
        head = f"{self._number_key} {self.slice_name}".strip()
        shown = f"{len(self.items)}/{self.total}" if self.filter_text else f"{self.total}"
        title = Text(f"{head} {shown}")
        for word, count in sorted(_troubles(self.slice_name, part.items).items()):
            title.append(f" · {count} {state_cell(word)[0]}")
        if self.filter_text:
            title.append(f" · /{inert(self.filter_text)}")
        # Where it never answered, the reason stands in the panel itself.
        stale = part.stale_since is not None and part.as_of is not None
        self.set_class(part.stale_since is not None, "-stale")
        since = f"△ stale since {clock(part.stale_since)}: {inert(part.reason or '')}" if stale else ""
        # A title that is set, even to what it was, draws the whole panel anew.
        if (title, since) != self._titles:
            self._titles = title, since
            self.border_title = title
            self.border_subtitle = Text(since)


def _troubles(name: str, items: tuple[Any, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    if name == "tables":  # they have no state, and there are the most of them
        return found
    for item in items:
        word = str(
            item.status.state.value if name == "services" else getattr(item, "state", getattr(item, "status", ""))
        )
        if word and (tone_of(word) in ("bad", "warn", "busy")):
            found[word] = found.get(word, 0) + 1
    return found
