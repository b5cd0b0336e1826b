"""What is laid over a screen: a question, a line to type, a choice, the help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.text import inert, without_colours

#: What every dialog looks like; it wants `name`, `width` and `height`.
DIALOG = """
{name} {{ align: center middle; }}
{name} > Vertical {{ width: {width}; max-width: 96%; height: {height}; max-height: 90%; padding: 1 2;
    border: round $primary; background: $surface; }}
{name} Static {{ height: auto; }}
"""


#: Border, padding, title, keys and two empty lines of a list to choose from, and the line to find something in it.
_AROUND_CHOICES = 9
#: Border, padding and keys of a line that is shown whole.
_AROUND_LINE = 5
#: Of what was copied.
_TOLD_CHARACTERS = 200
#: Lines of a list to choose from.
_CHOICES_SEEN = 14


class ConfirmScreen(ModalScreen[bool]):
    """A question that `y` answers with yes; everything else is no."""

    DEFAULT_CSS = DIALOG.format(name="ConfirmScreen", width=70, height="auto")
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
        DIALOG.format(name="ChoiceScreen", width=90, height="auto")
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
        # A bar below would take the last one's line.
        grid.styles.scrollbar_size_horizontal = 0
        grid.styles.margin = (1, 0)
        grid.show(self._choices)
        grid.focus()

    def on_resize(self, event: events.Resize) -> None:
        """The keys below the list stay on the screen."""
        self.query_one("#choices", Grid).styles.max_height = _room(event.size.height, _AROUND_CHOICES)

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

    DEFAULT_CSS = DIALOG.format(name="HelpScreen", width=76, height="90%")
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
    """One line of a log, or one value, as long as it is."""

    DEFAULT_CSS = DIALOG.format(name="LineScreen", width="96%", height="auto") + (
        "LineScreen VerticalScroll { height: auto; }"
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "app.pop_screen", "Back"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, line: str, name: str = "") -> None:
        """`line` may have several, where it is an event's message or a row; a value has a `name`."""
        super().__init__()
        self._name_of_it = name
        self._line = without_colours(line)

    def compose(self) -> ComposeResult:
        """The line."""
        with Vertical():
            with VerticalScroll():
                told = Text(f"{inert(self._name_of_it)}\n" if self._name_of_it else "", "bold")
                # A child, for a text's own style lies under all that is added to it.
                yield Static(Text.assemble(told, "\n".join(inert(line) for line in self._line.splitlines())))
            yield Static(Text("y copies it   Esc leaves", "dim"))

    def on_resize(self, event: events.Resize) -> None:
        """What is long leaves the keys below it on the screen."""
        self.query_one(VerticalScroll).styles.max_height = _room(event.size.height, _AROUND_LINE)

    def action_copy(self) -> None:
        """To the clipboard of the terminal."""
        self.app.copy_to_clipboard(self._line)
        self.app.pop_screen()
        self.app.notify(inert(self._line[:_TOLD_CHARACTERS]), title="copied", markup=False)


def _room(height: int, around: int) -> int:
    """Lines that are left within the nine tenths of the screen that a dialog may take."""
    return max(1, height * 9 // 10 - around)
