"""A trace as the rows of a waterfall: what ran inside what, when, how long, and which spans the whole waited for."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from floe_dev.model.traces import Span, SpanStatus, Trace
from floe_dev.model.units import duration
from floe_dev.tui.grid import Column
from floe_dev.tui.text import Cell


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


class Shape:
    """What runs inside what in a trace; of a large one this takes a while, so it is made once, in a thread."""

    def __init__(self, trace: Trace) -> None:
        """Walks the trace."""
        self.begin = trace.summary.start_ns
        self.whole = max(1, trace.summary.end_ns - self.begin)
        self.children = Counter(span.parent_id for span in trace.spans if span.parent_id)
        self.critical = critical_path(trace)
        self.spans: list[Span] = []
        self.depths = array("L")
        for depth, span in trace.tree():
            self.spans.append(span)
            self.depths.append(depth)


class Waterfall(Sequence[SpanRow]):
    """The spans that are not inside a folded one; a row is made when it is looked at."""

    def __init__(self, shape: Shape, folded: set[str]) -> None:
        """Walks the shape once."""
        self._shape = shape
        self._folded = frozenset(folded)
        self._places = array("L")
        hidden_below: int | None = None
        for place, (depth, span) in enumerate(zip(shape.depths, shape.spans, strict=True)):
            if hidden_below is not None and depth > hidden_below:
                continue
            hidden_below = depth if span.span_id in self._folded else None
            self._places.append(place)

    def __len__(self) -> int:
        """How many are seen."""
        return len(self._places)

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
        shape = self._shape
        span = shape.spans[self._places[place]]
        return SpanRow(
            span=span,
            depth=shape.depths[self._places[place]],
            children=shape.children[span.span_id],
            folded=span.span_id in self._folded,
            critical=span.span_id in shape.critical,
            offset=max(0.0, min(1.0, (span.start_ns - shape.begin) / shape.whole)),
            share=max(0.0, min(1.0, (span.end_ns - span.start_ns) / shape.whole)),
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
