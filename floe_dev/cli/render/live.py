"""The live progress view: one row for each service, step and asset, redrawn in place on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from floe_dev.cli.output import Output
from floe_dev.cli.render.rows import FINISHED, Row, Rows
from floe_dev.cli.render.style import glyph, state_color
from floe_dev.model.units import duration

if TYPE_CHECKING:
    from floe_dev.model.status import Event

_REFRESH_PER_SECOND = 8
_KINDS = (("service", "services"), ("step", "steps"), ("asset", "assets"))


class LiveProgress:
    """Draws the rows that fit; finished assets fold into a count first, for they are the many."""

    def __init__(self, output: Output, title: str) -> None:
        """Draw on stderr, under `title`."""
        self._output = output
        self._title = title
        self._rows = Rows()
        self._started = time.time()
        self._console = Console(file=sys.stderr, no_color=not output.err_color, highlight=False, force_terminal=True)
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            vertical_overflow="crop",
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        """Begin redrawing."""
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Remove the view; what matters of it is said again in the summary or the error."""
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take one event in; the next redraw shows it. Notices stay on the screen above the view."""
        count = len(self._rows.notices)
        self._rows.apply(event)
        for text in self._rows.notices[count:]:
            self._live.console.print(Text(text))

    def _draw(self) -> RenderableType:
        now = time.time()
        return draw(self._title, self._rows, now - self._started, now, self._console.size.height)


def draw(title: str, rows: Rows, elapsed: float, now: float, height: int) -> RenderableType:
    """The view as a renderable at most `height` lines tall."""
    head = Text.assemble((title, "bold"), "  ", (duration(elapsed), "dim"))
    shown, folded = _fit([row for kind, _ in _KINDS for row in rows.of(kind)], height - 3)
    grid = Table.grid(padding=(0, 2), expand=True)
    # State, name and time keep their width whatever a detail says: only the last column gives way.
    grid.add_column(no_wrap=True, min_width=10)
    grid.add_column(no_wrap=True, min_width=min(40, max((len(row.name) for row in shown), default=1)))
    grid.add_column(no_wrap=True, min_width=8, justify="right")
    grid.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    last = None
    for row in shown:
        style = state_color(row.state)
        dim = "dim" if row.state == "waiting" else ""
        if last is not None and row.kind != last:
            grid.add_row("", "", "", "")
        last = row.kind
        grid.add_row(
            Text(f"{glyph(row.state)} {row.state}", style=style),
            Text(row.name, style=dim),
            Text(duration(row.elapsed(now)), style="dim"),
            Text(row.detail.splitlines()[0] if row.detail else "", style="dim"),
        )
    parts: list[RenderableType] = [head, grid]
    if folded:
        parts.append(Text(folded, style="dim"))
    return Group(*parts)


def _fit(rows: list[Row], room: int) -> tuple[list[Row], str]:
    """The rows to show in `room` lines (two go to blank lines between kinds), and a line about those left out."""
    room = max(3, room - 2)
    if len(rows) <= room:
        return rows, ""
    # Least interesting first: what waits, then what is finished; what runs or failed is always shown.
    order = sorted(range(len(rows)), key=lambda i: (_interest(rows[i]), i))
    dropped = set(order[: len(rows) - room])
    left_out = [rows[i] for i in sorted(dropped)]
    counts: dict[str, int] = {}
    for row in left_out:
        counts[row.state] = counts.get(row.state, 0) + 1
    text = ", ".join(f"{count} {glyph(state)} {state}" for state, count in counts.items())
    return [row for i, row in enumerate(rows) if i not in dropped], f"and {text}"


def _interest(row: Row) -> int:
    if row.state == "failed":
        return 9
    if row.kind == "asset" and row.state == "waiting":
        return 0
    if row.kind == "asset" and row.state in FINISHED:
        return 1
    if row.state == "waiting":
        return 2
    return 3 if row.state in FINISHED else 8
