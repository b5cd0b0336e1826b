"""What `floe up` says at its end: where everything is, what was made, how long it took, what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from floe_dev.cli.render.rows import Row
from floe_dev.cli.render.style import paint, state_text
from floe_dev.cli.render.tables import table
from floe_dev.model.units import duration


@dataclass(frozen=True)
class Summary:
    """The facts of one `up`."""

    project: str
    stack: str
    seconds: float
    steps: Sequence[Row]
    #: (namespace.name, rows or None where unknown)
    tables: Sequence[tuple[str, int | None]]
    #: (label, address)
    urls: Sequence[tuple[str, str]]
    services: Sequence[str]
    #: Assets never materialized, and those whose code or inputs changed since.
    missing: Sequence[str]
    stale: Sequence[str]
    #: Pasteable command lines: a query, the run that brings everything up to date, how to stop.
    sql: str | None
    run: str
    down: str


def summary_text(summary: Summary, *, color: bool, unicode: bool, width: int | None) -> str:
    """The summary as text; what a user needs next comes last, where the eye is."""

    def head(text: str, note: str = "") -> str:
        return "\n" + paint(text, "bold", color=color) + (f"  {paint(note, 'dim', color=color)}" if note else "")

    def grid(rows: Sequence[Sequence[str]]) -> list[str]:
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
        return ["  " + "  ".join([c.ljust(w) for c, w in zip(row, [*widths, 0], strict=True)]).rstrip() for row in rows]

    lines: list[str] = []
    timed = [row for row in summary.steps if row.seconds is not None]
    if timed:
        lines.append(head("time", "in parallel where possible"))
        name_width = max(len(row.name) for row in timed)
        lines += [
            f"  {state_text(row.state, color=color, unicode=unicode)}{' ' * (8 - len(row.state))}"
            f"{row.name.ljust(name_width)}  {duration(row.seconds):>9}"
            for row in timed
        ]
    if summary.tables:
        lines.append(head("tables"))
        lines.append(table(("table", "rows"), summary.tables, width=width, color=color, null="?", indent="  "))
    for label, names in (("never materialized", summary.missing), ("out of date", summary.stale)):
        if names:
            lines.append(head(f"{label}: {len(names)}"))
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            lines.append(f"  {shown}")
    if summary.missing or summary.stale:
        lines.append(f"  bring them up to date with: {summary.run}")
    word = state_text("ready", color=color, unicode=unicode)
    lines.append(head(f"{word} {summary.project}", f"stack {summary.stack}, up in {duration(summary.seconds)}"))
    rows = [list(url) for url in summary.urls]
    rows.append(["running", ", ".join(summary.services)])
    if summary.sql is not None:
        rows.append(["query", summary.sql])
    rows.append(["stop", summary.down])
    lines += grid(rows)
    return "\n".join(lines).lstrip("\n")
