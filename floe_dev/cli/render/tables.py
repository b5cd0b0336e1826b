"""Rows as a text table, CSV, JSON, JSON lines or Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from floe_dev.cli.render.style import cell_width, paint, truncate

FORMATS = ("table", "csv", "json", "jsonl", "markdown")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    width: int | None = None,
    color: bool = False,
    null: str = "",
    indent: str = "",
    spare: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> str:
    """A borderless aligned table; numbers to the right; cut to `width` cells by narrowing the widest columns.

    Before any is narrowed the `spare` columns go, in their order; those that shall stay `whole`, such as ids, are
    narrowed last.
    A cell given as a `Painted` keeps its styles. Without `width` nothing is cut, so that output to a pipe is whole.
    """
    raw = [list(row) for row in rows]
    grid = [[cell if isinstance(cell, Painted) else Painted(cell_text(cell, null)) for cell in row] for row in raw]
    right = [
        bool(raw)
        and all(_is_number(row[i]) or row[i] is None for row in raw)
        and any(_is_number(row[i]) for row in raw)
        for i in range(len(columns))
    ]
    widths = [max([cell_width(name), *(cell_width(row[i].text) for row in grid)]) for i, name in enumerate(columns)]
    shown = list(range(len(columns)))
    if width is not None:
        room = width - len(indent)
        for name in spare:
            if sum(widths[i] + 2 for i in shown) - 2 > room and name in columns:
                shown.remove(columns.index(name))
        fixed = {i for i in shown if columns[i] in whole}
        _narrow(widths, [i for i in shown if i not in fixed], room - sum(widths[i] + 2 for i in fixed))
        _narrow(widths, shown, room)

    def line(cells: Sequence[Painted], styles: tuple[str, ...] = ()) -> str:
        parts = []
        for i in shown:
            cell = cells[i]
            text = truncate(cell.text, widths[i])
            pad = " " * (widths[i] - cell_width(text))
            painted = paint(text, *(styles or cell.styles), color=color) if (styles or cell.styles) else text
            parts.append(pad + painted if right[i] else painted + ("" if i == shown[-1] else pad))
        return (indent + "  ".join(parts)).rstrip()

    lines = [line([Painted(name) for name in columns], ("dim",))]
    lines += [line(row) for row in grid]
    return "\n".join(lines)


class Painted:
    """A cell with styles of its own."""

    def __init__(self, text: str, *styles: str) -> None:
        """Keep the text and the style names (see `style.paint`)."""
        self.text = text
        self.styles = styles


def write(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    form: str,
    width: int | None = None,
    color: bool = False,
) -> Iterator[str]:
    """The pieces of text (each ends with a newline) that show the rows in one of `FORMATS`."""
    match form:
        case "table":
            yield table(columns, list(rows), width=width, color=color, null="NULL") + "\n"
        case "csv":
            yield _csv_line(columns)
            for row in rows:
                yield _csv_line(["" if cell is None else cell_text(cell) for cell in row])
        case "jsonl":
            for row in rows:
                yield json.dumps(_record(columns, row), ensure_ascii=False) + "\n"
        case "json":
            yield "["
            separator = "\n"
            for row in rows:
                yield separator + "  " + json.dumps(_record(columns, row), ensure_ascii=False)
                separator = ",\n"
            yield "]\n" if separator == "\n" else "\n]\n"
        case "markdown":
            yield "| " + " | ".join(_markdown(name) for name in columns) + " |\n"
            yield "|" + "|".join(" --- " for _ in columns) + "|\n"
            for row in rows:
                yield "| " + " | ".join(_markdown(cell_text(cell, "")) for cell in row) + " |\n"
        case _:
            raise ValueError(form)


def cell_text(value: Any, null: str = "") -> str:
    """One value as text on one line."""
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(json_value(value), ensure_ascii=False)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def json_value(value: Any) -> Any:
    """A value that `json` can write; decimals stay exact as text, times are ISO 8601, NaN and infinity are text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID, timedelta)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [json_value(item) for item in value]
    return str(value)


def _record(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    # Two columns of one name would lose a value in an object: the later ones are numbered, as DuckDB does.
    record: dict[str, Any] = {}
    for name, cell in zip(columns, row, strict=True):
        key, n = name, 1
        while key in record:
            key, n = f"{name}_{n}", n + 1
        record[key] = json_value(cell)
    return record


def _csv_line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _narrow(widths: list[int], shown: Sequence[int], room: int) -> None:
    """Take cells from the widest of the columns `shown` until they fit beside each other, two blanks between them."""
    while shown and sum(widths[i] + 2 for i in shown) - 2 > room:
        widest = max(shown, key=lambda i: widths[i])
        if widths[widest] <= 6:
            return
        widths[widest] -= 1
