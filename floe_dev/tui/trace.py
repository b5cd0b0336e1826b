"""One trace as a waterfall: what ran inside what, when, how long, and which spans the whole waited for."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, overload

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.model.details import LogLine
from floe_dev.model.state import State
from floe_dev.model.traces import Span, SpanStatus, Trace, TraceSummary
from floe_dev.model.units import duration
from floe_dev.tui.detail import PAIRS, DetailScreen
from floe_dev.tui.dialogs import LineScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links, complete
from floe_dev.tui.run import log_columns
from floe_dev.tui.text import Cell, clock, state_cell

#: From here on looking for garbage among the spans makes a key wait.
_MANY_SPANS = 10_000


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span with its place in the waterfall; `offset` and `share` are parts (0 to 1) of the whole trace."""

    span: Span
    depth: int
    children: int
    folded: bool
    critical: bool
    offset: float
    share: float


class Waterfall(Sequence[SpanRow]):
    """The spans that are not inside a folded one; a row is made when it is looked at."""

    def __init__(self, trace: Trace, folded: set[str]) -> None:
        """Walks the trace once."""
        self._folded = frozenset(folded)
        self._begin = trace.summary.start_ns
        self._whole = max(1, trace.summary.end_ns - self._begin)
        self._children = Counter(span.parent_id for span in trace.spans if span.parent_id)
        self._critical = critical_path(trace)
        self._spans: list[Span] = []
        self._depths = array("L")
        hidden_below: int | None = None
        for depth, span in trace.tree():
            if hidden_below is not None and depth > hidden_below:
                continue
            hidden_below = depth if span.span_id in self._folded else None
            self._spans.append(span)
            self._depths.append(depth)

    def __len__(self) -> int:
        """How many are seen."""
        return len(self._spans)

    @overload
    def __getitem__(self, place: int) -> SpanRow: ...

    @overload
    def __getitem__(self, place: slice) -> list[SpanRow]: ...

    def __getitem__(self, place: int | slice) -> SpanRow | list[SpanRow]:
        """The row, or the rows, at that place."""
        if isinstance(place, slice):
            return [self._row(one) for one in range(*place.indices(len(self)))]
        return self._row(place)

    def _row(self, place: int) -> SpanRow:
        span = self._spans[place]
        return SpanRow(
            span=span,
            depth=self._depths[place],
            children=self._children[span.span_id],
            folded=span.span_id in self._folded,
            critical=span.span_id in self._critical,
            offset=max(0.0, min(1.0, (span.start_ns - self._begin) / self._whole)),
            share=max(0.0, min(1.0, (span.end_ns - span.start_ns) / self._whole)),
        )


def critical_path(trace: Trace) -> set[str]:
    """Spans whose end the trace waited for: from the end backwards, always the child that ended last before."""
    children: dict[str, list[Span]] = {}
    known = {span.span_id for span in trace.spans}
    roots = []
    for span in trace.spans:
        if span.parent_id in known and span.parent_id is not None and span.parent_id != span.span_id:
            children.setdefault(span.parent_id, []).append(span)
        else:
            roots.append(span)
    found: set[str] = set()
    todo = [max(roots, key=lambda span: span.end_ns)] if roots else []
    while todo:
        span = todo.pop()
        if span.span_id in found:
            continue
        found.add(span.span_id)
        limit = span.end_ns
        for child in sorted(children.get(span.span_id, ()), key=lambda one: -one.end_ns):
            if child.end_ns <= limit or limit == span.end_ns:
                todo.append(child)
                limit = child.start_ns
    return found


def _name(row: SpanRow) -> Cell:
    fold = ("▸ " if row.folded else "▾ ") if row.children else "  "
    more = f" ({row.children})" if row.folded else ""
    return "  " * row.depth + fold + row.span.name + more, "bad" if row.span.status is SpanStatus.ERROR else ""


def _bar(row: SpanRow, width: int) -> Cell:
    start = min(width - 1, int(row.offset * width))
    length = max(1, min(width - start, round(row.share * width)))
    tone = "bad" if row.span.status is SpanStatus.ERROR else "warn" if row.critical else "busy"
    return " " * start + ("█" if row.critical else "▒") * length, tone


SPANS: tuple[Column[SpanRow], ...] = (
    Column("span", 28, _name, grow=True),
    Column("service", 14, lambda r: (r.span.service, "dim"), rank=2),
    Column("took", 8, lambda r: duration(r.span.seconds), right=True),
    Column("█ critical path", 20, lambda r: "critical" if r.critical else "", draw=_bar, grow=True, rank=1),
)


class TraceScreen(DetailScreen):
    """The trace `trace_id`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Fold", id="fold"),
        Binding("E", "fold_all", "Fold all", show=False, id="fold-all"),
    ]

    def __init__(self, trace_id: str) -> None:
        """Fetched when it is shown."""
        super().__init__()
        self.trace_id = trace_id
        self.crumb = f"trace {trace_id[:8]}"
        self._trace: Trace | None = None
        self._seen: TraceSummary | None = None
        self._folded: set[str] = set()

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """One tab each."""
        return (
            ("waterfall", Grid(SPANS, lambda r: r.span.span_id, id="spans")),
            ("attributes", Grid(PAIRS, lambda p: p[0], id="attributes")),
            ("logs", Grid(log_columns("service"), lambda e: str(e[0]), id="log")),
        )

    def load(self) -> None:
        """Ask the store, once at a time."""
        listed = self._listed(self.floe.backend.state)
        if self.fetch(lambda: self.floe.backend.trace(self.trace_id), self._fill, once="trace"):
            self._seen = listed

    def take(self, state: State) -> None:
        """Fetch again where spans have arrived: a trace grows while its run goes on."""
        super().take(state)
        if self._listed(state) not in (None, self._seen):
            self.load()

    def _listed(self, state: State) -> TraceSummary | None:
        return next((trace for trace in state.traces.items if trace.trace_id == self.trace_id), None)

    def links(self) -> Links:
        """The trace's own, or those that the span under the cursor names."""
        summary = self._trace.summary if self._trace is not None else None
        item = self.section("spans").current
        named = item.span.attributes if isinstance(item, SpanRow) else {}
        asset = next((str(named[key]) for key in ("floe.asset", "dagster.asset.key", "asset") if key in named), None)
        table = next((str(named[key]) for key in ("floe.table", "iceberg.table", "table") if key in named), None)
        assets = (asset,) if asset else () if table else (summary.assets if summary else ())
        return complete(
            Links(
                assets=assets,
                tables=(table,) if table else (),
                run=summary.run_id if summary else None,
                trace=self.trace_id,
            ),
            self.floe.backend.state,
        )

    def copies(self) -> list[tuple[str, str]]:
        """Its id and the command that prints it."""
        return [("trace id", self.trace_id), ("command", f"floe traces show {self.trace_id}")]

    def action_fold(self) -> None:
        """Fold or unfold the span under the cursor."""
        item = self.section("spans").current
        if isinstance(item, SpanRow) and item.children and self._trace is not None:
            self._folded ^= {item.span.span_id}
            self.section("spans").show(Waterfall(self._trace, self._folded))

    def action_fold_all(self) -> None:
        """Fold all below the root, or unfold all."""
        if self._trace is None:
            return
        parents = {span.parent_id for span in self._trace.spans if span.parent_id}
        self._folded = (
            set() if self._folded else {s.span_id for s in self._trace.spans if s.span_id in parents and s.parent_id}
        )
        self.section("spans").show(Waterfall(self._trace, self._folded))

    @on(Grid.Moved)
    def _moved(self, event: Grid.Moved) -> None:
        if isinstance(event.item, SpanRow):
            self._show_attributes(event.item.span)

    @on(Grid.Opened, "#log")
    def _opened_line(self, event: Grid.Opened) -> None:
        self.app.push_screen(LineScreen(event.item[1].text))

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        if isinstance(event.item, SpanRow):
            self.action_tab_number(2)

    def _show_attributes(self, span: Span) -> None:
        pairs = [
            ("span", f"{span.name} ({span.kind})"),
            ("id", span.span_id),
            ("began", f"{clock(span.start_ns / 1e9)}, took {duration(span.seconds)}"),
            *([("message", span.message)] if span.message else []),
            *((key, str(value)) for key, value in sorted(span.attributes.items())),
        ]
        for event in span.events:
            pairs.append((f"event {event.name}", clock(event.time_ns / 1e9)))
            pairs += [(f"  {key}", str(value)) for key, value in sorted(event.attributes.items())]
        pairs += [(f"resource {key}", str(value)) for key, value in sorted(span.resource.items())]
        self.section("attributes").show(pairs)

    def _fill(self, answer: tuple[Trace | None, tuple[LogLine, ...]]) -> None:
        trace, log = answer
        if trace is None:
            self.facts([("trace", ("nothing of it is here yet, or not any more", "warn"))])
            self.section("spans").show((), ("◌ spans appear here as they arrive", "busy"))
            return
        first = self._trace is None
        self._trace = trace
        summary = trace.summary
        self.facts(
            [
                ("state", state_cell(summary.state)),
                ("root", f"{summary.name}   {summary.service}"),
                ("began", f"{clock(summary.start_ns / 1e9)}   took {duration(summary.seconds)}"),
                ("spans", f"{summary.spans}   {summary.errors} with errors"),
                ("run", summary.run_id or ""),
            ]
        )
        self.section("spans").show(Waterfall(trace, self._folded))
        self.section("log").show(list(enumerate(log)), ("no log records with this trace", "dim"))
        if trace.spans and first:
            self._show_attributes(trace.spans[0])
            if len(trace.spans) > _MANY_SPANS:
                self.floe.hold()
