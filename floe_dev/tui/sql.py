"""A line of SQL and its answer."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from floe_dev.errors import FloeError
from floe_dev.model.details import Rows
from floe_dev.model.units import counted
from floe_dev.tui.dialogs import DIALOG
from floe_dev.tui.rows import RowsGrid
from floe_dev.tui.text import inert


class SqlScreen(ModalScreen[None]):
    """A line of SQL and its answer below it."""

    DEFAULT_CSS = DIALOG.format(name="SqlScreen", width="96%", height="90%") + "SqlScreen Input { margin-bottom: 1; }"
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
            yield RowsGrid("answer")

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

    def _answered(self, answer: Rows | FloeError) -> None:
        if not self.is_attached:
            return
        told, grid = self.query_one("#told", Static), self.query_one("#answer", RowsGrid)
        if isinstance(answer, FloeError):
            lines = [inert(line) for line in (answer.why or answer.what).splitlines()[:8]]
            told.update(Text("\n".join(["✗ failed", *lines]), f"bold {self.app.theme_variables.get('text-error', '')}"))
            # The rows of the statement before are no answer to this one.
            grid.answer(Rows((), (), 0.0), "")
        else:
            more = ", more are not shown" if answer.truncated else ""
            told.update(Text(f"{counted(len(answer.rows), 'row')}{more}   {answer.seconds:.2f} s"))
            grid.answer(answer)
