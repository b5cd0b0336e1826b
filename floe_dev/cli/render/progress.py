"""Progress of long work on stderr: a live view on a terminal, plain lines without one, NDJSON, or nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol, Self

from floe_dev.cli.output import Output
from floe_dev.cli.render.rows import Row, Rows, notice_text
from floe_dev.cli.render.style import paint, state_text
from floe_dev.model.units import duration

if TYPE_CHECKING:
    from floe_dev.model.status import Event

Choice = Literal["auto", "tty", "plain", "json", "quiet"]
CHOICES: tuple[Choice, ...] = ("auto", "tty", "plain", "json", "quiet")


class Progress(Protocol):
    """A view that is fed events between `__enter__` and `__exit__`."""

    def __enter__(self) -> Self:
        """Begin showing."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Stop showing and leave the terminal as it was."""
        ...

    def event(self, event: Event) -> None:
        """Show one event."""
        ...


def make_progress(choice: Choice, output: Output, *, title: str, environ: Mapping[str, str], tty: bool) -> Progress:
    """The view for `--progress`; auto is the live view on a terminal that can redraw, else plain lines."""
    if choice == "auto":
        choice = "tty" if tty and environ.get("TERM") != "dumb" and not environ.get("CI") else "plain"
    if choice == "json":
        return JsonProgress(output)
    if choice == "quiet":
        return QuietProgress()
    if choice == "tty":
        from floe_dev.cli.render.live import LiveProgress

        return LiveProgress(output, title)
    return PlainProgress(output)


class Recorder:
    """Passes events on to a view and keeps the rows for what is said afterwards."""

    def __init__(self, view: Progress) -> None:
        """Nothing has happened yet."""
        self.rows = Rows()
        self.view = view

    def event(self, event: Event) -> None:
        """Keep it and show it."""
        self.rows.apply(event)
        self.view.event(event)


class QuietProgress:
    """Shows nothing; errors still are shown, by the command."""

    def __enter__(self) -> Self:
        """Nothing to begin."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to end."""

    def event(self, event: Event) -> None:
        """Nothing to show."""


class JsonProgress(QuietProgress):
    """One JSON object a line on stdout: the events as they come."""

    def __init__(self, output: Output) -> None:
        """Write through `output`."""
        self._output = output

    def event(self, event: Event) -> None:
        """Write the event."""
        self._output.line(event.model_dump(mode="json"))


class PlainProgress(QuietProgress):
    """One timestamped line for each change of state."""

    def __init__(self, output: Output) -> None:
        """Write through `output`."""
        self._output = output
        self._rows = Rows()

    def event(self, event: Event) -> None:
        """Write a line if something a viewer sees changed."""
        stamp = paint(datetime.fromtimestamp(event.time).astimezone().strftime("%H:%M:%S"), "dim", color=self._color)
        if event.kind == "notice":
            self._output.say(f"{stamp} {notice_text(event)}")
            return
        before = self._rows.rows.get((event.kind, event.name))
        row = self._rows.apply(event)
        # A new reason on every probe of a waiting service would drown the log; the error carries the last one.
        if row is None or (before is not None and before.state == row.state):
            return
        if row.state == "waiting":
            return
        self._output.say(f"{stamp} {self._line(row)}")

    def _line(self, row: Row) -> str:
        seconds = duration(row.elapsed(time.time()))
        words = [state_text(row.state, color=self._color, unicode=self._output.unicode), row.name]
        if seconds and row.seconds is not None:
            words.append(paint(f"({seconds})", "dim", color=self._color))
        if row.detail:
            words.append(row.detail)
        return " ".join(words)

    @property
    def _color(self) -> bool:
        return self._output.err_color
