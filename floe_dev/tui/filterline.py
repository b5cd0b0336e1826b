"""The line in which a filter is typed: it narrows one grid with every letter, and is gone once it is left."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from floe_dev.tui.grid import Grid


class FilterLine(Input):
    """Hidden until `open`; what the words mean is in `filtering`."""

    DEFAULT_CSS = """
    FilterLine.-textual-compact { display: none; padding: 0 1; background: $panel; }
    FilterLine.-textual-compact.-shown { display: block; }
    """
    # With words: they are the only keys that the line of keys can offer while others are letters.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Keep the filter", key_display="Enter"),
        Binding("escape", "screen.back", "Drop it", key_display="Esc", id="back"),
    ]

    def __init__(self) -> None:
        """Narrows nothing yet."""
        super().__init__(id="filter", placeholder="filter: word  !not  column:word", compact=True)
        self._narrowed: Grid[Any] | None = None

    def open(self, grid: Grid[Any]) -> None:
        """Go on with the filter that `grid` has."""
        self._narrowed = grid
        self.value = grid.filter_text
        self.add_class("-shown")
        self.focus()

    def drop(self) -> None:
        """Without a filter, back to the grid."""
        if self._narrowed is not None:
            self._narrowed.set_filter("")
        self._leave()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """The slash is typed here too; Textual does not know the character of the key `slash`, and would offer it."""
        return key == "slash" or super().check_consume_key(key, character)

    def on_blur(self) -> None:
        """Left in whatever way (Tab, the mouse) it is gone; only a terminal that loses the focus gives it back.

        Unless it was opened again by the time it hears of it: hidden then, what is typed would be taken as commands.
        """
        if self.app.app_focus and self.screen.focused is not self:
            self._narrowed = None
            self.remove_class("-shown")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        # What was typed last may be told only after the line was left.
        if self._narrowed is not None:
            self._narrowed.set_filter(event.value)

    async def action_submit(self) -> None:
        """Keep the filter. Not by Textual's message: a key typed right behind it would still land in this line."""
        if self._narrowed is not None:
            self._narrowed.set_filter(self.value)
        self._leave()

    def _leave(self) -> None:
        grid, self._narrowed = self._narrowed, None
        if grid is not None:
            # At once, which `focus` is not.
            self.screen.set_focus(grid)
