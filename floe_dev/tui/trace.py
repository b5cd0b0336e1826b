"""One trace: its waterfall, the attributes of a span, its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.model.details import LogLine
from floe_dev.model.state import State
from floe_dev.model.traces import Span, Trace, TraceSummary
from floe_dev.model.units import duration
from floe_dev.tui.detail import PAIRS, DetailScreen
from floe_dev.tui.dialogs import LineScreen
from floe_dev.tui.grid import Grid
from floe_dev.tui.join import Links, complete
from floe_dev.tui.run import log_columns
from floe_dev.tui.text import clock, state_cell
from floe_dev.tui.waterfall import SPANS, Shape, SpanRow, Waterfall

#: From here on looking for garbage among the spans makes a key wait.
_MANY_SPANS = 10_000


_Answer = tuple[Trace | None, Shape | None, tuple[LogLine, ...]]


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
        self._shape: Shape | None = None
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
        backend = self.floe.backend

        def read() -> _Answer:
            trace, log = backend.trace(self.trace_id)
            return trace, Shape(trace) if trace is not None else None, log

        if self.fetch(read, self._fill, once="trace"):
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
        return [("trace id", self.trace_id), ("command", f"floe traces {self.trace_id}")]

    def action_fold(self) -> None:
        """Fold or unfold the span under the cursor."""
        item = self.section("spans").current
        if isinstance(item, SpanRow) and item.children and self._shape is not None:
            self._folded ^= {item.span.span_id}
            self.section("spans").show(Waterfall(self._shape, self._folded))

    def action_fold_all(self) -> None:
        """Fold all below the root, or unfold all."""
        shape = self._shape
        if shape is None:
            return
        below = {one.span_id for one in shape.spans if one.parent_id and shape.children[one.span_id]}
        self._folded = set() if self._folded else below
        self.section("spans").show(Waterfall(shape, self._folded))

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

    def _fill(self, answer: _Answer) -> None:
        trace, shape, log = answer
        if trace is None or shape is None:
            self.facts([("trace", ("nothing of it is here yet, or not any more", "warn"))])
            self.section("spans").show((), ("◌ spans appear here as they arrive", "busy"))
            return
        first = self._trace is None
        self._trace, self._shape = trace, shape
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
        self.section("spans").show(Waterfall(shape, self._folded))
        self.section("log").show(list(enumerate(log)), ("no log records with this trace", "dim"))
        if trace.spans and first:
            self._show_attributes(trace.spans[0])
            if len(trace.spans) > _MANY_SPANS:
                self.floe.hold()
