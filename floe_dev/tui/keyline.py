"""The line of keys at the bottom: one widget, drawn anew only where the keys differ.

Textual's own footer makes a widget of each key and all of them anew on every change of focus: two thirds of what a key
between panels costs.
"""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.widget import Widget

from floe_dev.tui.offered import offered

_HELP = "question_mark"


class KeyLine(Widget):
    """The keys of the screen that are worth showing, clickable."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keyline--key"}
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; padding: 0 1; background: $panel; color: $foreground; }
    KeyLine > .keyline--key { color: $accent; text-style: bold; }
    """

    def __init__(self, *, read_only: bool = False) -> None:
        """Empty until the screen knows its keys."""
        super().__init__()
        self._read_only = read_only
        self._keys: tuple[tuple[str, str, str], ...] = ()
        #: Where each key's words begin and end, in cells.
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Listen to the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        if not self.is_attached or screen is not self.app.screen:
            return
        found: dict[str, tuple[str, str, str]] = {}
        for active in offered(screen, read_only=self._read_only):
            binding = active.binding
            if binding.show and binding.description and active.enabled:
                shown = binding.key_display or self.app.get_key_display(binding)
                found.setdefault(binding.description, (binding.key, shown, binding.description))
        keys = tuple(found.values())
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def render(self) -> Text:
        """Key and word of each; where not all fit the last ones go, but never the help, which has them all."""
        style = self.get_component_rich_style("keyline--key", partial=True)
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        self._places = []
        for key, shown, word in self._fitting(self.size.width):
            if text.plain:
                text.append("  ")
            start = len(text)
            text.append(shown, style).append(f" {word}")
            self._places.append((start, len(text), key))
        return text

    def _fitting(self, width: int) -> list[tuple[str, str, str]]:
        keys = list(self._keys)
        while len(keys) > 1 and sum(len(shown) + len(word) + 3 for _, shown, word in keys) - 2 > width:
            keys.pop(next(at for at in reversed(range(len(keys))) if keys[at][0] != _HELP))
        return keys

    def on_click(self, event: events.Click) -> None:
        """A click on a word is its key."""
        place = event.get_content_offset(self)
        if place is not None:
            for start, end, key in self._places:
                if start <= place.x < end:
                    self.app.simulate_key(key)
