"""What is laid over a screen: a question, a line to type, a choice, the help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.text import inert, without_colours

_CSS = """
{name} {{ align: center middle; }}
{name} > Vertical {{ width: {width}; max-width: 96%; height: {height}; max-height: 90%; padding: 1 2;
    border: round $primary; background: $surface; }}
{name} Static {{ height: auto; }}
"""


#: Lines of a list to choose from.
_CHOICES_SEEN = 14


class ConfirmScreen(ModalScreen[bool]):
    """A question that `y` answers with yes; everything else is no."""

    DEFAULT_CSS = _CSS.format(name="ConfirmScreen", width=70, height="auto")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q,enter", "answer(False)", "No"),
    ]

    def __init__(self, lines: Sequence[str]) -> None:
        """The first line is the question, the rest says what it means."""
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        """The question."""
        first, *rest = (inert(line) for line in self._lines)
        text = Text.assemble((first, "bold"))
        for line in rest:
            text.append(f"\n{line}")
        text.append("\n\ny yes    n no", "dim")
        with Vertical():
            yield Static(text)

    def action_answer(self, yes: bool) -> None:
        """Go back with the answer."""
        self.dismiss(yes)


class ChoiceScreen(ModalScreen[list[str] | None]):
    """One of several values, or with `several` those chosen with the space bar; `/` narrows the list."""

    DEFAULT_CSS = (
        _CSS.format(name="ChoiceScreen", width=90, height="auto")
        + "ChoiceScreen Input { display: none; } ChoiceScreen Input.-shown { display: block; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, and not by the grid's message: a key typed right behind it meets the screen below.
        Binding("enter", "take", "Take", priority=True),
        Binding("escape,q", "leave", "Back"),
        Binding("slash", "find", "Find", key_display="/"),
        Binding("space", "choose", "Choose"),
    ]
    AUTO_FOCUS = "#choices"

    def __init__(
        self,
        title: str,
        choices: Sequence[tuple[str, str]],
        *,
        values: Sequence[str] | None = None,
        several: bool = False,
    ) -> None:
        """`choices` are (word, text); the answer holds the texts, or the `values` at the same places."""
        super().__init__()
        self._title = inert(title)
        values = values if values is not None else [text for _, text in choices]
        self._choices = [(str(n), word, text) for n, (word, text) in enumerate(choices)]
        self._values = dict(zip((one[0] for one in self._choices), values, strict=True))
        self._several = several

    def compose(self) -> ComposeResult:
        """The list."""
        columns: tuple[Column[tuple[str, str, str]], ...] = (
            Column("word", 26, lambda one: (one[1], "dim")),
            Column("text", 40, lambda one: one[2], grow=True),
        )
        with Vertical():
            yield Static(Text(self._title, "bold"))
            yield Input(placeholder="find", compact=True)
            yield Grid(columns, lambda one: one[0], id="choices", header=False)
            keys = "Enter takes it   / finds   Esc leaves"
            yield Static(Text(f"Space chooses several   {keys}" if self._several else keys, "dim"))

    def on_mount(self) -> None:
        """Show the choices."""
        grid = self.query_one("#choices", Grid)
        # As high as what there is to choose from, so that a question of two lines hides little.
        grid.styles.height = min(_CHOICES_SEEN, len(self._choices))
        grid.styles.max_height = "60vh"
        # A bar below would take the last one's line.
        grid.styles.scrollbar_size_horizontal = 0
        grid.styles.margin = (1, 0)
        grid.show(self._choices)
        grid.focus()

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        event.stop()
        self.action_take()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#choices", Grid).set_filter(event.value)

    def action_take(self) -> None:
        """Out of the line first; then what was chosen, else what is under the cursor."""
        grid = self.query_one("#choices", Grid)
        if self.query_one(Input).has_focus:
            grid.focus()
        elif grid.chosen:
            self.dismiss([self._values[place] for place in sorted(grid.chosen, key=int)])
        elif grid.current is not None:
            self.dismiss([self._values[grid.current[0]]])

    def action_find(self) -> None:
        """Narrow the list."""
        line = self.query_one(Input)
        line.add_class("-shown")
        line.focus()

    def action_choose(self) -> None:
        """Choose what is under the cursor, where several can be."""
        if self._several:
            self.query_one("#choices", Grid).toggle_chosen()

    def action_leave(self) -> None:
        """Out of the line first; then choose nothing."""
        if self.query_one(Input).has_focus:
            self.query_one("#choices", Grid).focus()
        else:
            self.dismiss(None)


class HelpScreen(ModalScreen[None]):
    """Every key that works on the screen below, from the bindings themselves."""

    DEFAULT_CSS = _CSS.format(name="HelpScreen", width=76, height="90%")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "app.pop_screen", "Back"),
    ]

    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        """(keys, what they do)."""
        super().__init__()
        self._rows = rows

    def compose(self) -> ComposeResult:
        """The list."""
        columns: tuple[Column[tuple[str, str]], ...] = (
            Column("key", 22, lambda row: (row[0], "mark")),
            Column("does", 30, lambda row: row[1], grow=True),
        )
        with Vertical():
            yield Static(Text("Keys of this screen", "bold"))
            yield Grid(columns, lambda row: f"{row[0]}{row[1]}", id="keys")

    def on_mount(self) -> None:
        """Show the keys."""
        grid: Grid[Any] = self.query_one("#keys", Grid)
        grid.show(self._rows)
        grid.focus()


class LineScreen(ModalScreen[None]):
    """One line of a log, as long as it is."""

    DEFAULT_CSS = _CSS.format(name="LineScreen", width="96%", height="auto") + (
        "LineScreen VerticalScroll { height: auto; max-height: 100%; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "app.pop_screen", "Back"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, line: str) -> None:
        """`line` may have several, where it is an event's message."""
        super().__init__()
        self._line = without_colours(line)

    def compose(self) -> ComposeResult:
        """The line."""
        with Vertical():
            with VerticalScroll():
                yield Static(Text("\n".join(inert(line) for line in self._line.splitlines())))
            yield Static(Text("y copies it   Esc leaves", "dim"))

    def action_copy(self) -> None:
        """To the clipboard of the terminal."""
        self.app.copy_to_clipboard(self._line)
        self.app.pop_screen()


class SqlScreen(ModalScreen[None]):
    """A line of SQL and its answer below it."""

    DEFAULT_CSS = _CSS.format(name="SqlScreen", width="96%", height="90%") + "SqlScreen Input { margin-bottom: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.pop_screen", "Back")]

    def __init__(self, statement: str) -> None:
        """What the line begins with."""
        super().__init__()
        self._statement = statement

    def compose(self) -> ComposeResult:
        """The line and the answer."""
        with Vertical():
            yield Input(self._statement, placeholder="SQL; Enter runs it", id="statement", compact=True)
            yield Static("Enter runs it, Tab goes to the rows, Esc leaves", id="told", markup=False)
            yield Grid[tuple[str, ...]]((), lambda row: "\x1f".join(row), id="answer")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        from floe_dev.tui.app import DashboardApp

        event.stop()
        app = self.app
        assert isinstance(app, DashboardApp)
        statement = event.value
        if statement.strip():
            self.query_one("#told", Static).update(Text("◌ running …"))
            app.background(lambda: app.backend.query(statement), self._answered)

    def _answered(self, answer: object) -> None:
        from floe_dev.errors import FloeError
        from floe_dev.model.details import Rows
        from floe_dev.tui.table import row_columns

        if not self.is_attached:
            return
        told, grid = self.query_one("#told", Static), self.query_one("#answer", Grid)
        if isinstance(answer, FloeError):
            lines = [inert(line) for line in (answer.why or answer.what).splitlines()[:8]]
            told.update(Text("\n".join(["✗ failed", *lines]), f"bold {self.app.theme_variables.get('text-error', '')}"))
        elif isinstance(answer, Rows):
            more = ", more are not shown" if answer.truncated else ""
            told.update(Text(f"{len(answer.rows)} rows{more}   {answer.seconds:.2f} s"))
            grid.set_columns(row_columns(answer))
            grid.show(answer.rows, ("no rows", "dim"))
