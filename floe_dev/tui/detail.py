"""The screen of one thing: facts above, sections below, each section a grid in a tab."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static, TabbedContent, TabPane, Tabs

from floe_dev.errors import FloeError
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.dialogs import LineScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.text import Cell, inert

_FACT_NAME = 12
#: Facts that are read to their end.
_WHOLE = ("why", "fix", "reason")
_WHOLE_LINES = 3
Line = tuple[str, str]
LINES: tuple[Column[Line], ...] = (Column("", 20, lambda line: line, grow=True),)
PAIRS: tuple[Column[tuple[str, str]], ...] = (
    Column("name", 36, lambda pair: (pair[0], "dim")),
    Column("value", 30, lambda pair: pair[1], grow=True),
)


class Sections(TabbedContent):
    """Tabs that follow no focus: told late of one that was there before, they went back to that tab."""

    def _on_tab_pane_focused(self, event: TabPane.Focused) -> None:
        event.stop()
        event.prevent_default()


class DetailScreen(FloeScreen):
    """Facts and sections of one thing; `load` fetches what the State does not have."""

    DEFAULT_CSS = """
    #facts { height: auto; max-height: 9; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    DetailScreen TabbedContent { height: 1fr; }
    DetailScreen Tab { color: $foreground 75%; }
    DetailScreen Tab.-active { color: $foreground; }
    DetailScreen TabPane { padding: 0 1; }
    DetailScreen ContentSwitcher { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket,h,left,shift+tab", "tab(-1)", "Previous tab", show=False, id="previous-tab"),
        Binding("right_square_bracket,right,tab", "tab(1)", "Next tab", key_display="]", id="next-tab"),
        *(Binding(str(n), f"tab_number({n})", f"Tab {n}", show=False) for n in range(1, 10)),
    ]
    #: What stands at the top.
    _pairs: Sequence[tuple[str, Cell | str]] = ()
    #: How many there are.
    tabs = 0
    #: Textual's tabs say once, some time after they are mounted, that the first is active, and turn to it. A tab that
    #: is asked for before that waits for it.
    _settled = False
    _asked: str | None = None

    def body(self) -> ComposeResult:
        """Facts, then one tab for each section."""
        yield Static("loading …", id="facts", markup=False)
        with Sections(id="tabs"):
            self.tabs = 0
            for place, (title, grid) in enumerate(self.sections(), 1):
                self.tabs = place
                with TabPane(f"{place} {title}", id=f"tab-{grid.id}"):
                    yield grid

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """Title and grid of every tab."""
        return ()

    def on_mount(self) -> None:
        """Fetch. The line of tabs takes no focus, in which keys would be lost: a click in it is for what is below."""
        self.query_one(Tabs).can_focus = False
        self.load()

    def load(self) -> None:
        """Fetch what is shown."""

    def section(self, name: str) -> Grid[Any]:
        """The grid of that id."""
        return self.query_one(f"#{name}", Grid)

    def name_tab(self, section: str, title: str) -> None:
        """Another title for the tab of that section."""
        tab = self.query_one(TabbedContent).get_tab(f"tab-{section}")
        label = f"{tab.label_text.partition(' ')[0]} {title}"
        # A label that is set, even to what it was, has the line of tabs laid out anew.
        if tab.label_text != label:
            tab.label = label

    def repaint(self) -> None:
        """The facts too."""
        super().repaint()
        self.facts(self._pairs)

    def facts(self, pairs: Sequence[tuple[str, Cell | str]]) -> None:
        """The lines at the top; pairs without a value are left out."""
        self._pairs = pairs
        text = Text()
        for name, value in pairs:
            words, tone = (value, "") if isinstance(value, str) else value
            for place, line in enumerate(self._fact_lines(words, whole=tone == "bad" or name in _WHOLE)):
                text.append("\n" if text.plain else "")
                text.append(f"{'' if place else name:<{_FACT_NAME}}", "dim").append(line, self.tone(tone))
        self.write("#facts", text)

    def _fact_lines(self, words: str, *, whole: bool) -> list[str]:
        """A reason goes on over three lines where it has to; the rest is cut where the line ends."""
        words = inert(words)
        if not whole or not words:
            return [words] if words else []
        return textwrap.wrap(words, max(20, self.size.width - _FACT_NAME - 2), max_lines=_WHOLE_LINES, placeholder=" …")

    def failed(self, error: FloeError) -> None:
        """Why there is nothing to see, in the place of the facts."""
        pairs: list[tuple[str, Cell | str]] = [(error.code.id, (error.what, "bad"))]
        pairs += [("why", line) for line in (error.why or "").splitlines()[:4]]
        pairs.append(("fix", error.fix or ""))
        self.facts(pairs)

    def lines(self, text: str, tone: str = "") -> list[Line]:
        """A longer text as lines that fit."""
        width = max(40, self.size.width - 4)
        found: list[Line] = []
        for line in text.splitlines():
            found += [(part, tone) for part in textwrap.wrap(line, width, drop_whitespace=False) or [""]]
        return found

    def action_tab(self, step: int) -> None:
        """Another tab."""
        tabs = self.query_one(TabbedContent)
        panes = [pane.id for pane in tabs.query(TabPane)]
        if panes:
            place = (panes.index(tabs.active) + step) % len(panes) if tabs.active in panes else 0
            self._activate(panes[place])

    def action_tab_number(self, place: int) -> None:
        """The tab of that number."""
        panes = [pane.id for pane in self.query_one(TabbedContent).query(TabPane)]
        if place <= len(panes):
            self._activate(panes[place - 1])

    def _activate(self, pane: str | None) -> None:
        if not self._settled:
            self._asked = pane
        elif pane is not None:
            self.query_one(TabbedContent).active = pane
            self.query_one(f"#{pane}").query_one(Grid).focus()

    @on(TabbedContent.TabActivated)
    def _activated(self, event: TabbedContent.TabActivated) -> None:
        pane = event.pane.id if event.pane is not None else None
        if pane is None:
            return
        if not self._settled:
            self._settled = True
            self._activate(self._asked or pane)
            if self._asked not in (None, pane):
                # It says so itself.
                return
        if self.focused is None or isinstance(self.focused, Grid):
            self.query_one(f"#{pane}").query_one(Grid).focus()
        self.tab_shown(pane.removeprefix("tab-"))

    @on(Grid.Opened)
    def _opened_pair(self, event: Grid.Opened) -> None:
        """A value that is longer than its line is read whole."""
        if event.grid.columns is PAIRS:
            self.app.push_screen(LineScreen(event.item[1], event.item[0].strip()))

    def tab_shown(self, section: str) -> None:
        """A section is seen: a place to fetch what only it needs."""
