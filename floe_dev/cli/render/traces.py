"""Traces and snapshots as text: the list, the waterfall, the links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap

from floe_dev.cli.render.style import cell_width, glyph, paint, state_color, truncate
from floe_dev.cli.render.tables import Painted, table
from floe_dev.model.lineage import Links, RunLink, SnapshotLink
from floe_dev.model.traces import Span, SpanStatus, Trace, TraceSummary
from floe_dev.model.units import duration, size

#: Digits of an id that lists show; as many as `floe traces ID` needs to find one of thousands.
SHORT = 12
#: Cells of a span's bar, and of one in a terminal that has little room.
_BAR, _SHORT_BAR = 32, 12
#: Attributes worth a place beside the bar, in this order.
_TOLD = ("floe.rows", "floe.snapshot", "floe.dbt.status", "floe.step.outcome", "floe.run.outcome")
#: Columns of which no digit may be missing.
_WHOLE = ("run", "trace", "snapshot", "started", "committed")
_STATES = {"error": "failed", "canceled": "canceled", "ok": "done", "open": "running"}


def when_text(seconds: float | None, *, width: int | None = None) -> str:
    """A moment in local time; where there is a `width` to keep to, without the day if that is today."""
    if seconds is None:
        return ""
    moment = datetime.fromtimestamp(seconds).astimezone()
    today = width is not None and moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


def traces_text(found: Sequence[TraceSummary], *, color: bool, unicode: bool, width: int | None) -> str:
    """The list, newest first."""
    rows = [
        (
            _state(trace.state, unicode=unicode),
            trace.trace_id[:SHORT],
            trace.name,
            _assets(trace.assets),
            trace.service,
            when_text(trace.start_ns / 1e9, width=width),
            duration(trace.seconds),
            trace.spans,
            trace.errors or None,
            (trace.run_id or "")[:8],
        )
        for trace in found
    ]
    columns = ("state", "trace", "name", "assets", "service", "started", "took", "spans", "errors", "run")
    return table(columns, rows, width=width, color=color, spare=("run", "service"), whole=_WHOLE)


def _state(state: str, *, unicode: bool) -> Painted:
    return Painted(f"{glyph(_STATES[state], unicode=unicode)} {state}", state_color(_STATES[state]))


def waterfall(trace: Trace, *, color: bool, unicode: bool, width: int | None) -> str:
    """Every span in a line of its own: name, how long, where in the trace's time it lies, and what it says of itself.

    In `width` cells, what does not fit is left out, and a message is cut.
    """
    start, whole = trace.summary.start_ns, max(1, trace.summary.end_ns - trace.summary.start_ns)
    cells = _BAR if width is None or width >= 120 else _SHORT_BAR
    lines = []
    labels = [("  " * depth + span.name, span) for depth, span in trace.tree()]
    room = min(60, max(cell_width(label) for label, _ in labels))
    if width is not None:
        # Beside the name: the duration, the bar, and a number of rows.
        room = max(20, min(room, width - cells - 32))
    rest = None if width is None else width - room - cells - 15
    for label, span in labels:
        shown = truncate(label, room)
        failed = span.status is SpanStatus.ERROR
        bar = _bar(span, start, whole, cells, unicode=unicode)
        told = _told(span, rest)
        line = (
            f"{shown}{' ' * (room - cell_width(shown))}  {duration(span.seconds):>9}  "
            f"{paint(bar, 'red' if failed else 'cyan', color=color)}"
        )
        lines.append(
            f"{line}  {paint(told, 'red' if failed else 'dim', color=color)}".rstrip() if told else line.rstrip()
        )
    return "\n".join(lines)


def errors_text(trace: Trace, *, color: bool) -> str:
    """The whole message of every failure that takes more than the waterfall's line, once, under its innermost span."""
    innermost: dict[str, tuple[int, str]] = {}
    for depth, span in trace.tree():
        message = span.message.strip()
        if span.status is not SpanStatus.ERROR or "\n" not in message:
            continue
        if depth > innermost.get(message, (-1, ""))[0]:
            innermost[message] = (depth, span.name)
    blocks = [
        "\n".join([paint(name, "red", color=color), *(f"  {line}".rstrip() for line in message.splitlines())])
        for message, (_, name) in innermost.items()
    ]
    return "\n\n".join(blocks)


def links_text(links: Links, *, color: bool, width: int | None) -> str:
    """Assets, runs, traces and snapshots of one thing, each kind in a block of its own."""
    blocks = []
    if links.assets:
        named = ", ".join(links.assets)
        lines = [named] if width is None else wrap(named, max(20, width - 10), break_on_hyphens=False)
        blocks.append("assets    " + "\n          ".join(lines))
    if links.runs:
        blocks.append(runs_text(links.runs, color=color, width=width))
    if links.traces:
        blocks.append("traces    " + ", ".join(links.traces))
    if links.snapshots:
        blocks.append(history_text(links.snapshots, color=color, width=width, with_table=True))
    return "\n\n".join(blocks)


def runs_text(runs: Sequence[RunLink], *, color: bool, width: int | None) -> str:
    """Runs in a table."""
    rows = [
        (
            run.run_id,
            run.status + (" (not in Dagster any more)" if run.in_dagster is False else ""),
            when_text(run.started_at, width=width),
            duration(run.ended_at - run.started_at) if run.ended_at and run.started_at else "",
            (run.trace_id or "")[:SHORT],
            len(run.assets),
        )
        for run in runs
    ]
    columns = ("run", "status", "started", "took", "trace", "assets")
    return table(columns, rows, width=width, color=color, spare=("trace",), whole=_WHOLE)


def history_text(history: Sequence[SnapshotLink], *, color: bool, width: int | None, with_table: bool = False) -> str:
    """Snapshots in a table, with the run and the trace that made each."""
    rows = [
        (
            *((link.table,) if with_table else ()),
            link.number,
            str(link.snapshot_id),
            when_text(link.committed_ms / 1000, width=width),
            _operation(link),
            _change(link.rows_added, link.rows_removed),
            _change(link.files_added, link.files_removed),
            size(link.bytes_added),
            "yes" if link.schema_changed else "",
            (link.run_id or "")[:8] + ("?" if link.inferred and link.run_id else ""),
            (link.trace_id or "")[:SHORT] + ("?" if link.inferred else ""),
            made_by(link) if not with_table else "",
            (link.git_commit or "")[:8] + ("+" if link.git_dirty else ""),
        )
        for link in history
    ]
    columns = ["no", "snapshot", "committed", "operation", "rows", "files", "added", "schema", "run", "trace"]
    columns += ["made by", "git"]
    columns = ["table", *columns] if with_table else columns
    kept = [i for i, _ in enumerate(columns) if any(row[i] not in ("", None) for row in rows)]
    return table(
        [columns[i] for i in kept],
        [[row[i] for i in kept] for row in rows],
        width=width,
        color=color,
        # A run's trace begins like the run.
        spare=("added", "files", *(("trace",) if all(link.run_id for link in history) else ()), "operation", "git"),
        whole=_WHOLE,
    )


def _assets(keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} assets" if keys else ""


def _operation(link: SnapshotLink) -> str:
    """Iceberg's word, and what it does not say: that a replacement moved rows without changing them."""
    said = f"{link.operation} (compaction)" if link.operation == "replace" else link.operation
    return f"{said} (expired)" if link.expired else said


def made_by(link: SnapshotLink) -> str:
    """The dbt node; of what no run is known to have made, the principal."""
    return link.dbt_node or ("" if link.run_id is not None and not link.inferred else link.principal) or ""


def _change(added: int | None, removed: int | None) -> str:
    parts = [f"+{added}"] if added else []
    parts += [f"-{removed}"] if removed else []
    return " ".join(parts)


def _bar(span: Span, start: int, whole: int, cells: int, *, unicode: bool) -> str:
    """Where the span lies in the trace: blanks before it, at least one mark for it."""
    begin = min(cells - 1, max(0, (span.start_ns - start) * cells // whole))
    length = min(cells - begin, max(1, round((span.end_ns - span.start_ns) * cells / whole)))
    return (" " * begin + ("█" if unicode else "#") * length).ljust(cells)


def _told(span: Span, room: int | None) -> str:
    if span.status is SpanStatus.ERROR and span.message:
        first = span.message.splitlines()[0]
        return first if room is None else truncate(first, room)
    told = ""
    for key in _TOLD:
        value = span.attributes.get(key)
        if value in (None, "", "success"):
            continue
        part = f"{value} rows" if key == "floe.rows" else f"snapshot {value}" if key == "floe.snapshot" else str(value)
        if room is None or len(told) + len(part) + 2 * bool(told) <= room:
            told += (", " if told else "") + part
    return told
