"""The rows in which two snapshots differ, as text."""

from __future__ import annotations

from typing import Any

from floe_dev.cli.output import Output
from floe_dev.cli.render.style import paint, truncate
from floe_dev.telemetry.row_diff import RowChange, RowDiff

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def rows_text(found: RowDiff, output: Output) -> str:
    """How many rows came, went and changed, and the first of them, one a line."""
    by = f"by {', '.join(found.key)}" if found.key else "without a key (name one with --key COLUMN)"
    counted = f"+{found.added}  -{found.removed}" + (f"  ~{found.changed} changed" if found.key else "")
    lines = [f"  {paint('by row'.ljust(8), 'dim', color=output.color)} {counted}  {by}"]
    for row in found.rows:
        sign, style = _SIGNS[row.kind]
        text = f"    {sign} {_told(row)}"
        lines.append(paint(truncate(text, output.width) if output.width else text, style, color=output.color))
    hidden = found.added + found.removed + found.changed - len(found.rows)
    return "\n".join([*lines, *([f"    and {hidden} more: --limit"] if hidden > 0 else [])])


def _told(row: RowChange) -> str:
    key = ", ".join(f"{column}={_value(value)}" for column, value in row.key.items())
    if row.kind == "changed":
        changes = (f"{column}: {_value(old)} -> {_value(row.after[column])}" for column, old in row.before.items())
        return f"{key}  {', '.join(changes)}"
    content = ", ".join(f"{column}={_value(value)}" for column, value in (row.before or row.after).items())
    return f"{key}  {content}" if key else content


def _value(value: Any) -> str:
    return "null" if value is None else str(value)
