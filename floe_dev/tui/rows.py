"""Rows of a table or of a query: columns as wide as what stands in them, and a row as a whole where they do not fit."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.cells import cell_len
from rich.segment import Segment
from textual import on
from textual.strip import Strip

from floe_dev.errors import FloeError
from floe_dev.model.details import Rows
from floe_dev.tui.dialogs import LineScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.text import Cell, inert

_WIDEST = 32
_SIGNS = {"+": "ok", "-": "bad"}
#: A figure; what begins with zeros is a code or a date, and reads from the left.
_FIGURE = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|-?inf|nan")
_NULL = "∅"


def row_columns(rows: Rows) -> tuple[Column[tuple[str, ...]], ...]:
    """Grid columns for the answer to a query; figures stand below each other by their last digit."""
    found = []
    for place, name in enumerate(rows.columns):
        values = {row[place] for row in rows.rows}
        figures = values - {_NULL}
        found.append(
            Column(
                inert(name),
                min(_WIDEST, max(cell_len(text) for text in (inert(name), *values, " "))),
                _cell_at(place),
                right=bool(figures) and all(_FIGURE.fullmatch(value) for value in figures),
                rank=place,
            )
        )
    return tuple(found)


def rows_title(answer: Rows | FloeError) -> str:
    """What their tab is called: whoever sees the end of the list has to know whether it is the end of the table."""
    return f"first {len(answer.rows)} rows" if isinstance(answer, Rows) and answer.truncated else "rows"


def _cell_at(place: int) -> Callable[[tuple[str, ...]], Cell]:
    # The first column of a comparison is nothing but + and -.
    return lambda row: (row[place], _SIGNS.get(row[place], "") if place == 0 else "")


class RowsGrid(Grid[tuple[str, ...]]):
    """The rows; the line of titles ends with how many columns there was no room for, Enter shows all of a row."""

    def __init__(self, id: str) -> None:  # noqa: A002 - the name every widget has for it
        """Empty until there is an answer."""
        super().__init__((), lambda row: "\x1f".join(row), id=id)
        self._names: tuple[str, ...] = ()

    def waits(self, words: str) -> None:
        """Nothing is there yet; `words` say what is done about it."""
        self.show((), (f"◌ {words}", "busy"))

    def answer(self, answer: Rows | FloeError, nothing: str = "no rows") -> None:
        """Show them; of an error what and why, `nothing` where there are none."""
        if isinstance(answer, FloeError):
            self.show((), (f"✗ {answer.what}: {answer.why or ''}", "bad"))
            return
        self._names = answer.columns
        self.set_columns(row_columns(answer))
        self.show(answer.rows, (nothing, "dim"))

    def render_line(self, y: int) -> Strip:
        """The line of titles tells what is missing."""
        line = super().render_line(y)
        hidden = self._shares(self.size.width).count(0)
        if y or not hidden:
            return line
        told = f" +{hidden}"
        note = Strip([Segment(told, self._base + self._tone("mark"))], len(told))
        return Strip.join([line.crop(0, self.size.width - len(told)), note])

    @on(Grid.Opened)
    def _whole(self, event: Grid.Opened) -> None:
        event.stop()
        room = max((cell_len(inert(name)) for name in self._names), default=0)
        told = [
            f"{inert(name)}{' ' * (room - cell_len(inert(name)))}  {value}"
            for name, value in zip(self._names, event.item, strict=True)
        ]
        self.app.push_screen(LineScreen("\n".join(told)))
